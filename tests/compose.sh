#!/usr/bin/env bash
# Checks what docs/docker.md promises: scaling, a killed replica and a restarted broker under load, with the verdict of `audit` on the
# logs; accounts that have the permissions they need and no others; wrong settings that stop a service with a clear message.
#
#   bash tests/compose.sh
#
# Needs Docker with Compose v2, and cargo for `audit`. Uses Compose projects of its own and removes them at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=steps.sh
source tests/steps.sh

RATE=200
# After a replica is killed, what it processed since its last commit is received again. It handled half of the messages and committed
# every second, so RATE / 2 messages are expected. The limit is four times as high, to allow for a busy machine.
REPEATS_MAX=$((2 * RATE))
work=$(mktemp -d)
# Containers read the secrets that the script writes here.
chmod 755 "$work"
export COMPOSE_PROGRESS=quiet

# The limit is generous because building the images takes minutes.
compose() { timeout 1200 docker compose -p kafka-pair-check "$@"; }
external() {
  ENV_FILE=$work/.env docker compose -p kafka-pair-check-external --project-directory . -f deploy/compose/external.yml \
    --env-file "$work/.env" "$@"
}
one_off_container=kafka-pair-check-one-off
external_broker=kafka-pair-check-external-broker

remove_containers() {
  docker rm -fv "$one_off_container" "$external_broker"
  compose down -v -t 5
  touch "$work/.env" && external down -t 5
} >/dev/null 2>&1
evidence=
trap '[[ -z $evidence ]] || kill "$evidence" || true; remove_containers; rm -rf "$work"' EXIT

