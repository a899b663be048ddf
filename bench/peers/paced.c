/* Sends messages at a steady rate with librdkafka and prints how long their acknowledgements took.
 *
 *     paced BROKERS TOPIC MESSAGES_PER_SECOND SECONDS LINGER_MS VALUE_BYTES
 *
 * The latency of a message begins when it was due, not when it was handed over: a client that falls behind must not look fast. One thread
 * sleeps until a message is due and sends it, another serves the delivery reports. The first tenth of the messages does not count. All
 * times are in microseconds.
 */

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rdkafka.h"

struct message {
        int64_t due;  /* in nanoseconds of the monotonic clock */
        int64_t sent; /* when it was handed over */
        int64_t acknowledged;
};

static rd_kafka_t *client;
static atomic_int is_done;
static int failed;

static int64_t now(void) {
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void sleep_until(int64_t due) {
        struct timespec time = {due / 1000000000, due % 1000000000};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0)
                ;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
        char error[256];
        if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) != RD_KAFKA_CONF_OK) {
                fprintf(stderr, "%s\n", error);
                exit(1);
        }
}

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *report, void *opaque) {
        (void)rk, (void)opaque;
        ((struct message *)report->_private)->acknowledged = now();
        failed += report->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void *serve_reports(void *unused) {
        while (!is_done)
                rd_kafka_poll(client, 100);
        return unused;
}

static int compare(const void *left, const void *right) {
        int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
        return (a > b) - (a < b);
}

int main(int argc, char **argv) {
        if (argc != 7) {
                fprintf(stderr, "usage: %s BROKERS TOPIC MESSAGES_PER_SECOND SECONDS LINGER_MS VALUE_BYTES\n", argv[0]);
                return 64;
        }
        int64_t rate = atoll(argv[3]), count = rate * atoll(argv[4]);
        size_t size = (size_t)atoll(argv[6]);
        if (rate <= 0 || count <= 0 || size == 0)
                return 64;

        char error[256];
        rd_kafka_conf_t *conf = rd_kafka_conf_new();
        set(conf, "bootstrap.servers", argv[1]);
        set(conf, "acks", "all");
        set(conf, "enable.idempotence", "true");
        set(conf, "linger.ms", argv[5]);
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
        client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
        if (!client) {
                fprintf(stderr, "%s\n", error);
                return 1;
        }
        rd_kafka_topic_t *topic = rd_kafka_topic_new(client, argv[2], NULL);
        /* Without the topic's metadata the first messages would wait for it, as they do not in producer-svc either. */
        const struct rd_kafka_metadata *metadata;
        if (rd_kafka_metadata(client, 0, topic, &metadata, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
                fprintf(stderr, "no metadata of %s\n", argv[2]);
                return 1;
        }
        rd_kafka_metadata_destroy(metadata);

        struct message *messages = calloc((size_t)count, sizeof(*messages));
        char *value = malloc(size);
        memset(value, 'x', size);
        pthread_t server;
        pthread_create(&server, NULL, serve_reports, NULL);
        int64_t start = now() + 10000000;
        for (int64_t i = 0; i < count; i++) {
                messages[i].due = start + i * 1000000000 / rate;
                sleep_until(messages[i].due);
                messages[i].sent = now();
                if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value, size, NULL, 0,
                                     &messages[i]) == -1)
                        failed++;
        }
        rd_kafka_flush(client, 10000);
        is_done = 1;
        pthread_join(server, NULL);

        int64_t counted = count - count / 10, late = 0;
        int64_t *latencies = malloc((size_t)counted * sizeof(*latencies));
        for (int64_t i = 0; i < counted; i++) {
                struct message *message = &messages[count / 10 + i];
                failed += message->acknowledged == 0;
                latencies[i] = message->acknowledged - message->due;
                late += message->sent - message->due;
        }
        if (failed) {
                fprintf(stderr, "%d messages failed\n", failed);
                return 1;
        }
        qsort(latencies, (size_t)counted, sizeof(*latencies), compare);
        printf("p50 %" PRId64 " p99 %" PRId64 " p999 %" PRId64 " max %" PRId64 " late %" PRId64 "\n",
               latencies[counted / 2] / 1000, latencies[counted * 99 / 100] / 1000,
               latencies[counted * 999 / 1000] / 1000, latencies[counted - 1] / 1000, late / counted / 1000);
        rd_kafka_topic_destroy(topic);
        rd_kafka_destroy(client);
        return 0;
}
