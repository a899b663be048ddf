#!/usr/bin/env bash
# What the compose set-up promises, run: scaling, a killed replica and a restarted broker under load, with the verdict of
# `audit` on the logs; accounts that may do what they must and nothing else; wrong settings that end visibly.
#
#   bash tests/compose.sh
#
# Needs Docker with Compose v2, and cargo for `audit`. Uses projects of its own, and removes them at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=steps.sh
source tests/steps.sh

RATE=200
# A killed replica repeats what it processed since its last commit: of its half of the rate, what comes in the interval of a
# second. Four times as much is for a machine that is busy with other things.
REPEATS_MAX=$((2 * RATE))
work=$(mktemp -d)
# Containers read the secrets that are made here.
chmod 755 "$work"
export COMPOSE_PROGRESS=quiet

# Nothing takes as long as building the images.
compose() { timeout 1200 docker compose -p kafka-pair-check "$@"; }
external() {
  ENV_FILE=$work/.env docker compose -p kafka-pair-check-external --project-directory . -f deploy/compose/external.yml \
    --env-file "$work/.env" "$@"
}
tried=kafka-pair-check-tried
outside=kafka-pair-check-outside

remove_containers() {
  docker rm -fv "$tried" "$outside"
  compose down -v -t 5
  touch "$work/.env" && external down -t 5
} >/dev/null 2>&1
trap 'remove_containers; rm -rf "$work"' EXIT

evidence_of_failure() {
  compose ps -a
  compose logs --tail 5
  external logs --tail 5
  mkdir -p target/compose && cp -r "$work"/. target/compose/ && echo "more in target/compose"
}
# A pipe into `grep -q` would end its writer early, which counts as a failure: hence <(...).
status() { compose ps -a --format '{{.Name}} {{.Status}}' "$1"; }
# healthy SERVICE COUNT: so many of its containers are healthy, and there are no others.
healthy() { [[ $(status "$1" | grep -c '(healthy)') == "$2" && $(status "$1" | wc -l) == "$2" ]]; }
unhealthy() { grep -q '(unhealthy)' <(status "$1"); }
logged() { grep -q -- "$2" <(compose logs --no-color "$1"); }
count() { grep -c -- "$2" <(compose logs --no-color "$1") || true; }
more_than() { (($(count "$1" "$2") > $3)); }
owns() { grep '"owned":' <(docker logs "$1") | tail -n 1 | grep -qv '"owned":\[\]'; }
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
# scale REPLICAS [OPTION]
scale() { PRODUCER_RATE_PER_SEC=$RATE compose up -d --no-recreate --no-build --scale "consumer=$1" "${@:2}"; }

step "the files are valid, and the images build"
# What an interrupted run left behind would be taken for this one's.
remove_containers || true
compose config -q
external config -q
compose build
for service in producer consumer; do
  bytes=$(docker image inspect "kafka-pair/$service-svc:${IMAGE_TAG:-0.1.0}" --format '{{.Size}}')
  echo "$service-svc: $((bytes / 1000000)) MB"
  ((bytes <= 40000000)) || fail "the image is larger than 40 MB"
done

