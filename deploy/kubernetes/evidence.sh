#!/usr/bin/env bash
# Keeps the log of every producer and every replica in a namespace for `audit`, until the script is interrupted:
#
#   bash deploy/kubernetes/evidence.sh DIRECTORY [NAMESPACE]
#
# Start it before the pair. It writes one file for each life of a container, as deploy/evidence/keep.sh describes. A cluster keeps
# neither the log of a pod that was removed nor the log of a container that has been restarted twice since. The script warns if it
# could not read the end of a log.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../evidence/keep.sh
source "$(dirname "${BASH_SOURCE[0]}")/../evidence/keep.sh"
use_directory "${1:?usage: $0 DIRECTORY [NAMESPACE]}"
namespace=${2:-kafka-pair}

# An array and not a function, so that a process in the background is `kubectl` itself and not a shell that would leave it behind when it
# is stopped.
kubectl=(kubectl -n "$namespace")
container='.status.containerStatuses[0]'
# RESTARTS RUNNING_SINCE, where the latter is missing while the container is not running.
status="{$container.restartCount} {$container.state.running.startedAt}"

# The followers write their errors to the files, so warnings need another way.
exec 4>&2
warn() { echo "$0: $*" >&4; }

# Executes the command in a way that lets the shell react to a signal at once.
interruptible() { "$@" & wait "$!"; }

# resume FILE: sets `since` to the option of `kubectl logs` that continues the file. It begins a hundred lines before the end of the file,
# in case the clock of the node was set back: a line that the audit reads twice counts once. A service takes the time of a line before the
# container runtime does, and it is cut to the second here, so no line is left out.
resume() {
  local time
  since=()
  time=$(tail -n 100 "$1" | sed -nE 's/^\{"timestamp":"([-0-9]+T[:0-9]+).*/\1Z/p' | head -n 1) || true
  [[ -z $time ]] || since=("--since-time=$time")
  # Ends a line that was cut, so that the next one has a line of its own.
  [[ -z $(tail -c 1 "$1") ]] || echo
}

# follow_life POD UID RESTARTS FILE: writes the log of one life of a container to the standard output, which is FILE. `kubectl logs -f`
# ends with that life, but also when the API server restarts or when something on the way cuts the connection, and not always with an
# error. As long as the container runs, the rest of its log is therefore read with another one.
follow_life() {
  local pod=$1 uid=$2 restarts=$3 file=$4 started failed state pause=1 since=() previous=()
  trap 'kill $(jobs -pr) 2>/dev/null; exit' TERM
  while :; do
    started=$SECONDS failed=
    interruptible "${kubectl[@]}" logs -f "$pod" ${since[@]+"${since[@]}"} || failed=yes
    # One second at first, because the status of a container changes a moment after its log has ended; longer if that does not help.
    ((SECONDS - started < 60)) || pause=1
    interruptible sleep "$pause"
    resume "$file"
    # Prints nothing if the pod was removed. If the API server does not answer, the container may be running.
    state=$("${kubectl[@]}" get pod "$pod" --ignore-not-found --request-timeout=5s -o "jsonpath={.metadata.uid} $status") ||
      state="$uid $restarts unknown"
    [[ $state == "$uid $restarts "?* ]] || break
    ((pause > 1)) || warn "the log of $pod broke off; reading on"
    ((pause >= 5)) || pause=$((pause + 1))
  done
  # If the connection was cut shortly before the end of that life, the last lines are still missing.
  case $state in
    "$uid $restarts "*) ;;
    "$uid $((restarts + 1)) "*) previous=(--previous) ;;
    *)
      [[ -z $failed && $state != "$uid "* ]] || warn "the end of the log of $pod may be missing, because the cluster no longer has it"
      return
      ;;
  esac
  interruptible "${kubectl[@]}" logs "$pod" ${previous[@]+"${previous[@]}"} ${since[@]+"${since[@]}"} || [[ -z $failed ]] ||
    warn "the end of the log of $pod may be missing, because it could not be read"
}

# Reads one line for each change of a pod: POD UID RESTARTS RUNNING_SINCE.
handle_pods() {
  local pod uid restarts running_since file
  while read -r pod uid restarts running_since; do
    [[ -n $running_since ]] || continue
    # A life that started and ended between two of these lines was never followed, but the cluster still has its log while it is
    # the last one that ended.
    if ((restarts > 0)); then
      file=$(log_file "$pod" "${uid:0:8}" "$restarts")
      [[ -e $file ]] || "${kubectl[@]}" logs --previous "$pod" >"$file" 2>&1 || true
    fi
    file=$(log_file "$pod" "${uid:0:8}" $((restarts + 1)))
    follow_into "$file" follow_life "$pod" "$uid" "$restarts" "$file"
  done
}

# The API server ends a watch from time to time, so the script starts another.
while :; do
  exec 3< <(exec "${kubectl[@]}" get pods -l app.kubernetes.io/part-of=kafka-pair --watch \
    -o "jsonpath={.metadata.name} {.metadata.uid} $status{\"\\n\"}")
  # shellcheck disable=SC2034 # `finish` reads it.
  watcher=$!
  handle_pods <&3
  sleep 1
done
