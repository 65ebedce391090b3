"""The worker's concurrency, raised and restored: reserved concurrency and the event source's maximum together.

A raise sets the reserve first, so that no receive is throttled in between (a throttled receive counts towards the
queue's redrive policy); a restore sets the maximum first, for the same reason. Lambda has no compare-and-set for
either: both are read again right before the first write, and the read-back shows what another operator changes
within that moment.
"""

from __future__ import annotations

from typing import Any, Literal

from runbook_lib.act.guard import Guard
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import Refused
from runbook_lib.judge import words
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.resources.workers import Workers, read_workers
from runbook_lib.params.load import Params

TRIES = 3
"""Attempts of a step back while somebody else writes the same setting."""


class ConcurrencyPlan(Frozen):
    """The settings to write, and the state that they depend on."""

    before: Workers
    reserved: int
    maximum: int | None
    """Target maximum; None: remove the event source's maximum (it had none before)."""
    raises: bool
    blockers: tuple[str, ...] = ()
    """Why the plan cannot be applied now; empty: it can."""
    notes: tuple[str, ...] = ()
    undo: str

    @property
    def todo(self) -> tuple[Literal["reserved", "maximum"], ...]:
        """The settings that still differ, in the order of writing."""
        order: tuple[Literal["reserved", "maximum"], ...] = ("reserved", "maximum")
        order = order if self.raises else ("maximum", "reserved")
        wanted = {"reserved": self.reserved, "maximum": self.maximum}
        return tuple(one for one in order if self.before.facts()[one] != wanted[one])

    def text(self) -> str:
        """The plan as text for a terminal."""
        before = self.before
        if not self.todo:
            return f"{before.function}: nothing to do, it has {words.count(self.reserved, 'worker')} already"
        lines = [f"{before.function}: {_said(before.in_force)} -> {words.count(self.reserved, 'worker')}"]
        steps = {
            "reserved": f"reserved concurrency {_said(before.reserved)} -> {self.reserved}",
            "maximum": f"MaximumConcurrency of the event source {_said(before.maximum)} -> {_said(self.maximum)}",
        }
        lines += [f"  {place}. {steps[one]}" for place, one in enumerate(self.todo, 1)]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  blocked: {blocker}" for blocker in self.blockers]
        return "\n".join([*lines, f"  undo: {self.undo}"])


def plan_raise(found: Workers, workers: int, *, keep_unreserved: int, back_to: int) -> ConcurrencyPlan:
    """The plan that lets `workers` workers run at a time. Pure.

    Args:
        keep_unreserved: executions that must stay unreserved in the account (AWS's own minimum is 100).
        back_to: the reserved concurrency that the undo restores.
    """
    blockers, notes = [], ["the LLM's rate limit does not grow with the workers: its errors are watched"]
    if found.reserved is None:
        blockers.append(
            f"nothing is reserved for {found.function}, so it may take up to {found.unreserved} executions as it is: "
            "more workers are not what is missing; reserving some would be a cut"
        )
    elif found.reserved > workers:
        blockers.append(f"{found.function} has {found.reserved} workers reserved, more than the {workers} to be set")
    else:
        left = found.unreserved - (workers - found.reserved)
        if left < keep_unreserved:
            blockers.append(
                f"{workers} workers would leave {left} unreserved executions to every other function of the account, "
                f"at least {keep_unreserved} must stay: ask AWS for a higher limit of the account"
            )
        notes.append(f"the account keeps {left} unreserved executions")
    if found.reserved == 0:
        notes.append("0 workers are reserved: somebody stopped the worker, find out why before it runs again")
    if found.state not in ("Enabled", "Enabling", "Updating", "Creating"):
        blockers.append(f"the event source is {found.state}: no worker takes a message, however many there may be")
    return ConcurrencyPlan(
        before=found,
        reserved=workers,
        maximum=workers,
        raises=True,
        blockers=tuple(blockers),
        notes=tuple(notes),
        undo=f"{back_to} workers again, once the queue is drained (this notebook proposes it)",
    )


