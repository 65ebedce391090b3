"""A service whose API has no status route, and no function for one: nothing of them is asked, watched or drawn."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.act.requests.load import spoken
from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import read_yaml
from runbook_lib.base.window import Window
from runbook_lib.commands.params_check import check
from runbook_lib.observe.dashboard.declared import declared
from runbook_lib.observe.evidence.measure import asks
from runbook_lib.observe.inventory.inspect import rules
from runbook_lib.observe.metrics.fetch import query_of
from runbook_lib.params.load import Params, load_file, params_dir
from runbook_lib.params.permissions import policy
from runbook_lib.rehearse.sandbox.template import build
from runbook_lib.rehearse.world.targets import targets

NOW = dt.datetime(2026, 11, 10, tzinfo=dt.UTC)


def without_status(folder: Path, **status: Any) -> Path:
    """The delivered parameters, with neither route nor function for the status."""
    for path in params_dir().glob("*.yaml"):
        (folder / path.name).write_text(path.read_text("utf-8"), "utf-8")
    said = read_yaml(folder / "service.yaml")
    del said["api"]["routes"]["status"], said["names"]["status"]
    said["contract"]["status"] |= status
    said["contract"]["result"] |= {"fetched": "bucket"}
    (folder / "service.yaml").write_text(yaml.safe_dump(said), "utf-8")
    return folder / "prod.yaml"


@pytest.fixture
def params(tmp_path: Path) -> Params:
    return load_file(without_status(tmp_path, told_by="table"))


def test_who_tells_that_a_job_has_ended_has_to_be_said(tmp_path: Path) -> None:
    file = without_status(tmp_path)
    with pytest.raises(UsageError, match=r"api\.routes\.status is left out, and contract\.status\.told_by is 'status'"):
        load_file(file)


def test_nothing_of_a_status_route_is_asked_watched_or_drawn(params: Params, tmp_path: Path) -> None:
    assert [one.sentence for one in check(tmp_path) if not one.ok] == []
    asked = asks(params, Window(NOW - dt.timedelta(hours=24), NOW), NOW)
    queries = [query_of(one, params, NOW, {}) for one in asked]  # each has an address: no name is missing
    assert len(queries) == len(asked) and not [one for one in asked if one.metric_id.startswith("status_")]
    assert not [metric for one in declared(params).widgets for metric, _ in one.asked if metric.startswith("status_")]
    assert not {"status", "route_status"} & rules(params).resources.keys()
    assert "status" not in str(policy("read-only", params)["Statement"]).replace("StatusCode", "").lower()
    assert not [
        one for one in targets(params) if one.signal.startswith("status_c") and "ApiName" in str(one.dimensions)
    ]
    assert "StatusMethod" not in build(params)["Resources"]


def test_a_load_polls_nobody(params: Params) -> None:
    given = spoken(params.service.contract, params.service.api.routes, "p")
    assert (given["status"], given["told_by"], given["result"]) == (None, "table", None)
