#!/usr/bin/env bash
# Healthy: the broker answers a request. Asks for the versions of its API (ApiVersions, key 18, version 0), because any of
# Kafka's own tools would start a Java machine each time.
exec 3<>/dev/tcp/localhost/19092 || exit 1
printf '\0\0\0\012\0\022\0\0\0\0\0\1\377\377' >&3
# Size and correlation id, then the error code: 0.
answer=$(timeout 3 head -c 10 <&3 | od -An -tx1 | tr -d ' \n')
[[ $answer == ????????000000010000 ]] || { echo "no answer, or an error: $answer"; exit 1; }
