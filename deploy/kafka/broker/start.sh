#!/usr/bin/env bash
# Starts the broker with the login configuration of its client listener. For SCRAM the broker looks accounts up in the cluster's
# metadata, where init.sh creates them; for PLAIN they are part of the broker's own configuration. The passwords are not in
# docker-compose.yml, because everyone who may inspect the container could then read them.
set -euo pipefail
# shellcheck source=passwords.sh
source /opt/kafka-pair/passwords.sh

producer=$(password producer-password)
consumer=$(password consumer-password)
export KAFKA_LISTENER_NAME_CLIENT_PLAIN_SASL_JAAS_CONFIG="org.apache.kafka.common.security.plain.PlainLoginModule required user_producer=\"$producer\" user_consumer=\"$consumer\";"
export KAFKA_LISTENER_NAME_CLIENT_SCRAM___SHA___512_SASL_JAAS_CONFIG="org.apache.kafka.common.security.scram.ScramLoginModule required;"
export KAFKA_LISTENER_NAME_CLIENT_SCRAM___SHA___256_SASL_JAAS_CONFIG="org.apache.kafka.common.security.scram.ScramLoginModule required;"
# The start script of the image rewrites these files, and fails if the build of the image left them read-only.
chmod u+w /etc/kafka/docker/*.yaml /opt/kafka/config/*
exec /etc/kafka/docker/run
