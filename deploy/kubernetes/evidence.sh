#!/usr/bin/env bash
# Keeps the log of each producer and each replica for `audit`, one file a life of a container, until it is interrupted:
#
#   bash deploy/kubernetes/evidence.sh DIRECTORY [NAMESPACE]
#
# A cluster forgets the log of a pod that is removed, and of a container that was restarted twice.
set -euo pipefail
directory=${1:?usage: $0 DIRECTORY [NAMESPACE]}
namespace=${2:-kafka-pair}
mkdir -p "$directory"
# The offsets of another run would look like repeats.
if compgen -G "$directory/*.log" >/dev/null; then
  echo "there are logs in $directory already: name another directory, or remove them" >&2
  exit 64
fi

kube() { kubectl -n "$namespace" "$@"; }
file() { echo "$directory/$1.${2:0:8}.$3.log"; }

# follow POD UID LIFE
follow() {
  local file
  file=$(file "$@")
  [[ ! -e $file ]] || return 0
  kube logs -f "$1" >"$file" 2>&1 &
}

# A life that has ended before it was seen: the last one is still there.
recover() {
  local file
  file=$(file "$@")
  [[ -e $file ]] || kube logs --previous "$1" >"$file" 2>&1 || true
}

seen() {
  local pod uid life since
  while read -r pod uid life since; do
    [[ -n $since ]] || continue
    ((life == 0)) || recover "$pod" "$uid" $((life - 1))
    follow "$pod" "$uid" "$life"
  done
}

# What has just been written still comes through.
watch=
finish() {
  trap - INT TERM
  kill "$watch" 2>/dev/null || true
  sleep 1
  # shellcheck disable=SC2046 # Each is one process.
  kill $(jobs -pr) 2>/dev/null || true
  wait
  exit 0
}
trap finish INT TERM

status='.status.containerStatuses[0]'
row="{.metadata.name} {.metadata.uid} {$status.restartCount} {$status.state.running.startedAt}{\"\\n\"}"
# The server ends a watch now and then.
while :; do
  exec 3< <(exec kubectl -n "$namespace" get pods -l app.kubernetes.io/part-of=kafka-pair --watch -o "jsonpath=$row")
  watch=$!
  seen <&3
  sleep 1
done
