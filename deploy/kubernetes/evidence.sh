#!/usr/bin/env bash
# Keeps the log of every producer and every replica in a namespace for `audit`, until the script is interrupted:
#
#   bash deploy/kubernetes/evidence.sh DIRECTORY [NAMESPACE]
#
# Start it before the pair. It writes one file for each life of a container, as deploy/evidence/keep.sh describes. A cluster keeps
# neither the log of a pod that was removed nor the log of a container that has been restarted twice since.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../evidence/keep.sh
source "$(dirname "${BASH_SOURCE[0]}")/../evidence/keep.sh"
use_directory "${1:?usage: $0 DIRECTORY [NAMESPACE]}"
namespace=${2:-kafka-pair}

# An array and not a function, so that a follower is `kubectl` itself and not a shell that would leave it behind when it is stopped.
kubectl=(kubectl -n "$namespace")

# Reads one line for each change of a pod: POD UID RESTARTS RUNNING_SINCE, where the last is missing while the container is not running.
handle_pods() {
  local pod uid restarts running_since previous
  while read -r pod uid restarts running_since; do
    [[ -n $running_since ]] || continue
    uid=${uid:0:8}
    # A life that started and ended between two of these lines was never followed, but the cluster still has its log while it is
    # the last one that ended.
    if ((restarts > 0)); then
      previous=$(log_file "$pod" "$uid" "$restarts")
      [[ -e $previous ]] || "${kubectl[@]}" logs --previous "$pod" >"$previous" 2>&1 || true
    fi
    follow_into "$(log_file "$pod" "$uid" $((restarts + 1)))" "${kubectl[@]}" logs -f "$pod"
  done
}

status='.status.containerStatuses[0]'
row="{.metadata.name} {.metadata.uid} {$status.restartCount} {$status.state.running.startedAt}{\"\\n\"}"
# The API server ends a watch from time to time, so the script starts another.
while :; do
  exec 3< <(exec "${kubectl[@]}" get pods -l app.kubernetes.io/part-of=kafka-pair --watch -o "jsonpath=$row")
  # shellcheck disable=SC2034 # `finish` reads it.
  watcher=$!
  handle_pods <&3
  sleep 1
done
