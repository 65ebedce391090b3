"""Writing the dashboard: conditional on what was read, once, written down, and never somebody else's."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from runbook_lib.act.dashboard import DashboardPlan, apply, plan
from runbook_lib.act.guard import Guard
from runbook_lib.base.errors import AwsError, Refused, UsageError
from runbook_lib.observe.dashboard.compared import digest, parsed, read_dashboard

_serial = itertools.count(1)
WANTED = {"start": "-PT24H", "widgets": [{"type": "metric", "x": 0, "properties": {"title": "Queue", "metrics": []}}]}
OTHER = {"widgets": [{"type": "text", "properties": {"markdown": "mine"}}]}
Make = Callable[..., Guard]


class Board:
    """One dashboard of its own on an emulator."""

    def __init__(self, client: Any) -> None:
        self.client, self.name = client, f"board-{next(_serial)}"

    def put(self, body: dict[str, Any]) -> None:
        self.client.put_dashboard(DashboardName=self.name, DashboardBody=json.dumps(body))

    def plan(self) -> DashboardPlan:
        return plan(self.name, read_dashboard(self.client, self.name), WANTED)

    def deployed(self) -> dict[str, Any]:
        return parsed(read_dashboard(self.client, self.name))


@pytest.fixture(params=["embedded", "moto"])
def board(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    if request.param == "embedded":
        yield Board(request.getfixturevalue("embedded").client("cloudwatch"))
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        yield Board(boto3.client("cloudwatch", region_name="us-east-1"))


@pytest.mark.parametrize("before", [None, OTHER])
def test_it_is_written_once_and_written_down(
    board: Board, make_guard: Make, journal: Any, before: dict[str, Any] | None
) -> None:
    if before:
        board.put(before)
    made = board.plan()
    assert apply(made, board.client, make_guard()) is True
    assert board.deployed() == WANTED
    (intent,) = journal.of("intent")
    assert (intent["what"], intent["raises"]) == (f"dashboard {board.name}", True)
    assert intent["before"] == {"sha256": digest(before and json.dumps(before))}
    assert ("delete-dashboards" in intent["undo"]) == (before is None)
    assert [event["ok"] for event in journal.of("outcome")] == [True]

    again = board.plan()
    assert again.lines == ()
    assert "nothing to do" in again.text()
    assert apply(again, board.client, make_guard()) is False
    assert apply(made, board.client, make_guard()) is False, "the old plan, carried out already, does no harm"
    assert len(journal.of("intent")) == 1


@pytest.mark.parametrize("theirs", [{"widgets": []}, None], ids=["changed", "deleted"])
def test_a_dashboard_that_changed_in_between_is_refused(
    board: Board, make_guard: Make, journal: Any, theirs: dict[str, Any] | None
) -> None:
    board.put(OTHER)
    made = board.plan()
    if theirs is None:
        board.client.delete_dashboards(DashboardNames=[board.name])
    else:
        board.put(theirs)
    with pytest.raises(Refused, match=f"dashboard {board.name} was {'changed' if theirs else 'deleted'} since"):
        apply(made, board.client, make_guard())
    assert board.deployed() == (theirs or {})
    assert journal.events == []


@pytest.mark.parametrize(
    ("flat", "error", "says"),
    [
        ({"mode": "plan"}, Refused, "mode is 'plan'"),
        ({"confirm": ""}, UsageError, "confirm is ''"),
        ({"as_of": "2026-11-10T08:00:00Z"}, Refused, "min from AWS's own clock"),
    ],
)
def test_without_leave_nothing_is_written(
    board: Board, make_guard: Make, flat: dict[str, str], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        apply(board.plan(), board.client, make_guard(**flat))
    assert board.deployed() == {}


def test_without_a_record_nothing_is_written(board: Board, make_guard: Make, journal: Any) -> None:
    journal.broken = True
    with pytest.raises(Refused, match="the intent cannot be recorded"):
        apply(board.plan(), board.client, make_guard())
    assert board.deployed() == {}


class CloudWatch:
    """Keeps one body; `answer` is what PutDashboard does."""

    def __init__(self, answer: Any) -> None:
        self.body: str | None = None
        self.answer = answer

    def get_dashboard(self, DashboardName: str) -> dict[str, Any]:
        if self.body is None:
            raise ClientError({"Error": {"Code": "ResourceNotFound"}}, "GetDashboard")
        return {"DashboardBody": self.body}

    def put_dashboard(self, DashboardName: str, DashboardBody: str) -> dict[str, Any]:
        self.body = DashboardBody
        found: dict[str, Any] = self.answer(self)
        return found


def test_what_cloudwatch_remarks_is_a_warning(make_guard: Make, journal: Any) -> None:
    said = {"DashboardValidationMessages": [{"DataPath": "/widgets/0", "Message": "should have a region"}]}
    client = CloudWatch(lambda _: said)
    assert apply(plan("b", None, WANTED), client, make_guard())
    assert "CloudWatch about dashboard b: should have a region" in [event["text"] for event in journal.of("warning")]


def test_what_cloudwatch_refuses_is_a_sentence(make_guard: Make, journal: Any) -> None:
    def refuse(client: CloudWatch) -> dict[str, Any]:
        client.body = None
        raise ClientError({"Error": {"Code": "InvalidParameterInput", "Message": "no region"}}, "PutDashboard")

    with pytest.raises(AwsError, match=r"writing dashboard b .* AWS answered InvalidParameterInput .*no region"):
        apply(plan("b", None, WANTED), CloudWatch(refuse), make_guard())
    assert [event["ok"] for event in journal.of("outcome")] == [False]


def test_a_lost_answer_is_no_failure_if_the_dashboard_is_there(make_guard: Make, journal: Any) -> None:
    def lose(_: CloudWatch) -> dict[str, Any]:
        raise ClientError({"Error": {"Code": "InternalServiceFault"}}, "PutDashboard")

    assert apply(plan("b", None, WANTED), CloudWatch(lose), make_guard()) is True
    assert [event["ok"] for event in journal.of("outcome")] == [True]


def test_somebody_who_writes_at_the_same_moment_is_noticed(make_guard: Make) -> None:
    def overwrite(client: CloudWatch) -> dict[str, Any]:
        client.body = json.dumps(OTHER)
        return {}

    with pytest.raises(Refused, match="does not read back as it was written"):
        apply(plan("b", None, WANTED), CloudWatch(overwrite), make_guard())


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (
            None,
            ["create dashboard b", "Queue: + not deployed yet (0 metrics)", "undo: aws cloudwatch delete-dashboards"],
        ),
        (json.dumps(OTHER), ["change dashboard b", "would be removed", "undo: aws cloudwatch put-dashboard"]),
        ("no json", ["change dashboard b", "Queue: + not deployed yet"]),
    ],
)
def test_the_plan_says_what_it_would_do_and_the_way_back(found: str | None, says: list[str]) -> None:
    made = plan("b", found, WANTED)
    assert all(words in made.text() for words in says)
    assert DashboardPlan.model_validate_json(made.model_dump_json()) == made
