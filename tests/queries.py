"""Executes every query of the dashboard and of the rules against a Prometheus that scrapes healthy services.

    python3 tests/queries.py PROMETHEUS

PROMETHEUS is a URL. Each query of the dashboard and each recording rule must return a series. Each alert must be inactive.
"""

import json
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

PROMETHEUS = sys.argv[1]
FOLDER = Path(__file__).parent.parent / "deploy" / "observability"


def get(path, **parameters):
    url = f"{PROMETHEUS}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def dashboard():
    """Checks what Grafana requires of each panel, and yields the title and each query."""
    board = json.loads((FOLDER / "grafana/dashboards/kafka-pair.json").read_text())
    assert board["uid"] and board["title"] and board["schemaVersion"] >= 36
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]), "two panels have the same id"
    for panel in panels:
        assert set(panel["gridPos"]) == {"h", "w", "x", "y"} and panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$topic", ".*")


def settled_rules():
    """Waits up to 30 s until all alerts are inactive, and returns the rules. A service that starts is not ready, so an alert is pending
    for a moment."""
    deadline = time.monotonic() + 30
    while True:
        rules = [rule for group in get("rules")["groups"] for rule in group["rules"]]
        is_active = any(rule["type"] == "alerting" and rule["state"] != "inactive" for rule in rules)
        if not is_active or time.monotonic() > deadline:
            return rules
        time.sleep(1)


def failures():
    for title, query in dashboard():
        try:
            result = get("query", query=query)["result"]
        except OSError as error:
            yield f"{title}: {error}: {query}"
            continue
        print(f"{len(result):3} series  {title}: {query}")
        if not result:
            yield f"{title}: the query returns no series: {query}"
    for rule in settled_rules():
        if rule["health"] != "ok":
            yield f"{rule['name']}: Prometheus could not evaluate the rule: {rule.get('lastError')}"
        if rule["type"] == "recording" and not get("query", query=rule["name"])["result"]:
            yield f"{rule['name']} returns no series"
        if rule["type"] == "alerting":
            print(f"{rule['state']:>10}  {rule['name']}")
            if rule["state"] != "inactive":
                yield f"{rule['name']} is {rule['state']}, although the services are healthy"


FAILURES = list(failures())
for failure in FAILURES:
    print(f"FAILED: {failure}", file=sys.stderr)
sys.exit(1 if FAILURES else 0)
