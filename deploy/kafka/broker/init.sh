#!/usr/bin/env bash
# Creates the topic, the two accounts and their permissions. It can be executed any number of times; each
# time it sets the passwords again.
# shellcheck disable=SC2329 # Functions are called by the names in `steps`.
set -euo pipefail
# shellcheck source=passwords.sh
source /opt/kafka-pair/passwords.sh

broker=localhost:19092
# The tools run for seconds: a small heap is enough, and optimising the code would take longer than it saves.
export KAFKA_HEAP_OPTS=-Xmx128m KAFKA_JVM_PERFORMANCE_OPTS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

tool() { "/opt/kafka/bin/$1" --bootstrap-server "$broker" "${@:2}"; }

topic() {
  tool kafka-topics.sh --create --if-not-exists --topic "$TOPIC" --partitions "$PARTITIONS" --replication-factor "${REPLICAS:-1}"
}

account() {
  local file=/tmp/$1
  # In a file, because every user of the host can see the arguments of a process.
  (umask 077 && printf '%s=password=%s\n' "$SASL_MECHANISM" "$(password "$1-password")" >"$file")
  tool kafka-configs.sh --alter --entity-type users --entity-name "$1" --add-config-file "$file"
}

# Write and Read both include Describe. No account may create topics.
producer_permissions() {
  tool kafka-acls.sh --add --allow-principal User:producer --operation Write --topic "$TOPIC"
}
consumer_permissions() {
  tool kafka-acls.sh --add --allow-principal User:consumer --operation Read --topic "$TOPIC" --group "$GROUP_ID"
}

# All steps at the same time: each tool spends most of its time starting its Java virtual machine.
steps=(topic producer_permissions consumer_permissions)
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
    # Kafka's tools print input that they reject, which can contain a password.
    sed 's/password=.*/password=.../' "/tmp/$number.log"
  fi
done
if ((failed == 0)); then
  echo "ready: topic $TOPIC; producer may write to it, consumer may read it as group $GROUP_ID"
fi
exit "$failed"
