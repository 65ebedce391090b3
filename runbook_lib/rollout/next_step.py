"""The next step of a rollout, from one function for every screen: status, watch, notebooks and their reports.

It follows from the traffic (AWS), the records (phases, rollbacks, the run that is about to be sealed), open changes and
open deviations. Its order: a change that nobody has read back, async off where it must be, a rollback that is not
proven or that proves what AWS took back by itself, what is held, what is due, what soaks, an open deviation.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

from runbook_lib.base.errors import Exit
from runbook_lib.judge import words
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import Params
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Record
from runbook_lib.rollout import hints, under_way
from runbook_lib.rollout import moment as moments
from runbook_lib.rollout.deviations import open_deviations, rows
from runbook_lib.rollout.known import Known
from runbook_lib.rollout.moment import Moment
from runbook_lib.rollout.open_changes import OpenChange, open_changes
from runbook_lib.rollout.progress import Line, Rollout
from runbook_lib.rollout.rollbacks import Unfinished

Kind = Literal["change", "rollback", "hold", "approval", "due", "soaking", "deviation", "nothing"]
_EXIT: dict[Kind, Exit] = {"change": Exit.HOLD, "rollback": Exit.ROLLBACK, "hold": Exit.HOLD}


@dataclass(frozen=True)
class Next:
    """The one thing to do next."""

    kind: Kind
    command: str
    """The command, ready to be pasted; empty: there is nothing to do."""
    words: str
    """Why and when, in sentences."""
    step: str = ""
    """The step that it is about, as `notebook@environment`."""
    beside: str = ""
    """The words without the reason, for a screen that shows the reason in the step's own line."""
    rollback: int = 0
    """Number of the rollback that the command runs; 0: none."""
    applies: bool = False
    """Whether the command applies a plan that is in order."""

    @property
    def exit_code(self) -> int:
        """Exit code of `runbook status`, as its help lists them."""
        return int(_EXIT.get(self.kind, Exit.OK))


@dataclass(frozen=True)
class Standing:
    """Where a rollout stands, and what is next."""

    next: Next
    lines: tuple[Line, ...]
    open_changes: tuple[OpenChange, ...]
    unfinished: Unfinished | None
    deviations: tuple[dict[str, Any], ...]


def standing(
    params: Params,
    archive: Archive,
    state: traffic.TrafficState,
    now: dt.datetime,
    pending: Record | None = None,
    seen: dict[str, Moment] | None = None,
) -> Standing:
    """Where the release of `params` stands, and what is next.

    Args:
        state: the traffic in the environment of `params`.
        now: AWS's clock, UTC.
        pending: a run that is about to be sealed; it counts as sealed.
        seen: the moment of each phase by notebook; None: they follow from `state`.
    """
    params = params if pending is None else hints.filed(params)
    known = Known(params, archive, state, {} if seen is None else seen, now, pending)
    if seen is None:
        known.seen = _moments(known)
    closes = pending.notebook if pending is not None and not pending.open_changes else None
    left = tuple(one for one in open_changes(params, archive, known.dead) if one.notebook != closes)
    lines, unfinished = Rollout(known).lines(), known.rollbacks.unfinished()
    deviations = tuple(rows(open_deviations(archive, params.env)))
    found = _first(params, state, lines, left, unfinished, deviations, now)
    if found.rollback == 1 and (other := under_way.other_release(state, params)) is not None:
        told = f"{other} is under way, and rollback 1 would end it: see what is next there"
        found = Next("hold", hints.status(under_way.params_of(other, params), params.env), words.sentence(told))
    return Standing(found, lines, left, unfinished, deviations)


def _moments(known: Known) -> dict[str, Moment]:
    """The moment of each phase of the environment in its present attempt, by notebook."""
    params = known.params
    found = {}
    for notebook, phase in params.policy.phases.items():
        if params.env in params.policy.steps[notebook].envs:
            found[notebook] = moments.which(known.state, known.params_of(notebook), notebook, phase, known.now)
    return found