step "two replicas, $RATE messages/s"
start=$SECONDS
bash deploy/compose/evidence.sh "$work/evidence" kafka-pair-check &
evidence=$!
scale 2
until_so 60 "a message received" logged consumer '"message received"'
echo "after $((SECONDS - start)) s"
until_so 30 "both replicas receive" each_received
until_so 30 "both replicas and the producer are healthy" healthy consumer 2
until_so 30 "the producer is healthy" healthy producer 1
! grep -hE '"level":"(ERROR|WARN)"' "$work"/evidence/*.log || fail "the start was not calm"

step "3, 11 and 1 replicas"
for replicas in 3 11 1; do
  scale "$replicas" --no-deps
  until_so 90 "$replicas healthy" healthy consumer "$replicas"
done

step "a replica is killed"
scale 2 --no-deps
until_so 60 "2 healthy" healthy consumer 2
victim=$(compose ps -q consumer | tail -n 1)
until_so 30 "the one to be killed owns partitions" owns "$victim"
# Docker takes this for a stop by hand, and does not start it again.
docker kill -s KILL "$victim" >/dev/null
before=$(count consumer '"message received"')
until_so 60 "the other one goes on" more_than consumer '"message received"' $((before + 20 * RATE))
scale 2 --no-deps
until_so 60 "2 healthy again" healthy consumer 2

step "the broker is restarted"
compose restart kafka
before=$(count producer '"message delivered"')
until_so 120 "the producer delivers again" more_than producer '"message delivered"' $((before + 5 * RATE))
until_so 60 "both replicas are healthy" healthy consumer 2

step "the verdict"
compose stop producer
until_so 60 "everything is consumed and committed" nothing_left
compose stop consumer
kill "$evidence"
wait "$evidence"
judge "$REPEATS_MAX" "$work"/evidence/*.log
judge_without_a_line "$REPEATS_MAX" "$work"/evidence/*.log

step "health: frozen, and thawed"
compose up -d --no-recreate --no-build
until_so 60 "1 healthy" healthy consumer 1
frozen=$(docker inspect -f '{{.State.Pid}}' "$(compose ps -q consumer)")
docker kill -s STOP "$(compose ps -q consumer)" >/dev/null
until_so 60 "unhealthy" unhealthy consumer
docker kill -s CONT "$(compose ps -q consumer)" >/dev/null
until_so 60 "healthy" healthy consumer 1
[[ $frozen == "$(docker inspect -f '{{.State.Pid}}' "$(compose ps -q consumer)")" ]] || fail "it was started anew"
compose stop producer consumer

# tried SERVICE CODE TEXT VARIABLE=VALUE...: the service, run once with these variables, ends with that code, and says so.
# One that would wait for ever is ended after PATIENCE seconds, which is code 124.
tried() {
  local service=$1 code=$2 text=$3 got=0 log variables=()
  shift 3
  for variable in "$@"; do variables+=(-e "$variable"); done
  log=$(mktemp -p "$work")
  timeout "${PATIENCE:-60}" docker compose -p kafka-pair-check run --name "$tried" -T --no-deps "${variables[@]}" \
    "$service" >"$log" 2>&1 || got=$?
  # Its container outlives a command that was ended.
  docker rm -f "$tried" >/dev/null 2>&1 || true
  if [[ $got != "$code" ]] || ! grep -qE -- "$text" "$log"; then
    cat "$log"
    fail "$service ended with $got, expected $code and: $text"
  fi
  echo "$service: exit code $code: $(grep -oE -- "$text" "$log" | tail -n 1)"
}
password() { cat "deploy/kafka/development-only/$1-password"; }
exited() { grep -qF "Exited ($2)" <(status "$1"); }

step "accounts: the producer's can't read, the consumer's can't write, without one nothing works"
as_other() { echo "KAFKA_SASL_USERNAME=$1 KAFKA_SASL_PASSWORD_FILE= KAFKA_SASL_PASSWORD=$(password "$1")"; }
# shellcheck disable=SC2046 # Each word is one variable.
tried consumer 77 "authorization failed" $(as_other producer)
# shellcheck disable=SC2046
tried producer 77 "[Aa]uthorization failed" $(as_other consumer)
tried consumer 77 "authorization failed" KAFKA_GROUP_ID=another-group
nobody=(KAFKA_SASL_USERNAME= KAFKA_SASL_PASSWORD_FILE= KAFKA_SASL_MECHANISM=)
for port in 9092 19092 9093; do
  PATIENCE=10 tried producer 124 "broker unreachable" "${nobody[@]}" "KAFKA_BOOTSTRAP_SERVERS=kafka:$port"
done

step "secrets: wrong, missing, unreadable, with the line ends of other systems"
printf 'not-this-one' >"$work/wrong"
CONSUMER_PASSWORD_FILE=$work/wrong tried consumer 77 'the broker refused the account: [^"]*'
! grep -rq not-this-one "$work"/tmp.* || fail "the password is in a log"
CONSUMER_PASSWORD_FILE=$work/missing tried consumer 1 "$work/missing"
tried consumer 64 "KAFKA_SASL_PASSWORD_FILE names a file that can't be used: No such file" \
  KAFKA_SASL_PASSWORD_FILE=/run/secrets/missing
install -m 0400 deploy/kafka/development-only/consumer-password "$work/unreadable"
CONSUMER_PASSWORD_FILE=$work/unreadable tried consumer 64 \
  "KAFKA_SASL_PASSWORD_FILE names a file that can't be used: Permission denied"
printf '%s\r\n' "$(password consumer)" >"$work/crlf"
# Compose does not see that a secret is another file.
CONSUMER_PASSWORD_FILE=$work/crlf compose up -d --no-build --no-deps --force-recreate consumer
until_so 60 "CRLF: healthy" healthy consumer 1

step "a wrong setting and a refused account end visibly, a finished producer stays finished"
PRODUCER_RATE_PER_SEC=fast compose up -d --no-build --no-deps producer
until_so 60 "exited with 64" exited producer 64
logged producer "PRODUCER_RATE_PER_SEC" || fail "the variable is not named"
CONSUMER_PASSWORD_FILE=$work/wrong compose up -d --no-build --no-deps --force-recreate consumer
PRODUCER_MAX_MESSAGES=5 compose up -d --no-build --no-deps producer
until_so 60 "exited with 0" exited producer 0
until_so 120 "exited with 77" exited consumer 77

step "the topic is missing, and comes"
compose exec -T kafka /opt/kafka/bin/kafka-topics.sh --bootstrap-server localhost:19092 --delete --topic demo
compose up -d --no-build --no-deps --force-recreate consumer
until_so 60 "told" logged consumer '"topic missing"'
until_so 60 "unhealthy" unhealthy consumer
compose up -d --no-build kafka-init
until_so 60 "healthy" healthy consumer 1

step "PLAIN by one variable"
KAFKA_SASL_MECHANISM=PLAIN compose up -d --no-build
until_so 60 "healthy" healthy consumer 1
until_so 60 "healthy" healthy producer 1
compose down -v -t 5

step "a broker that never gets healthy"
printf 'a "quoted" word' >"$work/wrong"
! PRODUCER_PASSWORD_FILE=$work/wrong compose up -d --no-build 2>/dev/null || fail "up succeeded"
until_so 60 "told" logged kafka 'producer-password must hold one line of letters'
until_so 60 "the broker is not up" exited kafka 1
[[ $(status producer) != *Up* ]] || fail "the producer was started"
compose down -v -t 5

step "a broker outside of compose"
# An address of this machine that containers can reach.
host=$(hostname -I | cut -d' ' -f1)
docker run -d --name "$outside" -p "$host:29192:29192" \
  -e KAFKA_NODE_ID=1 -e KAFKA_PROCESS_ROLES=broker,controller \
  -e KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9093 -e KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER \
  -e KAFKA_LISTENERS=PLAINTEXT://:29192,CONTROLLER://:9093 -e "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://$host:29192" \
  -e KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT \
  -e KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1 -e KAFKA_LOG_DIRS=/var/lib/kafka/data \
  "apache/kafka:${KAFKA_IMAGE_TAG:-4.2.0}" bash -c 'chmod u+w /etc/kafka/docker/*.yaml /opt/kafka/config/*; exec /etc/kafka/docker/run' >/dev/null
until_so 60 "the topic is created" docker exec "$outside" /opt/kafka/bin/kafka-topics.sh \
  --bootstrap-server "$host:29192" --create --if-not-exists --topic elsewhere --partitions 4
printf '%s\n' "KAFKA_BOOTSTRAP_SERVERS=$host:29192" KAFKA_TOPIC=elsewhere KAFKA_GROUP_ID=elsewhere \
  PRODUCER_MAX_MESSAGES=20 PRODUCER_RATE_PER_SEC=10 CONSUMER_MAX_MESSAGES=20 >"$work/.env"
external up -d --no-build
all_received() { grep -q '"reason":"done","count":20' <(external logs --no-color consumer); }
until_so 60 "all received" all_received
[[ $(external config --services | sort | tr '\n' ' ') == "consumer producer " ]] || fail "it starts more than the pair"

step "done in $SECONDS s"
