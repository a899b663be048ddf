#!/usr/bin/env bash
# The topic, the two accounts and their rights. May run any number of times.
# shellcheck disable=SC2329 # Functions are called by the names in `steps`.
set -euo pipefail
# shellcheck source=passwords.sh
source /opt/kafka-pair/passwords.sh

broker=localhost:19092
# Short-lived tools: a small heap and no time for optimising.
export KAFKA_HEAP_OPTS=-Xmx128m KAFKA_JVM_PERFORMANCE_OPTS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

tool() { "/opt/kafka/bin/$1" --bootstrap-server "$broker" "${@:2}"; }

topic() {
  tool kafka-topics.sh --create --if-not-exists --topic "$TOPIC" --partitions "$PARTITIONS" --replication-factor 1
}

account() {
  local file=/tmp/$1
  # Not as an argument, which everybody on the host can see.
  (umask 077 && printf '%s=password=%s\n' "$SASL_MECHANISM" "$(password "$1-password")" >"$file")
  tool kafka-configs.sh --alter --entity-type users --entity-name "$1" --add-config-file "$file"
}

# Write, and Read, include Describe. Nobody may create topics.
rights_of_producer() {
  tool kafka-acls.sh --add --allow-principal User:producer --operation Write --topic "$TOPIC"
}
rights_of_consumer() {
  tool kafka-acls.sh --add --allow-principal User:consumer --operation Read --topic "$TOPIC" --group "$GROUP_ID"
}

# At the same time: each spends most of its time on starting.
steps=(topic rights_of_producer rights_of_consumer)
if [[ $SASL_MECHANISM == SCRAM-* ]]; then
  steps+=("account producer" "account consumer")
fi
jobs=()
for step in "${steps[@]}"; do
  $step >/tmp/"${#jobs[@]}".log 2>&1 &
  jobs+=($!)
done
failed=0
for number in "${!jobs[@]}"; do
  if ! wait "${jobs[$number]}"; then
    failed=1
    echo "failed: ${steps[$number]}"
    # Kafka's tools repeat what they don't understand.
    sed 's/password=.*/password=.../' "/tmp/$number.log"
  fi
done
if ((failed == 0)); then
  echo "ready: topic $TOPIC; producer may write to it, consumer may read it as group $GROUP_ID"
fi
exit "$failed"