def plan_lower(found: Workers, reserved: int, maximum: int | None) -> ConcurrencyPlan:
    """The plan that restores the settings. Pure."""
    return ConcurrencyPlan(
        before=found, reserved=reserved, maximum=maximum, raises=False, undo="raise it again by this notebook"
    )


def apply(plan: ConcurrencyPlan, client: Any, guard: Guard, params: Params) -> Workers:
    """Carries `plan` out, each setting as a change of its own, except those that are right; returns what was read last.

    It refuses a raise if anybody changed a setting since the plan, but not a step back
    (docs/domain.md, trap 16).

    Raises:
        Refused: not authorised; blocked; changed since the plan; or the read-back differs.
        AwsError: Lambda refused.
    """
    guard.authorise(plan.raises)
    if plan.raises and plan.blockers:
        raise Refused(plan.blockers[0], nothing_changed=True)
    now = read_workers(client, params, worker_called(params, plan.before.function))
    if plan.raises and now.facts() != plan.before.facts():
        meanwhile = f"{_settings(now)}, the plan read {_settings(plan.before)}"
        raise Refused(
            f"the concurrency of {now.function} was changed since the plan was made ({meanwhile}); run the notebook "
            "again and look at the new plan",
            nothing_changed=True,
        )
    for setting in plan.model_copy(update={"before": now}).todo:
        now = (_set if plan.raises else _insist)(setting, plan, now, client, guard, params)
    return now


def _insist(
    setting: Literal["reserved", "maximum"],
    plan: ConcurrencyPlan,
    now: Workers,
    client: Any,
    guard: Guard,
    params: Params,
) -> Workers:
    """Makes one setting; as a step back it is tried again if somebody else writes at the same moment."""
    for _ in range(TRIES - 1):
        try:
            return _set(setting, plan, now, client, guard, params)
        except Refused as error:
            guard.warn(f"{error}; it is a step back, and is tried again")
            now = read_workers(client, params, worker_called(params, now.function))
    return _set(setting, plan, now, client, guard, params)


def _set(
    setting: Literal["reserved", "maximum"],
    plan: ConcurrencyPlan,
    now: Workers,
    client: Any,
    guard: Guard,
    params: Params,
) -> Workers:
    wanted = plan.reserved if setting == "reserved" else plan.maximum
    seen: list[Workers] = []

    def do() -> None:
        if setting == "reserved":
            with aws_errors(f"reserving concurrency for {now.function} (lambda:PutFunctionConcurrency)"):
                client.put_function_concurrency(FunctionName=now.function, ReservedConcurrentExecutions=wanted)
            return
        with aws_errors(f"setting the maximum of the event source of {now.function} (lambda:UpdateEventSourceMapping)"):
            config = {} if wanted is None else {"MaximumConcurrency": wanted}
            client.update_event_source_mapping(UUID=now.mapping, ScalingConfig=config)

    def read_back() -> dict[str, int | None]:
        seen.append(read_workers(client, params, worker_called(params, now.function)))
        return seen[-1].facts()

    before = now.facts()[setting]
    title = "reserved concurrency" if setting == "reserved" else "MaximumConcurrency of the event source"
    later = "; or wait: this notebook proposes it, once drained" if plan.raises else ""
    change = guard.change(
        f"{title} of {now.function}",
        before={setting: before},
        after={setting: wanted},
        undo=f"set it to {_said(before)} again{later}",
        do=do,
        read_back=read_back,
        raises=plan.raises,
    )
    if not change.ok:
        raise Refused(
            f"{title} of {now.function} reads back as {_said(seen[-1].facts()[setting])}, {_said(wanted)} was written: "
            "somebody else writes it too; run the notebook again"
        )
    return seen[-1]


def worker_called(params: Params, function: str) -> str:
    """Key in `names` of the worker whose function has this name."""
    return next((post.worker for post in params.service.crew if params.name(post.worker) == function), "worker")


def _settings(found: Workers) -> str:
    return f"reserved {_said(found.reserved)}, maximum {_said(found.maximum)}"


def _said(value: int | None) -> str:
    return "none" if value is None else str(value)
