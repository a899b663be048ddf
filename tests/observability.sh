#!/usr/bin/env bash
# The rules do what they say, and everything that the dashboard and the alerts ask for is there: every query is run against a
# Prometheus that scrapes the compose set-up.
#
#   bash tests/observability.sh
#
# Needs Docker with Compose v2, Python 3 and curl. Uses a project of its own, and removes it at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=steps.sh
source tests/steps.sh

export COMPOSE_PROGRESS=quiet PROMETHEUS_PORT=${PROMETHEUS_PORT:-34990} PRODUCER_RATE_PER_SEC=20
image=prom/prometheus:${PROMETHEUS_TAG:-v2.42.0}
compose() { timeout 1200 docker compose -p kafka-pair-observability --profile observability "$@"; }
clean_up() { compose down -v -t 5 >/dev/null 2>&1; }
# What an interrupted run left behind would be taken for this one's.
clean_up || true
trap clean_up EXIT
evidence_of_failure() { compose ps -a; }
promtool() { docker run --rm -i -v "$PWD/deploy/observability:/w:ro" -w /w --entrypoint promtool "$image" "$@"; }

step "configuration and rules"
promtool check config prometheus.yml
promtool test rules rules-test.yml

step "the services' metrics"
compose build producer consumer
compose up -d --no-build --scale consumer=2 kafka kafka-init producer consumer prometheus
targets() { curl -fsS "http://127.0.0.1:$PROMETHEUS_PORT/api/v1/query?query=sum(kafka_client_ready)" | grep -q '"3"'; }
until_so 90 "three services are scraped, and ready" targets
for service in producer consumer; do
  container=$(compose ps -q "$service" | head -n 1)
  address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$container")
  curl -fsS "http://$address:8080/metrics" | promtool check metrics
  echo "$service: nothing to complain of"
done

step "every query of the dashboard and of the rules"
# Rates need two scrapes, and a rule that builds on one needs one more evaluation.
sleep 25
python3 tests/queries.py "http://127.0.0.1:$PROMETHEUS_PORT"
