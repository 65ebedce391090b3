"""Where each step of the rollout stands, in every environment that it needs, and the command that takes it on.

Asks AWS nothing: it is told the records, the traffic of one environment, and the moments of its phases.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.window import parse
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import Params
from runbook_lib.params.policy import PhaseStep
from runbook_lib.record.archive import Archive
from runbook_lib.record.chain import Finding, predecessors
from runbook_lib.record.record import Record
from runbook_lib.rollout.moment import Moment

State = Literal["passed", "due", "soaking", "hold", "missing"]
"""`soaking`: nothing to do before `due`; `missing`: not passed, and something that it needs has not passed either."""


@dataclass(frozen=True)
class Line:
    """One notebook of the rollout in one environment."""

    notebook: str
    env: str
    title: str
    state: State
    moment: str
    """Where the soak stands by AWS; empty where there is none, or in another environment than the file's."""
    words: str
    """Why it is in that state, in a sentence; empty where it passed."""
    last: str
    """Decision (or status) of the newest sealed record, empty if there is none."""
    last_at: str
    due: str
    """When to come back; empty if nothing is due at a given time."""
    command: str
    """The command that takes it on; empty if there is nothing to do."""


def needed(steps: Mapping[str, PhaseStep]) -> list[tuple[str, str]]:
    """(notebook, environment) of all that the steps which no other names, the last ones, need; each after its needs."""
    named = {one for step in steps.values() for one in (*step.requires, *step.requires_to_shift)}
    notebooks = {one.partition("@")[0] for one in named}
    found: dict[tuple[str, str], None] = {}
    entered: set[str] = set()

    def enter(one: str) -> None:
        notebook, _, env = one.partition("@")
        if one in entered or notebook not in steps:
            return
        entered.add(one)
        for before in (*steps[notebook].requires, *steps[notebook].requires_to_shift):
            enter(before)
        found[(notebook, env)] = None

    for name, step in steps.items():
        for env in step.envs:
            if name not in notebooks:
                enter(f"{name}@{env}")
    return list(found)


def following(lines: Sequence[Line]) -> str:
    """The next command: what is held goes before what is due, what is due before what can wait."""
    for state in ("hold", "due", "soaking"):
        for line in lines:
            if line.state == state:
                return line.command
    return "nothing is due"


