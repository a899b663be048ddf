#!/usr/bin/env bash
# Keeps the log of each producer and each replica for `audit`, one file a life of a container, until it is interrupted:
#
#   bash deploy/compose/evidence.sh DIRECTORY [PROJECT]
#
# `docker compose logs` forgets replicas that were removed, and with -f Compose 2.40 ends with a panic when several are
# removed at once. The audit would say that the evidence does not suffice.
set -euo pipefail
directory=${1:?usage: $0 DIRECTORY [PROJECT]}
project=${2:-kafka-pair}
mkdir -p "$directory"
# The offsets of another run would look like repeats.
if compgen -G "$directory/*.log" >/dev/null; then
  echo "there are logs in $directory already: name another directory, or remove them" >&2
  exit 64
fi

follow() {
  local name finished since=() file
  read -r name finished < <(docker inspect -f '{{.Name}} {{.State.FinishedAt}}' "$1") || return 0
  # A replica that is removed and comes back has the name of the former, and another id.
  file=$directory/${name#/}.${1:0:12}.${finished//:/-}.log
  [[ ! -e $file ]] || return 0
  # What an earlier life of this container wrote is in another file.
  [[ $finished == 0001-* ]] || since=(--since "$finished")
  docker logs -f "${since[@]}" "$1" >"$file" 2>&1 &
}

consider() {
  local id service
  while read -r id service; do
    case $service in producer | consumer) follow "$id" ;; esac
  done
}

filters=(--filter "label=com.docker.compose.project=$project")
label=com.docker.compose.service
# Listening before looking, so that nothing starts unseen between the two.
exec 3< <(exec docker events "${filters[@]}" --filter event=start --format "{{.ID}} {{index .Actor.Attributes \"$label\"}}")
events=$!
# What has just been written still comes through; then those that follow a container that goes on are ended.
finish() {
  trap - INT TERM
  kill "$events" || true
  sleep 1
  # shellcheck disable=SC2046 # Each is one process.
  kill $(jobs -pr) 2>/dev/null || true
  wait
  exit 0
}
trap finish INT TERM

consider < <(docker ps "${filters[@]}" --format "{{.ID}} {{.Label \"$label\"}}")
consider <&3
