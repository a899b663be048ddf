#!/usr/bin/env bash
# Succeeds if the broker answers a request. Sends an ApiVersions request (key 18, version 0) by hand, because each of Kafka's own
# tools would start a Java virtual machine.
exec 3<>/dev/tcp/localhost/19092 || exit 1
printf '\0\0\0\012\0\022\0\0\0\0\0\1\377\377' >&3
# The response starts with its size (4 bytes), the correlation id that was sent (1, 4 bytes) and the error code (0, 2 bytes).
answer=$(timeout 3 head -c 10 <&3 | od -An -tx1 | tr -d ' \n')
[[ $answer == ????????000000010000 ]] || { echo "the broker did not answer, or answered with an error: $answer"; exit 1; }