class Rollout:
    """The steps of one release as its archive shows them, with the traffic of one environment.

    Args:
        params: of the environment that AWS was asked in.
        file: where `params` come from.
        state: its traffic.
        seen: notebook to the moment of its phase there.
        now: AWS's clock, UTC.
    """

    def __init__(
        self,
        params: Params,
        archive: Archive,
        file: Path,
        state: traffic.TrafficState,
        seen: Mapping[str, Moment],
        now: dt.datetime,
    ) -> None:
        self.params, self.archive, self.file = params, archive, file
        self.state, self.seen, self.now = state, seen, now
        self.steps = params.policy.steps
        self.needed = needed(self.steps)
        names = [f"{notebook}@{env}" for notebook, env in self.needed]
        self.findings = dict(zip(names, predecessors(archive, names, params.release), strict=True))

    def lines(self) -> tuple[Line, ...]:
        """A line for each step that is needed, each after what it needs."""
        return tuple(self._line(notebook, env) for notebook, env in self.needed)

    def _line(self, notebook: str, env: str) -> Line:
        newest, decided = self._records(notebook, env)
        moment = self.seen.get(notebook) if env == self.params.env else None
        state, words, back = self._state(notebook, env, newest, decided, moment)
        return Line(
            notebook=notebook,
            env=env,
            title=self.steps[notebook].title,
            state=state,
            moment=moment.name if moment else "",
            words=words,
            last=_decision(newest) if newest else "",
            last_at=_at(newest) if newest else "",
            due=said(back) if back else "",
            command=self._command(notebook, env, state, newest, decided, back),
        )

    def _records(self, notebook: str, env: str) -> tuple[Record | None, Record | None]:
        """The newest record, and the one that decides; None where there is none, or it cannot be read."""
        refs = self.archive.records(env, self.params.release, notebook)
        wanted = self.findings[f"{notebook}@{env}"].record
        decides = next((ref for ref in refs if ref.run_id == wanted), None)
        return (_loaded(self.archive, refs[-1] if refs else None), _loaded(self.archive, decides))

    def _state(
        self, notebook: str, env: str, newest: Record | None, decided: Record | None, moment: Moment | None
    ) -> tuple[State, str, dt.datetime | None]:
        """State, why, and when to come back."""
        finding = self.findings[f"{notebook}@{env}"]
        lost = moment is not None and moment.name in ("taken_back", "void")
        if moment and lost and (not finding.ok or self._builds_on(notebook, env)):
            return "hold", moment.words, None
        if finding.ok:
            return "passed", "", None
        if finding.record is not None:
            return self._recorded(finding, newest, decided, moment)
        if moment and moment.name in ("during", "after"):
            back = moment.come_back_at if moment.name == "during" else None
            return _soak(f"{moment.words}; this archive has no record of the shift", back, self.now)
        return self._not_yet(notebook, env)

    def _builds_on(self, notebook: str, env: str) -> bool:
        """Whether a phase that has not passed yet begins at the weight of this one."""
        phases = self.params.policy.phases
        weight = phases[notebook].percent
        return any(
            phase.before_percent == weight
            and f"{name}@{env}" in self.findings
            and not self.findings[f"{name}@{env}"].ok
            for name, phase in phases.items()
        )

    def _recorded(
        self, finding: Finding, newest: Record | None, decided: Record | None, moment: Moment | None
    ) -> tuple[State, str, dt.datetime | None]:
        """By a record that decides, and does not promote."""
        if decided is None or finding.sealed_at is None or decided.open_changes:
            return "hold", finding.sentence, None
        if decided.decision == "SOAK":
            return self._soaking(decided, moment)
        if decided.env == self.params.env and self.params.attempt > decided.attempt:
            return "due", f"attempt {decided.attempt} was {decided.decision}; {self.params.attempt} may begin", None
        if decided.decision == "HOLD" and _planned(newest):
            return "due", "it was held, and the plan made since is in order", None
        return "hold", str((decided.outcome or {}).get("reason") or finding.sentence), None

    def _soaking(self, decided: Record, moment: Moment | None) -> tuple[State, str, dt.datetime | None]:
        told = (decided.outcome or {}).get("come_back_at")
        back = parse(str(told)) if told else None
        words = str((decided.outcome or {}).get("reason") or "").removeprefix("SOAK: ")
        if moment and moment.name == "before":
            return "due", moment.words, None
        if moment and moment.name == "during":
            back, words = moment.come_back_at or back, moment.words
        return _soak(words, back, self.now)

    def _not_yet(self, notebook: str, env: str) -> tuple[State, str, None]:
        waits = self._waits(notebook, env)
        ready = "deployed, with no traffic; " if self._deployed(f"{notebook}@{env}") else ""
        return ("missing", f"{ready}waits for {waits}", None) if waits else ("due", f"{ready}may be run now", None)

    def _waits(self, notebook: str, env: str) -> str:
        """The first missing prerequisite; empty if nothing is missing."""
        one, step = f"{notebook}@{env}", self.steps[notebook]
        wanted = (*step.requires, *(step.requires_to_shift if self._deployed(one) else ()))
        missing = next((before for before in wanted if not self.findings[before].ok), "")
        # What only a shift asks for looks at resources that the shifting notebook deploys.
        hosts = [f"{name}@{env}" for name, other in self.steps.items() if one in other.requires_to_shift]
        closed = next((host for host in hosts if not self._deployed(host)), "")
        return missing or (f"{closed} to deploy" if closed else "")

    def _deployed(self, one: str) -> bool:
        """Whether an applied run of that step came to its end: it deploys first, and shifts at a later run."""
        if one in self.findings and self.findings[one].ok:
            return True
        notebook, _, env = one.partition("@")
        if not self.steps[notebook].requires_to_shift:
            return False
        kept = (_loaded(self.archive, ref) for ref in self.archive.records(env, self.params.release, notebook))
        done = ("PLANNED", "SOAK")
        return any(
            record is not None and record.mode == "apply" and record.status == "completed" and record.decision in done
            for record in kept
        )

    def _command(
        self,
        notebook: str,
        env: str,
        state: State,
        newest: Record | None,
        decided: Record | None,
        back: dt.datetime | None,
    ) -> str:
        if state in ("passed", "missing"):
            return ""
        file = self._file(env)
        run, apply = f"runbook run {notebook} --params {file}", f"--apply --confirm {env}"
        if state == "soaking":
            when = f"the verdict is due at {said(back)}" if back else "the verdict is not due yet"
            return f"{run}   (an interim look is always safe; {when})"
        if state == "hold":
            return self._held(notebook, env, decided, run)
        if newest and _planned(newest):
            return f"{run} {apply}   (its plan of {_at(newest)} is in order)"
        return f"{run}   (read the plan, then add {apply})"

    def _held(self, notebook: str, env: str, decided: Record | None, run: str) -> str:
        """What to do about a hold. Async is turned off only where that still turns anything off (trap 19).

        After the migration rollback 1 has the infrastructure bring the synchronous route back: for the last phase only,
        since whatever an earlier one said is over by then.
        """
        here, rolled_back = env == self.params.env, decided is not None and decided.decision == "ROLLBACK"
        if rolled_back and not here:
            return f"runbook status --params {self._file(env)}   ({notebook} says ROLLBACK; see the weight there)"
        scenario = str((decided.outcome or {}).get("scenario") or "") if decided and rolled_back else ""
        if scenario not in ("", "rollback_1"):
            return f"{run}   (it answered {scenario}, not by turning async off; see its record first)"
        last = notebook == list(self.params.policy.phases)[-1]
        if rolled_back and self.state.weight > 0 and (last or not self.state.migrated):
            return f"runbook rollback 1 --params {self._file(env)} --apply --confirm {env}"
        moment = self.seen.get(notebook) if here else None
        if rolled_back or (moment and moment.name in ("taken_back", "void")):
            again = max(self.params.attempt, decided.attempt if decided else 1) + 1
            return f"{run} --set attempt={again}   (only when the cause is mended)"
        return f"{run}   (once the cause of the hold is mended)"

    def _file(self, env: str) -> str:
        """The parameter file of an environment: beside the one given, named like it."""
        if env == self.params.env:
            return str(self.file)
        name = self.file.name.replace(self.params.env, env, 1)
        beside = self.file.with_name(name if name != self.file.name else f"{env}.yaml")
        return str(beside) if beside.is_file() else f"<the parameters of {env}>"


def _soak(words: str, back: dt.datetime | None, now: dt.datetime) -> tuple[State, str, dt.datetime | None]:
    return ("soaking" if back and back > now else "due"), words, back


def _decision(record: Record) -> str:
    return record.decision if record.status == "completed" and record.decision else record.status


def _at(record: Record) -> str:
    return (record.as_of or record.sealed_at)[:16]


def _planned(record: Record | None) -> bool:
    """A plan that can be applied."""
    return record is not None and (record.mode, record.status, record.decision) == ("plan", "completed", "PLANNED")


def _loaded(archive: Archive, ref: Any) -> Record | None:
    try:
        return archive.load(ref) if ref else None
    except ArchiveError:
        return None


def said(at: dt.datetime) -> str:
    """An instant (UTC) as it is shown."""
    return f"{at:%Y-%m-%d %H:%M} UTC"
