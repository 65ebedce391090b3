"""Bad days of scenarios 2 and 3: AWS throttles, fails, is silent or forbids in the middle; no room for the intent.

After each: AWS is what the last line of the record says, running again completes, nothing is said or done twice. Kills
are in `test_queue_backlog.py`, `test_dynamodb_throttling.py` and `e2e/test_rollbacks.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import ArchiveError
from runbook_lib.observe.resources import billing, workers
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rollout import deviations
from tests.disk import full_disk
from tests.e2e import wire
from tests.rollbacks import APPLY, START, Place, reason

pytestmark = pytest.mark.emulator
ONCE = (wire.throttled, wire.server_error, wire.lost, wire.too_late)
FOR_EVER = 1000


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(START) as embedded, only(embedded.env):
        yield embedded


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore waits up to seconds before it tries again, which shows nothing more."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)


class Scenario:
    """One of the two mitigations: its place, its writes, what they set."""

    def __init__(self, aws: EmbeddedAws, folder: Path, name: str) -> None:
        self.name, self.aws = name, aws
        world, notebook = {
            "workers": ("healthy", "rollback_2_queue_backlog"),
            "capacity": ("throttling_table", "rollback_3_dynamodb_throttling"),
        }[name]
        self.place = Place(aws, folder, notebook, world)
        self.reset()
        self.place.pass_time(minutes=2 if name == "workers" else 20)

    @property
    def writes(self) -> tuple[str, ...]:
        """Operations of the writes, in their order."""
        return ("PutFunctionConcurrency", "UpdateEventSourceMapping") if self.name == "workers" else ("UpdateTable",)

    def reset(self) -> None:
        """As the code says it."""
        params, lambda_, dynamodb = self.place.params, self.aws.client("lambda"), self.aws.client("dynamodb")
        found = workers.read_workers(lambda_, params)
        lambda_.update_event_source_mapping(UUID=found.mapping, ScalingConfig={"MaximumConcurrency": 5})
        lambda_.put_function_concurrency(FunctionName=found.function, ReservedConcurrentExecutions=5)
        dynamodb.update_table(TableName=params.name("table"), BillingMode="PAY_PER_REQUEST")

    def run(self) -> Record:
        return self.place.run(**APPLY, reason="practice")

    def facts(self) -> dict[str, Any]:
        """What AWS has, as a change reads it back."""
        params = self.place.params
        if self.name == "workers":
            return dict(workers.read_workers(self.aws.client("lambda"), params).facts())
        return billing.read_billing(self.aws.client("dynamodb"), params).facts()

    @property
    def done(self) -> bool:
        found = self.facts()
        return found == {"reserved": 10, "maximum": 10} or found.get("mode") == "PROVISIONED"

    def assert_true(self, record: Record) -> None:
        """AWS is what the last outcome of the record says; one that could not be read back claims nothing."""
        last = outcomes(record)[-1]
        assert last["read_back"] in (None, self.facts())

    def assert_it_completes(self, first: Record, *, withdrawn: bool = False) -> None:
        """One more run brings it about, once more changes nothing; each deviation was said once, each run has one
        record."""
        self.place.pass_time(minutes=1)
        completed = self.run()
        assert (completed.decision, self.done) == ("SOAK", True), reason(completed)
        assert first.incident is not None and completed.incident is not None
        same = completed.incident["decided_at"] == first.incident["decided_at"]
        assert same is not withdrawn, "the time counts from the first decision, unless nothing came of that"
        self.place.pass_time(minutes=1)
        again = self.run()
        assert (again.decision, again.changes) == ("SOAK", ())
        archive = self.place.archive
        refs = archive.records(notebook=self.place.notebook)
        assert [ref.run_id for ref in refs] == [first.run_id, completed.run_id, again.run_id]
        assert [path.name for path in archive.staging.glob("*")] == []
        assert set(deviations.open_deviations(archive, "prod")) == set(
            self.place.namespace["incident"].mitigation.settings
        )


def outcomes(record: Record) -> list[Any]:
    """Of the changes of settings: that people were told is a change, too."""
    return [change.outcome for change in record.changes if "sent" not in change.intent["after"]]


@pytest.fixture(params=["workers", "capacity"])
def scenario(aws: EmbeddedAws, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scenario]:
    made = Scenario(aws, tmp_path, request.param)
    yield made
    made.reset()


@pytest.mark.parametrize("fault", ONCE, ids=lambda fault: fault.__name__)
def test_writes_that_meet_trouble_once_are_made_once(scenario: Scenario, fault: wire.Fault) -> None:
    with wire.each_once(fault, wire.calls(*scenario.writes)) as met:
        record = scenario.run()
    assert len(met) == len(scenario.writes)
    assert (record.decision, scenario.done) == ("SOAK", True), reason(record)
    assert [one["ok"] for one in outcomes(record)] == [True] * len(scenario.writes)
    scenario.assert_true(record)
    assert len(deviations.said(scenario.place.archive, "prod")[0]) == len(scenario.writes), "each said once"
    scenario.place.pass_time(minutes=1)
    assert scenario.run().changes == ()


def test_a_table_that_is_busy_with_what_was_asked_for_is_waited_for(aws: EmbeddedAws, tmp_path: Path) -> None:
    """The answer is lost, botocore asks again, and DynamoDB says that it is at it."""
    made, sent = Scenario(aws, tmp_path, "capacity"), []

    def lost_then_busy(request: Any, send: wire.Send) -> Any:
        sent.append(request)
        return wire.lost(request, send) if len(sent) == 1 else wire.answer(request, 400, "ResourceInUseException")

    with wire.wire(lost_then_busy, 1, FOR_EVER, wire.calls("UpdateTable")):
        record = made.run()
    assert len(sent) == 2
    assert (record.decision, made.done) == ("SOAK", True), reason(record)
    made.assert_true(record)
    made.reset()


@pytest.mark.parametrize(("scenario", "nth"), [("workers", 1), ("workers", 2), ("capacity", 1)], indirect=["scenario"])
def test_refused_in_the_middle_it_says_so_and_the_next_run_completes_it(scenario: Scenario, nth: int) -> None:
    with wire.wire(wire.denied, nth, FOR_EVER, wire.calls(*scenario.writes)):
        broken = scenario.run()
    assert broken.status == "failed" and broken.error is not None
    assert "AccessDenied" in broken.error.sentence and "\n" not in broken.error.sentence
    assert not scenario.done
    scenario.assert_true(broken)
    scenario.assert_it_completes(broken)


def test_what_cannot_be_read_back_is_open_and_the_next_run_finds_it_done(scenario: Scenario) -> None:
    """AccessDenied right behind the first write."""
    writes, made = wire.calls(*scenario.writes), []

    def blind(request: Any) -> bool:
        made.extend([request] * writes(request))
        return bool(made) and not writes(request)

    with wire.wire(wire.denied, 1, FOR_EVER, blind):
        broken = scenario.run()
    assert broken.status == "failed" and broken.error is not None and "AccessDenied" in broken.error.sentence
    assert len(made) == 1 and [one["ok"] for one in outcomes(broken)] == [None]
    scenario.assert_it_completes(broken)


def test_without_room_for_the_intent_nothing_is_changed_and_nobody_is_reminded(scenario: Scenario) -> None:
    before = scenario.facts()
    with full_disk(scenario.place.folder, "intent", only=True):
        refused = scenario.run()
    assert refused.error is not None and "the intent cannot be recorded" in refused.error.sentence
    assert "No space left on device" in refused.error.sentence
    assert (scenario.facts(), refused.changes) == (before, ())
    assert not deviations.open_deviations(scenario.place.archive, "prod")
    scenario.assert_it_completes(refused, withdrawn=True)


def test_why_it_was_refused_is_heard_though_the_deviation_cannot_be_withdrawn(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise ArchiveError("no room for a word")

    with monkeypatch.context() as disk, full_disk(scenario.place.folder, "intent", only=True):
        disk.setattr(deviations, "close", full)
        refused = scenario.run()
    assert refused.error is not None and "the intent cannot be recorded" in refused.error.sentence
    assert any("no room for a word" in warning for warning in refused.warnings)
    scenario.assert_it_completes(refused)
