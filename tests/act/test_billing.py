"""Capacity of the table: planned, conditional, asynchronous; on the embedded AWS, made to take its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runbook_lib.act import billing as act
from runbook_lib.act.guard import Guard
from runbook_lib.base.errors import AwsError, Refused
from runbook_lib.judge.incidents.capacity import Units
from runbook_lib.observe.resources import billing
from runbook_lib.observe.resources.billing import Billing
from runbook_lib.params.load import Params
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import Sandbox

HUNDRED = Units(read=100, write=100)
FOUND = Billing(
    table="t", mode="PAY_PER_REQUEST", status="ACTIVE", units={}, indexes=("i",), index_status={"i": "ACTIVE"}
)


def _plan(found: Billing = FOUND, throttled: float = 7, **units: Units) -> act.BillingPlan:
    return act.plan_provisioned(found, units or {found.table: HUNDRED}, throttled=throttled, backs_a_day=4)


def test_every_index_is_given_units_and_the_limit_is_said_before() -> None:
    plan = _plan()
    assert plan.units == {"t": HUNDRED, "i": HUNDRED}
    text = plan.text()
    assert "t: PAY_PER_REQUEST -> PROVISIONED" in text
    assert "i: on demand -> 100 read / 100 write units a second" in text
    assert "4 times in 24 h at most" in text
    assert "4,000 write units" in text
    assert "may be a cut" in text


def test_an_index_may_have_units_of_its_own() -> None:
    assert _plan(t=HUNDRED, i=Units(read=100, write=300)).units["i"].write == 300


def test_without_throttle_events_it_is_blocked() -> None:
    assert "HTTP 500s" in _plan(throttled=0).blockers[0]
    assert "rollback 1" in _plan(throttled=0).blockers[0]


def test_a_table_that_somebody_is_changing_is_left_alone() -> None:
    assert "somebody is changing it" in _plan(FOUND.model_copy(update={"status": "UPDATING"})).blockers[0]


def test_what_was_asked_for_already_is_only_waited_for() -> None:
    asked = {"mode": "PROVISIONED", "units": {"t": HUNDRED, "i": HUNDRED}, "status": "UPDATING"}
    plan = _plan(FOUND.model_copy(update=asked))
    assert plan.done
    assert not plan.blockers
    assert "still UPDATING" in plan.text()


class _Slow:
    """A DynamoDB whose changes take some looks to be in force."""

    def __init__(self, client: Any, looks: int = 0) -> None:
        self._client, self.looks, self.left = client, looks, 0
        self.writes: list[dict[str, Any]] = []
        self.after_write: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_table(self, **request: Any) -> Any:
        self.writes.append(request)
        answer = self._client.update_table(**request)
        self.left = self.looks
        self.after_write()
        return answer

    def describe_table(self, **request: Any) -> Any:
        answer = self._client.describe_table(**request)
        if self.left > 0:
            self.left -= 1
            answer["Table"]["TableStatus"] = "UPDATING"
        return answer


class _Place:
    def __init__(self, aws: EmbeddedAws, sandbox: Sandbox, journal: Any, make_guard: Callable[..., Guard]) -> None:
        self.params: Params = sandbox.params
        self.client, self.journal, self.guard = _Slow(aws.client("dynamodb")), journal, make_guard()
        self.slept: list[float] = []
        self.clock = 0.0

    def read(self) -> Billing:
        return billing.read_billing(self.client, self.params)

    def plan(self, throttled: float = 7) -> act.BillingPlan:
        found = self.read()
        return _plan(found, throttled, **{found.table: HUNDRED})

    def apply(self, plan: act.BillingPlan, wait_s: float = 600) -> Billing:
        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.clock += seconds

        return act.apply(
            plan, self.client, self.guard, self.params, wait_s=wait_s, sleep=sleep, monotonic=lambda: self.clock
        )


@pytest.fixture
def place(embedded: EmbeddedAws, sandbox: Sandbox, journal: Any, make_guard: Callable[..., Guard]) -> Iterator[_Place]:
    yield _Place(embedded, sandbox, journal, make_guard)
    embedded.client("dynamodb").update_table(TableName=sandbox.params.name("table"), BillingMode="PAY_PER_REQUEST")


def test_provisioned_waited_for_and_back(place: _Place) -> None:
    place.client.looks = 3
    found = place.apply(place.plan())
    table, index = place.params.name("table"), place.params.name("gsi")
    assert (found.mode, found.active, found.units) == ("PROVISIONED", True, {table: HUNDRED, index: HUNDRED})
    assert place.slept == [1, 2, 4]
    request = place.client.writes[0]
    assert request["GlobalSecondaryIndexUpdates"][0]["Update"]["IndexName"] == index
    assert place.journal.of("outcome")[0]["ok"] is True
    back = place.apply(act.plan_on_demand(place.read(), backs_a_day=4))
    assert (back.mode, back.units) == ("PAY_PER_REQUEST", {})


def test_twice_asks_once(place: _Place) -> None:
    place.apply(place.plan())
    place.apply(place.plan())
    assert len(place.client.writes) == 1


def test_only_what_differs_is_asked_for(place: _Place) -> None:
    place.apply(place.plan())
    found = place.read()
    more = Units(read=100, write=250)
    plan = _plan(found, **{found.table: HUNDRED, place.params.name("gsi"): more})
    place.apply(plan)
    assert "ProvisionedThroughput" not in place.client.writes[1]
    assert place.read().units[place.params.name("gsi")] == more


def test_a_wait_that_ends_too_early_says_so_and_the_next_run_goes_on_waiting(place: _Place) -> None:
    place.client.looks = 50
    found = place.apply(place.plan(), wait_s=20)
    assert not found.active
    assert place.journal.of("outcome")[0]["ok"] is False
    assert place.clock <= 21
    place.client.left = 2
    assert place.apply(place.plan()).active
    assert len(place.client.writes) == 1


def test_a_second_operator_in_between_is_refused(place: _Place) -> None:
    plan = place.plan()
    place.client._client.update_table(
        TableName=place.params.name("table"),
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 20, "WriteCapacityUnits": 20},
        GlobalSecondaryIndexUpdates=[
            {
                "Update": {
                    "IndexName": place.params.name("gsi"),
                    "ProvisionedThroughput": {"ReadCapacityUnits": 20, "WriteCapacityUnits": 20},
                }
            }
        ],
    )
    with pytest.raises(Refused, match="was changed since the plan was made"):
        place.apply(plan)
    assert not place.client.writes


def test_a_second_operator_behind_the_write_is_seen(place: _Place) -> None:
    request = {"TableName": place.params.name("table"), "BillingMode": "PROVISIONED"}
    other = place.client._client
    place.client.after_write = lambda: other.update_table(
        **request, ProvisionedThroughput={"ReadCapacityUnits": 9, "WriteCapacityUnits": 9}
    )
    with pytest.raises(Refused, match="not what was asked for"):
        place.apply(place.plan())


class _Killed(BaseException):
    """As SIGKILL: nothing of ours runs after it."""


@pytest.mark.parametrize("happened", [False, True])
def test_killed_in_the_middle_the_next_run_completes_it(place: _Place, happened: bool) -> None:
    def kill(*_: Any, **__: Any) -> None:
        raise _Killed

    if happened:
        place.client.after_write = kill
    else:
        place.client.update_table = kill  # type: ignore[method-assign]
    with pytest.raises(_Killed):
        place.apply(place.plan())
    assert place.journal.of("intent")[0]["after"]["mode"] == "PROVISIONED"
    place.client.after_write = lambda: None
    place.client.__dict__.pop("update_table", None)
    assert place.apply(place.plan()).mode == "PROVISIONED"
    assert len(place.client.writes) == 1


def test_without_throttling_nothing_is_written(place: _Place) -> None:
    with pytest.raises(Refused, match="no throttle events"):
        place.apply(place.plan(throttled=0))
    assert not place.journal.of("intent")


def test_a_table_without_a_status_is_no_answer(place: _Place) -> None:
    class Odd:
        def describe_table(self, **_: Any) -> Any:
            return {"Table": {}}

    with pytest.raises(AwsError, match="does not tell the status"):
        billing.read_billing(Odd(), place.params)


def test_the_embedded_aws_is_quicker_than_aws_and_tells_less(place: _Place) -> None:
    """AWS is UPDATING for minutes, and tells the status of each index. A table that CloudFormation made on demand has
    units here, one that was switched to it has none, as on AWS: they mean nothing either way."""
    name, client = place.params.name("table"), place.client._client
    found = client.describe_table(TableName=name)["Table"]
    assert "IndexStatus" not in found["GlobalSecondaryIndexes"][0]
    assert place.read().units == {}, "the units of an on-demand table are not read"
    place.apply(place.plan())
    assert client.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE"
