"""`runbook probe`: planned with time and price, sent only when confirmed, judged apart, sealed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from runbook_lib.act.requests.probe import Probe
from runbook_lib.base.errors import UsageError
from runbook_lib.cli.app import app
from runbook_lib.commands import probe as room
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import Sandbox

ROOT = Path(__file__).resolve().parents[2]
PARAMS = load_file(ROOT / "params" / "prod.yaml", read_yaml(ROOT / "params" / "rehearsal.yaml"))
GATE = PARAMS.policy.gate("success_rate")


def probes(good: int, bad: int = 0) -> list[Probe]:
    fine = [Probe(f"g{n}", True, "", "", 0.1, 30) for n in range(good)]
    return fine + [Probe(f"b{n}", False, "poll", "still PENDING after 300 s", 0.1, 300) for n in range(bad)]


def test_a_plan_says_how_long_and_how_much() -> None:
    plan = room.planned(PARAMS, 150, 1.5, 45)
    service, prices = PARAMS.service, PARAMS.prices
    tokens = prices.of("llm.input_tokens", 150 * service.input_tokens)
    tokens += prices.of("llm.output_tokens", 150 * service.output_tokens)
    assert plan.usd == pytest.approx(tokens)
    assert plan.minutes == pytest.approx(149 / 1.5 + 5)
    # A quarter of five workers that take 45 s a report.
    assert plan.most_per_minute == pytest.approx(0.25 * 5 * 60 / 45)


@pytest.mark.parametrize(
    ("count", "per_minute", "named"), [(0, 1, "is 0"), (5, 0, "is 0"), (5, 1.7, r"is 1\.7"), (5, -1, "is -1")]
)
def test_nonsense_and_a_pace_that_users_would_feel_are_refused(count: int, per_minute: float, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        room.planned(PARAMS, count, per_minute, 45)


def test_more_probes_than_a_day_has_time_for_are_refused() -> None:
    assert room.planned(PARAMS, 1000, 1.0, 45).minutes < 1440
    with pytest.raises(UsageError, match=r"999,999,999 probes at 1 a minute take 694,44\d\.\d days; .*than 1,440"):
        room.planned(PARAMS, 999_999_999, 1.0, 45)


def test_they_are_judged_by_the_users_gate_and_told_apart() -> None:
    judged = room.judged(probes(149), GATE, "2026-11-23T03:00:00Z", "2026-11-23T05:00:00Z", 0.95)
    assert judged.verdict is Verdict.PASS
    assert "never in the users' rate" in judged.reason
    few = room.judged(probes(120), GATE, "2026-11-23T03:00:00Z", "2026-11-23T05:00:00Z", 0.95)
    assert few.verdict is Verdict.INCONCLUSIVE
    worse = room.judged(probes(120, 30), GATE, "2026-11-23T03:00:00Z", "2026-11-23T05:00:00Z", 0.95)
    assert worse.verdict is Verdict.FAIL
    assert worse.facts["why"] == {"poll: still PENDING after 300 s": 30}


@pytest.fixture
def call(sandbox: Sandbox, embedded: EmbeddedAws, tmp_path: Path) -> Iterator[Any]:
    settings = {**read_yaml(ROOT / "params" / "rehearsal.yaml"), "archive": str(tmp_path / "archive")}
    pairs = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]

    def run(*words: str) -> tuple[Result, Record | None]:
        file = str(ROOT / "params" / "prod.yaml")
        with only(embedded.env):
            done = CliRunner().invoke(app, ["probe", *words, "--params", file, *pairs], env={"COLUMNS": "200"})
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        archive = Archive(tmp_path / "archive")
        ref = next(reversed(archive.records(notebook="probe")), None)
        if ref is None:
            return done, None
        archive.verify(ref)
        return done, archive.load(ref)

    yield run


def test_without_apply_nothing_is_sent_and_the_price_is_told(call: Any) -> None:
    done, record = call("200", "--json")
    assert done.exit_code == 0
    assert "nothing was sent; apply would send 200 probes, 1.67 a minute" in json.loads(done.stdout)["sentence"]
    assert record is None


def test_sent_they_are_a_change_in_a_record_of_their_own(call: Any) -> None:
    done, record = call("2", "--apply", "--confirm", "prod", "--json")
    said = json.loads(done.stdout)
    # Two are too few to say anything, and no reason to worry.
    assert (done.exit_code, said["verdict"], said["sent"], said["failed"]) == (0, "INCONCLUSIVE", 2, 0)
    (change,) = record.changes
    assert change.intent["what"].startswith("probe prod: 2 probes") and change.outcome["ok"]
    assert [one["id"] for one in record.checks] == ["probe.success"]
    assert "probes.json" in record.files


def test_without_the_confirmation_nothing_is_sent(call: Any) -> None:
    with pytest.raises(UsageError, match="confirm is '', expects 'prod'"):
        call("2", "--apply")
