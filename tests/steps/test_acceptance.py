"""Acceptance: a criterion is proven by what unaltered records of steps that promoted say, and by nothing else."""

from __future__ import annotations

import html
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.base.window import parse
from runbook_lib.judge.gates.checks import check
from runbook_lib.judge.terms import Decision
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.entry import Entry, enter
from runbook_lib.record.journal import Journal
from runbook_lib.rollout.replay import Replayed
from runbook_lib.rollout.requirement import lines
from runbook_lib.run.run import Run
from runbook_lib.steps import acceptance as room
from runbook_lib.steps.acceptance import Acceptance

PARAMS = load_file(Path(__file__).resolve().parents[2] / "params" / "prod.yaml")
RELEASE = PARAMS.release
DAYS = {name: day for day, name in enumerate(PARAMS.policy.steps, 1)}


class Nobody:
    """A client of AWS without a question that it knows."""


class Rollout:
    """An archive of a rollout; records are what the map of the requirement asks for, unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.archive = Archive(folder)
        self.count = 0
        self.shown = ""

    def seal(
        self, notebook: str, env: str, decision: str = "PROMOTE", *, day: float = 0, said: dict[str, str] | None = None
    ) -> Path:
        """A record; `said`: verdicts of single checks and gates that are not PASS."""
        self.count += 1
        run_id = f"{self.count:012d}"
        staging = self.archive.stage(env, RELEASE, notebook, run_id, "papermill")
        journal = Journal(staging)
        flat = {**PARAMS.flat.model_dump(mode="json"), "env": env, "mode": "apply", "confirm": env}
        journal.append("opened", run_id=run_id, notebook=notebook, params=flat)
        at = f"2025-06-{int(day or DAYS[notebook]):02d}T03:00:00Z"
        journal.append("caller", account_id=PARAMS.account_id, arn="arn:test", as_of=at)
        weight = 100.0 if notebook > "08" else 10.0 if notebook > "06" else 0.0
        if env == "prod":
            journal.append("traffic", when="before", state={"weight": weight})
        for id in self._asked(notebook, env, "check"):
            found = check(id.replace("*", "x"), id, True, f"{id} is in order").model_dump(mode="json")
            journal.append("check", check={**found, "verdict": (said or {}).get(id, "PASS")})
        for id in self._asked(notebook, env, "gate"):
            verdict = (said or {}).get(id, "PASS")
            journal.append("gate", result={"gate": {"id": id}, "verdict": verdict, "reason": f"{id} was {verdict}"})
        journal.append("decision", outcome={"decision": decision, "reason": f"{decision}: so it is", "next": "on"})
        return seal_staged(self.archive, staging, status="completed").folder

    @staticmethod
    def _asked(notebook: str, env: str, kind: str) -> list[str]:
        asked = [one.id for line in lines() for one in line.by if (one.notebook, one.env) == (notebook, env)]
        known = [one.id for line in lines() for one in line.by if one.kind == kind]
        return list(dict.fromkeys(id for id in asked if id in known))

    def whole(self) -> None:
        """Everything that the map asks for."""
        steps = {(one.notebook, one.env): None for line in lines() for one in line.by if one.env}
        for notebook, env in sorted(steps):
            self.seal(notebook, env)

    def judged(self) -> Acceptance:
        """Every cell of the notebook, on an applied run."""
        self.count += 1
        run_id = f"{self.count:012d}"
        staging = self.archive.stage("prod", RELEASE, "11_acceptance", run_id, "papermill")
        params = PARAMS.model_copy(update={"flat": PARAMS.flat.model_copy(update={"mode": "apply", "confirm": "prod"})})
        run = Run("11_acceptance", params, archive=self.archive, staging=staging, run_id=run_id, origin="papermill")
        run.now = parse("2025-06-28T03:00:00Z")
        run.aws = SimpleNamespace(client=lambda name: Nobody())  # nobody answers what is next
        made = Acceptance(run)
        made.chain_table()
        made.replayed()
        self.shown = made.criteria_table()._repr_html_()
        for cell in (made.issues_table, made.judge, made.verdict, made.plan):
            cell()
        made.summary()
        return made


@pytest.fixture
def rollout(tmp_path: Path) -> Iterator[Rollout]:
    yield Rollout(tmp_path)


def wrong(made: Acceptance) -> dict[str, str]:
    return {id: one.reason for id, one in made.run.checks.items() if one.required and not one.ok}


def number(text: str) -> str:
    criteria = [line.text for line in lines() if line.section == "Acceptance Criteria"]
    return f"criterion.{1 + next(place for place, one in enumerate(criteria) if text in one)}"


@pytest.mark.slow
def test_a_whole_rollout_is_accepted(rollout: Rollout) -> None:
    rollout.whole()
    made = rollout.judged()
    assert wrong(made) == {}
    assert made.outcome is not None
    assert made.outcome.decision is Decision.PROMOTE
    assert made.outcome.reason.startswith("ACCEPTED")
    assert len([id for id in made.run.checks if id.startswith("criterion.")]) == 16
    found = made.run.checks[number("Phase 2")]
    ref = next(ref for ref in rollout.archive.records(notebook="07_phase2_50_percent"))
    record = rollout.archive.load(ref)
    assert record.run_id in found.reason and record.hash[:12] in found.reason
    place = ref.folder.relative_to(rollout.archive.root).as_posix()
    assert place in found.found
    assert f'href="../../../../{place}/report.html"' in rollout.shown
    assert (ref.folder / "../../../.." / place / "report.html").is_file(), "the link leads there from any record"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "notebook", "env", "said"),
    [
        ("All tests passing", "05_staging", "staging", {"staging.tests": "FAIL"}),
        ("alarms configured", "04_alarms", "prod", {"drill.*": "NO_DATA"}),
        ("Success rate", "08_phase3_100_percent", "prod", {"success_rate": "INCONCLUSIVE"}),
        ("Cost per VPR", "08_phase3_100_percent", "prod", {"cost": "FAIL"}),
        ("Documentation", "09_deprecate_sync", "prod", {"docs.updated": "NO_DATA"}),
    ],
)
def test_what_does_not_pass_proves_nothing(
    rollout: Rollout, text: str, notebook: str, env: str, said: dict[str, str]
) -> None:
    rollout.whole()
    rollout.seal(notebook, env, said=said)
    made = rollout.judged()
    assert number(text) in wrong(made)
    assert "not proven" in wrong(made)[number(text)]
    assert made.outcome is not None and made.outcome.decision is Decision.HOLD


@pytest.mark.slow
@pytest.mark.parametrize("decision", ["HOLD", "ROLLBACK", "SOAK"])
def test_a_step_that_did_not_promote_in_the_end_proves_nothing(rollout: Rollout, decision: str) -> None:
    rollout.whole()
    rollout.seal("07_phase2_50_percent", "prod", decision)
    made = rollout.judged()
    assert list(wrong(made)) == [number("Phase 2")]
    assert made.outcome is not None and made.outcome.decision is Decision.HOLD


@pytest.mark.slow
def test_a_later_plan_takes_nothing_back(rollout: Rollout) -> None:
    rollout.whole()
    rollout.seal("07_phase2_50_percent", "prod", "PLANNED")
    assert wrong(rollout.judged()) == {}


def test_nothing_is_proven_by_an_empty_archive(rollout: Rollout) -> None:
    made = rollout.judged()
    assert len([id for id in wrong(made) if id.startswith("criterion.")]) == 16
    assert made.outcome is not None and made.outcome.decision is Decision.HOLD


@pytest.mark.slow
def test_an_altered_record_proves_nothing_and_breaks_the_chain(rollout: Rollout) -> None:
    rollout.whole()
    ref = next(ref for ref in rollout.archive.records(notebook="06_phase1_10_percent"))
    path = ref.folder / "record.json"
    raw = json.loads(path.read_text())
    raw["operator"] = "somebody else"
    path.write_text(json.dumps(raw))
    made = rollout.judged()
    assert {"chain.verified", number("Phase 1")} <= set(wrong(made))
    assert "altered" in wrong(made)["chain.verified"]


@pytest.mark.slow
def test_the_summary_says_who_noted_what_and_is_kept(rollout: Rollout) -> None:
    rollout.whole()
    given: dict[str, Any] = {"at": "2025-06-09T10:00:00Z", "by": "Ana", "role": "operator"}
    enter(rollout.archive, PARAMS, Entry(kind="note", text="The queue alarm was loud.", **given))
    made = rollout.judged()
    shown = str(made.issues_table())
    assert "The queue alarm was loud." in shown
    text = html.unescape(re.sub("</?span>", "", (made.run.staging / "summary.md").read_text(encoding="utf-8")))
    assert "Signed" in text and RELEASE in text
    for line in lines():
        if line.section == "Acceptance Criteria":
            assert line.text in text


@pytest.mark.slow
def test_the_timeline_is_drawn_from_the_records(rollout: Rollout) -> None:
    rollout.whole()
    said = str(rollout.judged().timeline())
    assert "100 % from" in said and "Pre-deployment checklist" in said


@pytest.mark.slow
def test_a_verdict_that_does_not_come_out_again_is_no_proof(rollout: Rollout, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout.whole()
    assert rollout.judged().run.checks["chain.replayed"].ok
    forged = Replayed("x", "06_phase1_10_percent", "prod", "", "gates", identical=False, differences=("it was forged",))
    monkeypatch.setattr(room, "replay_all", lambda *_: iter([forged]))
    made = rollout.judged()
    assert made.outcome is not None and made.outcome.decision is Decision.HOLD
    assert "06_phase1_10_percent, it was forged" in wrong(made)["chain.replayed"]


@pytest.mark.slow
def test_another_environment_with_users_is_in_no_line_of_it(rollout: Rollout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its records are checked with all others of the release, and prove, hold and cost nothing here."""
    kinds = {**PARAMS.policy.environments, "prod-us": "production"}
    policy = PARAMS.policy.model_copy(update={"environments": kinds})
    monkeypatch.setattr(sys.modules[__name__], "PARAMS", PARAMS.model_copy(update={"policy": policy}))
    rollout.whole()
    rollout.seal("06_phase1_10_percent", "prod-us", "ROLLBACK")
    theirs = Entry(kind="approval", item="07_phase2_50_percent", by="Theirs", role="lead", at="2025-06-20T03:00:00Z")
    flat = PARAMS.flat.model_copy(update={"env": "prod-us", "release": RELEASE})
    enter(rollout.archive, PARAMS.model_copy(update={"flat": flat}), theirs)
    made = rollout.judged()
    assert wrong(made) == {} and {record.env for record in made.records} == {"dev", "staging", "prod"}
    assert "prod-us" not in made.issues_table()._repr_html_() and "Theirs" not in made._summary()
    assert len(made._trusted) == len(made.records) + 2