def _first(
    params: Params,
    state: traffic.TrafficState,
    lines: tuple[Line, ...],
    left: tuple[OpenChange, ...],
    unfinished: Unfinished | None,
    deviations: tuple[dict[str, Any], ...],
    now: dt.datetime,
) -> Next:
    if left:
        return Next("change", left[0].next, f"{left[0].words}: it asks AWS what is in force, and goes on from there")
    urgent = next((line for line in lines if line.answer == 1), None)
    if urgent is not None and (state.weight > 0 or unfinished is None):  # whatever holds an earlier step
        return _of(urgent)
    if unfinished is not None:
        waits = unfinished.back is not None and unfinished.back > now
        at = f"; run it again at {words.instant(unfinished.back)}" if waits else "; run it again"
        kind: Kind = "soaking" if waits else "hold" if unfinished.held else "rollback"
        number, told = unfinished.number, words.sentence(f"{_bare(unfinished.words)}{at}")
        return Next(kind, hints.rollback(params, number), told, rollback=number)
    for wanted in ("hold", "due", "soaking"):
        for line in lines:
            if line.state == wanted:
                return _of(line)
    if deviations:
        one = deviations[0]
        set_to, was = words.setting(one["now"]), words.setting(one["was"])
        told = f"{one['setting']} is still {set_to}, by the code {was}: undo it, or adopt it into the code"
        return Next("deviation", hints.undo(params, one["check"]), words.sentence(told))
    return Next("nothing", "", "Nothing is due.")


def _of(line: Line) -> Next:
    kind: Kind = "rollback" if line.answer else "approval" if line.approver else _KINDS[line.state]
    told = "; ".join(_bare(part) for part in (line.words, line.note) if part)
    if line.answered:  # what it said is history: its reason stands in the step's own line and record
        told = _bare(line.note)
    where, note = f"{line.notebook} in {line.env}", _bare(line.note)
    note = note or (f"rollback {line.answer} answers it" if line.answer else "")
    full, beside = (words.sentence(f"{where}: {said}" if said else where) for said in (told, note))
    step = f"{line.notebook}@{line.env}"
    return Next(kind, line.command, full, step, beside, rollback=line.answer, applies=line.applies)


_KINDS: dict[str, Kind] = {"hold": "hold", "due": "due", "soaking": "soaking"}


def _bare(text: str) -> str:
    return text.rstrip(" .;")


def told(outcome: Outcome, pending: Record, found: Next, params: Params | None = None) -> Outcome:
    """The outcome of the run that is about to be sealed, with the next step and its command.

    The run's own advice stays where it is about that command; else the words of the next step replace it, after what
    is still to be done with this run.

    Args:
        params: of the run: with them a HOLD that leaves it to people to roll back has that command, too.
    """
    off = hints.rollback_1(params) if params is not None else ""
    said, command = outcome.next, _command(found.command)
    if outcome.command == found.command and said.endswith(f"{found.words}{command}"):
        return outcome  # it has these words already
    own = said.removesuffix(_choice(outcome.command, off)).removesuffix(_command(outcome.command))
    agrees = _agrees(outcome, pending, found)
    if agrees and off and outcome.decision is Decision.HOLD and outcome.scenario == "rollback_1":
        command = command if found.rollback == 1 else _choice(found.command, off)
    then = own if agrees else f"{_besides(outcome, pending, found, own)}{found.words}"
    return outcome.model_copy(update={"next": f"{then}{command}", "command": found.command})


def _agrees(outcome: Outcome, pending: Record, found: Next) -> bool:
    """Whether the run's own advice is about the command of `found`."""
    if found.kind == "nothing":
        return True
    answer = int(outcome.scenario[-1]) if outcome.scenario is not None else 0
    if answer and found.kind == "rollback" and found.rollback == answer:
        return True
    if outcome.decision is Decision.PROMOTE or (answer == 1 and outcome.decision is Decision.ROLLBACK):
        return False  # it is about what comes after, or was answered already
    if pending.notebook.startswith("rollback_"):
        return found.rollback == int(pending.notebook.split("_")[1])
    if outcome.decision is Decision.PLANNED and not found.applies:
        return False  # a plan's advice is how to apply it, but the command plans anew
    return found.kind not in ("rollback", "approval") and found.step == f"{pending.notebook}@{pending.env}"


def _besides(outcome: Outcome, pending: Record, found: Next, own: str) -> str:
    """The run's own advice as a first sentence, where it is still to be followed beside the next step; else empty."""
    passed = outcome.decision is Decision.PROMOTE and not pending.notebook.startswith("rollback_")
    answered = outcome.scenario == "rollback_1" and outcome.decision is Decision.ROLLBACK
    if found.kind not in ("approval", "due", "soaking", "deviation") or found.rollback or passed or answered:
        return ""  # nothing is done beside a rollback that is not proven
    if found.step == f"{pending.notebook}@{pending.env}":
        return ""
    return f"{own} {'Until then' if outcome.decision is Decision.SOAK else 'Of the rollout'}: "


def _command(command: str) -> str:
    return f" The command: `{command}`" if command else ""


def _choice(command: str, off: str) -> str:
    return f" The rollback: `{off}` To look again: `{command}`" if command else ""
