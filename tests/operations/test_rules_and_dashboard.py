"""Alert rules and dashboard ask for what is really exported, and are what Prometheus and Grafana can read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from starter.canary import fly
from tests.operations.conftest import Samples, Watched
from tests.support.system import ROOT
from tests.support.wait import eventually

RULES = ROOT / "deploy" / "prometheus" / "ombud.rules.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "ombud.json"
OURS = re.compile(r"\b(?:ombud|temporal)_\w+")
SELECTED = re.compile(r"\b((?:ombud|temporal)_\w+)\{([^}]*)\}")


def rules() -> list[dict[str, Any]]:
    """Every alert rule."""
    found = YAML(typ="safe").load(RULES.read_text())
    return [rule for group in found["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Every panel of the dashboard."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> Iterator[str]:
    """Every PromQL expression."""
    yield from (rule["expr"] for rule in rules())
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])


def labels(found: Samples, metric: str) -> set[str]:
    """The labels that a metric was seen with."""
    return {name for having in found[metric] for name, _ in having}


async def test_every_metric_that_is_asked_for_is_exported(watched: Watched) -> None:
    """After a miss, a canary, a refusal and a failing workflow task each name and label was seen."""
    client, queue = watched.system.client, watched.system.settings.task_queue
    failing = await client.start_workflow("NobodyKnowsThis", id=f"failing-{queue}", task_queue=queue)
    handle = await watched.system.open("demo", "D-1", level="3", kind="complaint")
    await handle.signal("nonsense", {})
    await fly(client, queue)
    accepted = "SELECT 1 FROM notices WHERE contract = 'demo' AND rung = 'due' AND accepted_at IS NOT NULL"
    await eventually(lambda: watched.system.rows(accepted))
    await watched.system.rows("UPDATE notices SET undeliverable_at = now() WHERE contract = 'demo' RETURNING key")
    await watched.system.rows("DELETE FROM holders WHERE role = 'handler.director' RETURNING role")
    await watched.system.rows("UPDATE directory_version SET version = gen_random_uuid() RETURNING version")
    await eventually(lambda: watched.of_worker_has("temporal_workflow_task_execution_failed"))
    seen = {**await watched.of_worker(), **await watched.of_serve(fresh=True)}
    await failing.terminate()

    asked = list(expressions())
    names = {name for expression in asked for name in OURS.findall(expression)}
    sometimes = {"ombud_notices_waiting", "ombud_notices_waiting_oldest_seconds"}  # nothing may wait just now
    assert names - set(seen) - sometimes == set()
    for expression in asked:
        for metric, selectors in SELECTED.findall(expression):
            wanted = set(re.findall(r"(\w+)\s*[=!]", selectors)) - {"job"}
            assert metric in sometimes or wanted <= labels(seen, metric), (metric, wanted)


def test_every_alert_says_what_to_do() -> None:
    """Each has a name of its own, somebody to wake or not, and words for whoever is woken."""
    found = rules()
    assert len({rule["alert"] for rule in found}) == len(found)
    for rule in found:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"].endswith(".")


def test_the_dashboard_is_whole() -> None:
    """Panels have ids of their own, lie within 24 columns, do not overlap, and ask the chosen data source."""
    taken: set[tuple[int, int]] = set()
    found = panels()
    assert len({panel["id"] for panel in found}) == len(found)
    for panel in found:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
        assert panel["title"]
        assert panel["targets"]
        assert panel["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", RULES), ("test", "rules", RULES.with_name("ombud.rules.test.yaml"))],
    ids=["check", "test"],
)
def test_promtool_agrees(arguments: tuple[str, str, Path]) -> None:
    """Prometheus' own tool reads the rules, and they fire in the stories written for them."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool on this machine; Debian: apt-get install prometheus")
    done = subprocess.run([promtool, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
