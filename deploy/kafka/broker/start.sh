#!/usr/bin/env bash
# The broker, with what its listener for clients needs to know of the accounts: SCRAM looks them up in the cluster, where
# init.sh puts them; PLAIN has them in the broker's own configuration. Not in docker-compose.yml, where everybody who may
# inspect the container could read them.
set -euo pipefail
# shellcheck source=passwords.sh
source /opt/kafka-pair/passwords.sh

producer=$(password producer-password)
consumer=$(password consumer-password)
export KAFKA_LISTENER_NAME_CLIENT_PLAIN_SASL_JAAS_CONFIG="org.apache.kafka.common.security.plain.PlainLoginModule required user_producer=\"$producer\" user_consumer=\"$consumer\";"
export KAFKA_LISTENER_NAME_CLIENT_SCRAM___SHA___512_SASL_JAAS_CONFIG="org.apache.kafka.common.security.scram.ScramLoginModule required;"
export KAFKA_LISTENER_NAME_CLIENT_SCRAM___SHA___256_SASL_JAAS_CONFIG="org.apache.kafka.common.security.scram.ScramLoginModule required;"
# The image's own start rewrites these, and fails where a build of it has left them read-only.
chmod u+w /etc/kafka/docker/*.yaml /opt/kafka/config/*
exec /etc/kafka/docker/run