show_state() {
  compose ps -a
  compose logs --tail 5
  external logs --tail 5
  mkdir -p target/compose && cp -r "$work"/. target/compose/ && echo "the files of this check are in target/compose"
}
# `grep -q` exits at the first match. In a pipe the writer would then fail with SIGPIPE, and `pipefail` would report that as a failure;
# the exit code of a process substitution is ignored.
status() { compose ps -a --format '{{.Name}} {{.Status}}' "$1"; }
# healthy SERVICE COUNT: the service has exactly that many containers, and all of them are healthy.
healthy() { [[ $(status "$1" | grep -c '(healthy)') == "$2" && $(status "$1" | wc -l) == "$2" ]]; }
unhealthy() { grep -q '(unhealthy)' <(status "$1"); }
logged() { grep -q -- "$2" <(compose logs --no-color "$1"); }
count_lines() { grep -c -- "$2" <(compose logs --no-color "$1") || true; }
more_than() { (($(count_lines "$1" "$2") > $3)); }
owns_partitions() { grep '"owned":' <(docker logs "$1") | tail -n 1 | grep -qv '"owned":\[\]'; }
each_received() {
  local container
  for container in $(compose ps -q consumer); do
    grep -q '"message received"' <(docker logs "$container") || return 1
  done
}
nothing_left() {
  local lags
  lags=$(compose exec -T kafka /opt/kafka/bin/kafka-consumer-groups.sh --bootstrap-server localhost:19092 \
    --describe --group demo | awk '$2 == "demo" {print $6}')
  [[ -n $lags && -z ${lags//[0[:space:]]/} ]]
}
password() { cat "deploy/kafka/development-only/$1-password"; }
# scale REPLICAS [OPTION...]
scale() { PRODUCER_RATE_PER_SEC=$RATE compose up -d --no-recreate --no-build --scale "consumer=$1" "${@:2}"; }

step "the files are valid, and the images build"
# An interrupted check may have left containers and data behind.
remove_containers || true
compose config -q
external config -q
compose build
for service in producer consumer; do
  bytes=$(docker image inspect "kafka-pair/$service-svc:${IMAGE_TAG:-0.1.0}" --format '{{.Size}}')
  echo "$service-svc: $((bytes / 1000000)) MB"
  ((bytes <= 40000000)) || fail "the image is larger than 40 MB"
  # The image has no shell: a container is created only to copy a file from it.
  docker create --name "$one_off_container" "kafka-pair/$service-svc:${IMAGE_TAG:-0.1.0}" >/dev/null
  docker cp -q "$one_off_container:/usr/share/doc/kafka-pair/sbom.cdx.json" "$work/sbom"
  docker rm "$one_off_container" >/dev/null
  for part in '"bomFormat": *"CycloneDX"' '"rdkafka-sys"'; do
    grep -q "$part" "$work/sbom" || fail "the image does not list its dependencies"
  done
done

step "two replicas at $RATE messages/s"
start=$SECONDS
bash deploy/compose/evidence.sh "$work/evidence" kafka-pair-check &
evidence=$!
scale 2
wait_for 60 "the first message is received" logged consumer '"message received"'
echo "$((SECONDS - start)) s after the start"
wait_for 30 "both replicas receive messages" each_received
wait_for 30 "both replicas are healthy" healthy consumer 2
wait_for 30 "the producer is healthy" healthy producer 1
! grep -hE '"level":"(ERROR|WARN)"' "$work"/evidence/*.log || fail "a service logged a warning or an error at the start"

# shellcheck disable=SC2046 # One word for each container.
docker inspect $(compose ps -aq) >"$work/inspected"
grep -q '"KAFKA_SASL_PASSWORD_FILE=' "$work/inspected" || fail "control: the environment of the services is not shown"
! grep -qFf <(password consumer; password producer) "$work/inspected" || fail "docker inspect shows a password"

step "3, 11 and 1 replicas"
for replicas in 3 11 1; do
  scale "$replicas" --no-deps
  wait_for 90 "$replicas replicas are healthy" healthy consumer "$replicas"
done

step "a replica is killed"
scale 2 --no-deps
wait_for 60 "2 replicas are healthy" healthy consumer 2
victim=$(compose ps -q consumer | tail -n 1)
wait_for 30 "the replica to be killed owns partitions" owns_partitions "$victim"
# Docker treats `docker kill` as a manual stop, so the restart policy does not apply.
docker kill -s KILL "$victim" >/dev/null
before=$(count_lines consumer '"message received"')
wait_for 60 "the other replica takes over" more_than consumer '"message received"' $((before + 20 * RATE))
scale 2 --no-deps
wait_for 60 "2 replicas are healthy again" healthy consumer 2

step "the broker is restarted"
compose restart kafka
before=$(count_lines producer '"message delivered"')
wait_for 120 "the producer delivers again" more_than producer '"message delivered"' $((before + 5 * RATE))
wait_for 60 "both replicas are healthy" healthy consumer 2

step "the verdict"
compose stop producer
wait_for 60 "everything is consumed and committed" nothing_left
compose stop consumer
kill "$evidence"
wait "$evidence"
evidence=
expect_proven "$REPEATS_MAX" "$work"/evidence/*.log
expect_no_proof_without_a_line "$REPEATS_MAX" "$work"/evidence/*.log
# The same by the image of the audit, which needs no Rust on the machine.
docker build --quiet --target audit -t kafka-pair/audit:check . >/dev/null
docker run --rm -i kafka-pair/audit:check --complete --max-repeats "$REPEATS_MAX" < <(cat "$work"/evidence/*.log) |
  grep -x 'verdict: PROVEN.*' || fail "the image of the audit did not prove delivery"

step "health: a replica is frozen and thawed"
compose up -d --no-recreate --no-build
wait_for 60 "1 replica is healthy" healthy consumer 1
frozen=$(docker inspect -f '{{.State.Pid}}' "$(compose ps -q consumer)")
docker kill -s STOP "$(compose ps -q consumer)" >/dev/null
wait_for 60 "the frozen replica is unhealthy" unhealthy consumer
docker kill -s CONT "$(compose ps -q consumer)" >/dev/null
wait_for 60 "the thawed replica is healthy" healthy consumer 1
[[ $frozen == "$(docker inspect -f '{{.State.Pid}}' "$(compose ps -q consumer)")" ]] || fail "the replica was restarted"
compose stop producer consumer

# expect_exit SERVICE CODE TEXT VARIABLE=VALUE...: starts a container of the service with these variables, which must exit with that code
# and log the text, an extended regular expression. After LIMIT_S seconds the container is stopped, and the code is 124.
expect_exit() {
  local service=$1 code=$2 text=$3 actual=0 log variables=()
  shift 3
  for variable in "$@"; do variables+=(-e "$variable"); done
  log=$(mktemp -p "$work")
  timeout "${LIMIT_S:-60}" docker compose -p kafka-pair-check run --name "$one_off_container" -T --no-deps "${variables[@]}" \
    "$service" >"$log" 2>&1 || actual=$?
  # The container goes on when `timeout` ends the command.
  docker rm -f "$one_off_container" >/dev/null 2>&1 || true
  if [[ $actual != "$code" ]] || ! grep -qE -- "$text" "$log"; then
    cat "$log"
    fail "$service exited with $actual; expected $code and the text: $text"
  fi
  echo "$service: exit code $code: $(grep -oE -- "$text" "$log" | tail -n 1)"
}
exited() { grep -qF "Exited ($2)" <(status "$1"); }

step "accounts: the producer's account can't read, the consumer's can't write, and without an account nothing works"
account_of() { echo "KAFKA_SASL_USERNAME=$1 KAFKA_SASL_PASSWORD_FILE= KAFKA_SASL_PASSWORD=$(password "$1")"; }
# shellcheck disable=SC2046 # One word for each variable.
expect_exit consumer 77 "authorization failed" $(account_of producer)
# shellcheck disable=SC2046
expect_exit producer 77 "[Aa]uthorization failed" $(account_of consumer)
expect_exit consumer 77 "authorization failed" KAFKA_GROUP_ID=another-group
no_account=(KAFKA_SASL_USERNAME= KAFKA_SASL_PASSWORD_FILE= KAFKA_SASL_MECHANISM=)
for port in 9092 19092 9093; do
  LIMIT_S=10 expect_exit producer 124 "broker unreachable" "${no_account[@]}" "KAFKA_BOOTSTRAP_SERVERS=kafka:$port"
done

step "secrets: a wrong password, a missing file, an unreadable file, a file with CRLF line endings"
printf 'not-this-one' >"$work/wrong"
CONSUMER_PASSWORD_FILE=$work/wrong expect_exit consumer 77 'the broker refused the account: [^"]*'
! grep -rq not-this-one "$work"/tmp.* || fail "the password is in a log"
CONSUMER_PASSWORD_FILE=$work/missing expect_exit consumer 1 "$work/missing"
expect_exit consumer 64 "KAFKA_SASL_PASSWORD_FILE .*No such file" \
  KAFKA_SASL_PASSWORD_FILE=/run/secrets/missing
install -m 0400 deploy/kafka/development-only/consumer-password "$work/unreadable"
CONSUMER_PASSWORD_FILE=$work/unreadable expect_exit consumer 64 \
  "KAFKA_SASL_PASSWORD_FILE .*Permission denied"
printf '%s\r\n' "$(password consumer)" >"$work/crlf"
# Compose does not notice that the content of a secret has changed.
CONSUMER_PASSWORD_FILE=$work/crlf compose up -d --no-build --no-deps --force-recreate consumer
wait_for 60 "the replica with the CRLF file is healthy" healthy consumer 1

step "a wrong setting and a refused account stop a service for good, and a finished producer is not restarted"
PRODUCER_RATE_PER_SEC=fast compose up -d --no-build --no-deps producer
wait_for 60 "the producer has exited with 64" exited producer 64
logged producer "PRODUCER_RATE_PER_SEC" || fail "the log does not name the wrong variable"
CONSUMER_PASSWORD_FILE=$work/wrong compose up -d --no-build --no-deps --force-recreate consumer
PRODUCER_MAX_MESSAGES=5 compose up -d --no-build --no-deps producer
wait_for 60 "the producer has exited with 0" exited producer 0
wait_for 120 "the consumer has exited with 77" exited consumer 77

step "the topic is deleted and created again"
compose exec -T kafka /opt/kafka/bin/kafka-topics.sh --bootstrap-server localhost:19092 --delete --topic demo
compose up -d --no-build --no-deps --force-recreate consumer
wait_for 60 "the consumer logs that the topic is missing" logged consumer '"topic missing"'
wait_for 60 "the replica is unhealthy" unhealthy consumer
compose up -d --no-build kafka-init
wait_for 60 "the replica is healthy" healthy consumer 1

step "one variable switches from SCRAM to PLAIN"
KAFKA_SASL_MECHANISM=PLAIN compose up -d --no-build
wait_for 60 "the replica is healthy" healthy consumer 1
wait_for 60 "the producer is healthy" healthy producer 1
compose down -v -t 5

step "a broker that can't start"
printf 'a "quoted" word' >"$work/wrong"
! PRODUCER_PASSWORD_FILE=$work/wrong compose up -d --no-build 2>/dev/null || fail "docker compose up succeeded"
wait_for 60 "the broker logs what is wrong with the password" logged kafka 'producer-password must contain one line of letters'
wait_for 60 "the broker has exited with 1" exited kafka 1
[[ $(status producer) != *Up* ]] || fail "the producer was started without a broker"
compose down -v -t 5

step "the pair with a broker outside of its Compose project"
# An address of this machine that containers can reach.
host=$(hostname -I | cut -d' ' -f1)
docker run -d --name "$external_broker" -p "$host:29192:29192" \
  -e KAFKA_NODE_ID=1 -e KAFKA_PROCESS_ROLES=broker,controller \
  -e KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9093 -e KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER \
  -e KAFKA_LISTENERS=PLAINTEXT://:29192,CONTROLLER://:9093 -e "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://$host:29192" \
  -e KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT \
  -e KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1 -e KAFKA_LOG_DIRS=/var/lib/kafka/data \
  "apache/kafka:${KAFKA_IMAGE_TAG:-4.2.0}" bash -c 'chmod u+w /etc/kafka/docker/*.yaml /opt/kafka/config/*; exec /etc/kafka/docker/run' >/dev/null
wait_for 60 "the topic is created" docker exec "$external_broker" /opt/kafka/bin/kafka-topics.sh \
  --bootstrap-server "$host:29192" --create --if-not-exists --topic elsewhere --partitions 4
printf '%s\n' "KAFKA_BOOTSTRAP_SERVERS=$host:29192" KAFKA_TOPIC=elsewhere KAFKA_GROUP_ID=elsewhere \
  PRODUCER_MAX_MESSAGES=20 PRODUCER_RATE_PER_SEC=10 CONSUMER_MAX_MESSAGES=20 >"$work/.env"
external up -d --no-build
all_received() { grep -q '"reason":"done","count":20' <(external logs --no-color consumer); }
wait_for 60 "all messages are received" all_received
[[ $(external config --services | sort | tr '\n' ' ') == "consumer producer " ]] || fail "external.yml starts more than the two services"

step "done in $SECONDS s"
