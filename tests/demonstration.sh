#!/usr/bin/env bash
# Runs the Compose set-up with Prometheus for eleven minutes, in which a replica is killed and started again and the broker is stopped for
# three minutes. At the end draws the metrics and prints which alerts fired when.
#
#   bash tests/demonstration.sh [PICTURE.svg]
#
# Needs Docker with Compose v2 and Python 3. Uses a Compose project of its own and removes it at the end. PROMETHEUS_TAG selects another
# version of Prometheus than the default of docker-compose.yml.
set -euo pipefail
cd "$(dirname "$0")/.."
picture=${1:-docs/demonstration.svg}

export COMPOSE_PROGRESS=quiet PROMETHEUS_PORT=${PROMETHEUS_PORT:-34991} PRODUCER_RATE_PER_SEC=20
compose() { timeout 1200 docker compose -p kafka-pair-demonstration --profile observability "$@"; }
# An interrupted demonstration may have left containers and data behind.
compose down -v -t 5
python=$(mktemp -d)
clean_up() { compose down -v -t 5; rm -rf "$python"; } >/dev/null 2>&1
trap clean_up EXIT

python3 -m venv "$python"
"$python/bin/pip" install --quiet matplotlib==3.10.8
compose build producer consumer
compose up -d --no-build --scale consumer=2 kafka kafka-init producer consumer prometheus

events=()
start=$SECONDS
begun=$(date +%s)
# at SECONDS TEXT COMMAND...: waits until that many seconds after the start, executes the command, and marks it in the picture.
at() {
  sleep $((start + $1 - SECONDS))
  events+=("$(date +%s)=$2")
  echo "after $1 s: $2"
  "${@:3}" >/dev/null
}
scale() { compose up -d --no-build --no-deps --no-recreate --scale "consumer=$1" consumer; }
at 120 "a replica is killed" docker kill "$(compose ps -q consumer | tail -n 1)"
at 210 "it is started again" scale 2
at 330 "the broker stops" compose stop kafka
at 510 "the broker starts" compose start kafka
at 660 "end" true
"$python/bin/python" tests/picture.py "http://127.0.0.1:$PROMETHEUS_PORT" "$picture" "$begun" "${events[@]}"
