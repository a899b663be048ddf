#!/usr/bin/env bash
# Checks the alerts and the dashboard in deploy/observability: unit tests of the rules, the format of the metrics, and every query of the
# dashboard and of the rules against a Prometheus that scrapes the Compose set-up.
#
#   bash tests/observability.sh
#
# Needs Docker with Compose v2, Python 3 and curl. Uses a Compose project of its own and removes it at the end. PROMETHEUS_TAG selects
# another version of Prometheus than the default of docker-compose.yml.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=steps.sh
source tests/steps.sh

export COMPOSE_PROGRESS=quiet PROMETHEUS_PORT=${PROMETHEUS_PORT:-34990} PRODUCER_RATE_PER_SEC=20
compose() { timeout 1200 docker compose -p kafka-pair-observability --profile observability "$@"; }
clean_up() { compose down -v -t 5 >/dev/null 2>&1; }
# An interrupted check may have left containers and data behind.
clean_up || true
trap clean_up EXIT
show_state() { compose ps -a; }
image=$(compose config --format json | python3 -c 'import json, sys; print(json.load(sys.stdin)["services"]["prometheus"]["image"])')
promtool() { docker run --rm -i -v "$PWD/deploy/observability:/w:ro" -w /w --entrypoint promtool "$image" "$@"; }

step "the configuration and the unit tests of the rules, with $image"
promtool check config prometheus.yml
promtool test rules rules-test.yml

step "the metrics of the services have the format that Prometheus expects"
compose build producer consumer
compose up -d --no-build --scale consumer=2 kafka kafka-init producer consumer prometheus
targets_are_ready() { curl -fsS "http://127.0.0.1:$PROMETHEUS_PORT/api/v1/query?query=sum(kafka_client_ready)" | grep -q '"3"'; }
wait_for 90 "three services are scraped, and ready" targets_are_ready
for service in producer consumer; do
  container=$(compose ps -q "$service" | head -n 1)
  address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$container")
  curl -fsS "http://$address:8080/metrics" | promtool check metrics
  echo "ok: $service"
done

step "every query of the dashboard and of the rules returns what it should"
# A rate needs two scrapes, and a rule that uses a recorded rate needs one more evaluation.
sleep 25
python3 tests/queries.py "http://127.0.0.1:$PROMETHEUS_PORT"
