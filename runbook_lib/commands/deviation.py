"""`runbook deviation undo`: restores a setting that a mitigation changed, with a record of its own.

Less concurrency lowers exposure, so only account and confirmation can stop it; returning a table to on demand is
limited, and depends on what is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib.act import billing, concurrency
from runbook_lib.act.guard import Guard
from runbook_lib.base.aws import Aws
from runbook_lib.base.errors import Refused, UsageError
from runbook_lib.base.window import iso
from runbook_lib.judge.incidents.capacity import Units
from runbook_lib.judge.incidents.deviation import Deviation
from runbook_lib.observe.api_address import reached
from runbook_lib.observe.resources import billing as table
from runbook_lib.observe.resources import workers
from runbook_lib.params.load import Params, load_file
from runbook_lib.record.archive import Archive
from runbook_lib.rollout import deviations
from runbook_lib.rollout.deviations import BILLING, UNITS_BEFORE
from runbook_lib.run.command import CommandRun
from runbook_lib.steps.rollbacks.queue_backlog_seen import maximum, reserved, worker_settings

NOTEBOOK = "deviation"
"""The chain of these records, beside those of the notebooks."""
WAIT_S = 900.0


def together(params: Params) -> dict[str, tuple[str, ...]]:
    """Settings that are undone together, by each of them."""
    return {
        **{one: worker_settings(post) for post in params.service.crew for one in worker_settings(post)},
        BILLING: (BILLING,),
    }


@dataclass(frozen=True)
class Undone:
    """The result of the command, or its plan."""

    applied: bool
    sentence: str
    record: str | None

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON, for `--json`."""
        return asdict(self)


def undo(file: Path, values: Mapping[str, Any], id: str) -> Undone:
    """Undoes the open deviation of check `id`; in plan mode says what it would do.

    Args:
        file: flat parameter file.
        values: overrides, among them `mode` and `confirm`.

    Raises:
        UsageError: no such deviation is open, a person adopted one that is undone together with it, or the parameters
            or the account are wrong.
        Refused: not authorised; or the read-back differs.
        AwsError: AWS refused or did not answer.
    """
    params = load_file(file, values, incident=True)
    archive = Archive.of(params)
    found = _of(deviations.open_deviations(archive, params.env), id, params)
    if beside := deviations.adopted(archive, params.env, together(params)[id]):
        raise UsageError(
            f"deviation '{id}': it is undone together with {beside}: adopt this one too, or put both back by the "
            "infrastructure code and then adopt this one"
        )
    params, aws, identity = reached(params, incident=True)
    plan = _plan(aws, params, found)
    if params.mode != "apply":
        return Undone(False, f"nothing was changed; apply would do this: {plan.text()}", None)
    with CommandRun(params, NOTEBOOK, aws, identity) as record:
        guard = record.guard
        sentence = _carry_out(aws, params, guard, plan)
        deviations.close(archive, params, found, "undone", by=guard.who, at=iso(guard.now), arn=identity.arn)
        record.say(sentence)
    return Undone(True, sentence, record.folder)


def not_open(id: str, known: Iterable[str]) -> str:
    """The sentence that no deviation with that id is open, and which ones are."""
    there = ", ".join(known)
    return f"deviation '{id}': it is not open; " + (f"open are: {there}" if there else "none is open")


def _of(known: Mapping[str, Deviation], id: str, params: Params) -> dict[str, Deviation]:
    if id not in known:
        raise UsageError(not_open(id, known))
    undone = together(params)
    if id not in undone:
        raise UsageError(f"deviation '{id}': this command cannot undo it; undo it by hand, then adopt or close it")
    return {one: known[one] for one in undone[id] if one in known}


def _plan(
    aws: Aws, params: Params, found: Mapping[str, Deviation]
) -> concurrency.ConcurrencyPlan | billing.BillingPlan:
    if BILLING in found:
        throttling = params.policy.rollbacks["rollback_3_dynamodb_throttling"].throttling
        assert throttling is not None  # noqa: S101
        was, seen = found[BILLING].was, table.read_billing(aws.client("dynamodb"), params)
        if was == table.ON_DEMAND:
            return billing.plan_on_demand(seen, backs_a_day=throttling.backs_a_day)
        before = found[BILLING].facts.get(UNITS_BEFORE)
        if not before:
            raise UsageError(
                f"the table was {was} before, and its record does not say which units it had: set them by the "
                "infrastructure code, then adopt that"
            )
        return billing.plan_units_back(seen, {name: Units.model_validate(one) for name, one in before.items()})
    post = next(one for one in params.service.crew if found.keys() & set(worker_settings(one)))
    now = workers.read_workers(aws.client("lambda"), params, post.worker)
    before = {id: one.was for id, one in found.items()}
    back = int(before.get(reserved(post)) or post.concurrency)
    return concurrency.plan_lower(now, back, before.get(maximum(post), now.maximum))


def _carry_out(aws: Aws, params: Params, guard: Guard, plan: concurrency.ConcurrencyPlan | billing.BillingPlan) -> str:
    if isinstance(plan, concurrency.ConcurrencyPlan):
        after = concurrency.apply(plan, aws.client("lambda"), guard, params)
        return f"{after.function} has {after.reserved} workers again; the deviation is closed"
    seen = billing.apply(plan, aws.client("dynamodb"), guard, params, wait_s=WAIT_S)
    if not seen.active:
        raise Refused(f"{seen.table} is still {seen.status}: run this command again when it is ACTIVE")
    units = "".join(f", {name} {one}" for name, one in seen.units.items())
    return f"{seen.table} is {seen.mode} again{units}; the deviation is closed"
