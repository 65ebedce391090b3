"""The command for a step of the rollout, and what to know before it is run."""

from __future__ import annotations

from dataclasses import dataclass

from runbook_lib.base.window import when
from runbook_lib.record.record import Record
from runbook_lib.rollout import approval, hints, people
from runbook_lib.rollout.come_back import Back
from runbook_lib.rollout.known import LOST, Known
from runbook_lib.rollout.rollbacks import made_at


@dataclass(frozen=True)
class Todo:
    """The command for a step, with a note."""

    command: str
    """Ready to be pasted; empty: there is nothing to do."""
    note: str = ""
    """What to know before the command is run."""
    answer: int = 0
    """Number of the rollback that the command runs; 0: none."""
    approver: str = ""
    """The role whose approval comes first; empty: none."""
    answered: int = 0
    """Number of the rollback that answered the step's decision, which is history since; 0: none."""
    applies: bool = False
    """Whether the command applies a plan that is in order."""


def todo_of(
    known: Known,
    notebook: str,
    env: str,
    state: str,
    newest: Record | None,
    decided: Record | None,
    back: Back,
) -> Todo:
    """The command for a step that has neither passed nor lacks a prerequisite.

    Args:
        newest, decided: the step's newest record, and the one that decides.
        back: when to come back to its soak.
    """
    attempt = known.attempt(notebook, env)
    run = hints.run(known.params, notebook, env=env, attempt=attempt)
    if state == "soaking":
        return Todo(run, back.soaking())
    if state == "hold":
        return _held(known, notebook, env, decided, run)
    if (first := _approval(known, notebook, env)) is not None:
        return first
    if newest and planned(newest) and newest.attempt >= (attempt or 0):
        line = hints.run(known.params, notebook, env=env, attempt=attempt, apply=True)
        return Todo(line, f"its plan of {at(newest)} is in order", applies=True)
    moment = known.seen.get(notebook)
    if decided and decided.decision == "SOAK" and not (moment and moment.name == "before"):
        return Todo(run, back.due())
    return Todo(run, f"read the plan, then add --apply --confirm {env}")


def _approval(known: Known, notebook: str, env: str) -> Todo | None:
    """What comes before a shift that needs approval: the approval, or a new record for it to be based on.

    None: no approval is needed, all are given, or the shift has been made.
    """
    phase, moment = known.params.policy.phases.get(notebook), known.seen.get(notebook)
    if phase is None or not phase.approvers or env != known.params.env or (moment and moment.name != "before"):
        return None
    params = known.params_of(notebook)
    if _stands_on_pending(known, notebook):  # an unsealed record cannot have been approved
        found: approval.Missing | None = approval.Missing(phase.approvers, None)
    else:
        found = approval.missing(people.Asked(notebook, params, known.archive, known.now), phase.approvers)
    if found is None or not found.roles:
        return None
    if found.old is not None:
        before, _, where = found.old.requires.partition("@")
        told = f"{found.old.told} is too old to be approved (gates.yaml, approvals.max_age_h): look again, then approve"
        return Todo(hints.run(params, before, env=where), told)
    role = found.roles[0]
    return Todo(people.command("approve", notebook, role, params), f"the {role} has to approve it first", approver=role)


def _stands_on_pending(known: Known, notebook: str) -> bool:
    """Whether the phase's approval will be based on the run that is about to be sealed."""
    now = known.pending
    wanted = known.steps[notebook].requires
    found = [known.findings[one] for one in wanted if one in known.findings]
    return now is not None and any(one.ok and one.record == now.run_id for one in found)


def _held(known: Known, notebook: str, env: str, decided: Record | None, run: str) -> Todo:
    """What to do about a hold. Async is turned off only where that still has an effect (trap 19).

    After the migration rollback 1 brings the synchronous route back by the infrastructure's command. That is for the
    last phase only, since earlier phases are over by then.
    """
    here, rolled_back = env == known.params.env, decided is not None and decided.decision == "ROLLBACK"
    if decided is not None and rolled_back and not here:
        return Todo(hints.status(known.params, env), f"{notebook} says ROLLBACK; see the weight there")
    moment = known.seen.get(notebook) if here else None
    lost = moment is not None and moment.name in LOST
    scenario = str((decided.outcome or {}).get("scenario") or "") if decided and rolled_back else ""
    last = notebook == known.params.policy.migrating
    if decided and rolled_back and scenario in ("rollback_2", "rollback_3") and known.state.weight > 0 and not lost:
        number = int(scenario[-1])
        if known.rollbacks.done(number, made_at(decided)):
            said = f"look again: rollback {number} is done since it said {decided.told.word}"
            return Todo(run, said, answered=number)
        return _roll_back(known, number, f"{decided.told.reason}")
    unanswered = (rolled_back or lost) and not known.answered(decided if rolled_back else None, moment)
    if unanswered and (last or not known.state.migrated):
        off = "" if known.state.weight else "it proves that async is off, and turns both flags off"
        return _roll_back(known, 1, off)
    if notebook in known.params.policy.phases and (rolled_back or lost or known.gone(notebook, env)):
        return _again(known, notebook, env)
    return Todo(run, "once the cause of the hold is fixed")


def _roll_back(known: Known, number: int, note: str) -> Todo:
    return Todo(hints.rollback(known.params, number), note, number)


def _again(known: Known, notebook: str, env: str) -> Todo:
    """A new attempt from the weight at which the phase begins; at another weight rollback 1 first, where it can act."""
    begins, weight = known.params.policy.phases[notebook].before_percent, known.state.weight
    if weight not in (0, begins) and not known.state.migrated:
        return _roll_back(known, 1, f"the weight is {weight:g} %, and a new attempt begins at {begins:g} %")
    decided = known.records(notebook, env)[1]
    base = decided.attempt + 1 if decided else known.params.attempt
    moment = known.seen.get(notebook)
    if moment and moment.name in LOST:
        base = (known.attempt(notebook, env) or known.params.attempt) + 1
    again = hints.run(known.params, notebook, env=env, attempt=max(known.params.attempt, base))
    return Todo(again, "only when the cause is fixed")


def at(record: Record) -> str:
    """Time of the record, in words."""
    return when(made_at(record))


def planned(record: Record | None) -> bool:
    """Whether a record is a plan that can be applied."""
    return record is not None and (record.mode, record.status, record.decision) == ("plan", "completed", "PLANNED")
