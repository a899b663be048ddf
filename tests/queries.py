"""Runs every query of the dashboard and of the rules against the Prometheus whose address is given.

A query of the dashboard has to give something; so has a recording rule. An alert has to give nothing, so that it is not even
pending: nothing is wrong with what is scraped.
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
    """Checks what Grafana needs of each panel; gives titles and queries."""
    board = json.loads((FOLDER / "grafana/dashboards/kafka-pair.json").read_text())
    assert board["uid"] and board["title"] and board["schemaVersion"] >= 36
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]), "ids are unique"
    for panel in panels:
        assert set(panel["gridPos"]) == {"h", "w", "x", "y"} and panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$topic", ".*")


def settled_rules():
    """The rules, when all alerts are inactive: at its start a service is not ready, which is pending for a moment."""
    deadline = time.monotonic() + 30
    while True:
        rules = [rule for group in get("rules")["groups"] for rule in group["rules"]]
        stirring = any(rule["type"] == "alerting" and rule["state"] != "inactive" for rule in rules)
        if not stirring or time.monotonic() > deadline:
            return rules
        time.sleep(1)


def failures():
    for title, query in dashboard():
        try:
            found = get("query", query=query)["result"]
        except OSError as error:
            yield f"{title}: {error}: {query}"
            continue
        print(f"{len(found):3} series  {title}: {query}")
        if not found:
            yield f"{title} shows nothing: {query}"
    for rule in settled_rules():
        if rule["health"] != "ok":
            yield f"{rule['name']}: {rule.get('lastError')}"
        if rule["type"] == "recording" and not get("query", query=rule["name"])["result"]:
            yield f"{rule['name']} records nothing"
        if rule["type"] == "alerting":
            print(f"{rule['state']:>10}  {rule['name']}")
            if rule["state"] != "inactive":
                yield f"{rule['name']} is {rule['state']}, and nothing is wrong"


FOUND = list(failures())
for failure in FOUND:
    print(f"FAILED: {failure}", file=sys.stderr)
sys.exit(1 if FOUND else 0)
