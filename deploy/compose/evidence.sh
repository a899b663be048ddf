#!/usr/bin/env bash
# Keeps the log of every producer and every replica of a Compose project for `audit`, until the script is interrupted:
#
#   bash deploy/compose/evidence.sh DIRECTORY [PROJECT]
#
# Start it before the pair. It writes one file for each life of a container, as deploy/evidence/keep.sh describes.
#
# `docker compose logs` can't do this. It no longer shows replicas that were removed, so the audit would report that the evidence is
# not sufficient; and in Compose 2.40, `docker compose logs -f` panics when several replicas are removed at once.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../evidence/keep.sh
source "$(dirname "${BASH_SOURCE[0]}")/../evidence/keep.sh"
use_directory "${1:?usage: $0 DIRECTORY [PROJECT]}"
project=${2:-kafka-pair}

# By container id: the start of the life that was last followed, how many lives were followed, and when the previous life ended.
declare -A started_at lives ended_at

# follow_container ID: follows the life that the container is in.
follow_container() {
  local id=$1 name started since=()
  # The container may have been removed in the meantime.
  read -r name started < <(docker inspect -f '{{.Name}} {{.State.StartedAt}}' "$id") || return 0
  # A container that starts while this script starts is both in the list of containers and in the events.
  [[ ${started_at[$id]:-} != "$started" ]] || return 0
  started_at[$id]=$started
  lives[$id]=$((${lives[$id]:-0} + 1))
  # `docker logs` prints the lines of all lives. Those of earlier lives are in other files, or older than this script. (If a life ends
  # within some tenths of a second, before this script can react, its file may contain the lines of the next life too.)
  [[ -z ${ended_at[$id]:-} ]] || since=(--since "${ended_at[$id]}")
  follow_into "$(log_file "${name#/}" "${id:0:12}" "${lives[$id]}")" docker logs -f "${since[@]}" "$id"
}

follow_running_containers() {
  local id service state ended
  while read -r id service state; do
    is_of_the_pair "$service" || continue
    read -r ended < <(docker inspect -f '{{.State.FinishedAt}}' "$id") || continue
    # Docker reports the year 1 as the end of a container that has never stopped.
    [[ $ended == 0001-* ]] || ended_at[$id]=$ended
    [[ $state != running ]] || follow_container "$id"
  done
}

follow_starting_containers() {
  local time event id service
  while read -r time event id service; do
    is_of_the_pair "$service" || continue
    case $event in
      start) follow_container "$id" ;;
      # Seconds with nine decimals, for `docker logs --since`. Docker reports `die` after it has read the last line of that life.
      die) ended_at[$id]=${time:0:-9}.${time: -9} ;;
    esac
  done
}

is_of_the_pair() { [[ $1 == producer || $1 == consumer ]]; }

project_filter=(--filter "label=com.docker.compose.project=$project")
label=com.docker.compose.service
# The script subscribes to events before it lists the containers: a container that starts in between is in one of the two.
exec 3< <(exec docker events "${project_filter[@]}" --filter event=start --filter event=die \
  --format "{{.TimeNano}} {{.Action}} {{.Actor.ID}} {{index .Actor.Attributes \"$label\"}}")
# shellcheck disable=SC2034 # `finish` reads it.
watcher=$!
follow_running_containers < <(docker ps --all --no-trunc "${project_filter[@]}" --format "{{.ID}} {{.Label \"$label\"}} {{.State}}")
follow_starting_containers <&3
