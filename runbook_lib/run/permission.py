"""Whether a run may go on and, to apply, may change AWS: a table for the reader, or a refusal; and whether it runs with
what it was given, and which names of that are no parameters.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.base.errors import ArchiveError, Refused, UsageError
from runbook_lib.base.nearest import close
from runbook_lib.base.window import when
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.params.load import FLAT_NAMES
from runbook_lib.record.given import assigned, literals
from runbook_lib.record.predecessors import predecessors
from runbook_lib.rollout import moment
from runbook_lib.show.tables import where_table
from runbook_lib.show.verdicts import predecessors_table

if TYPE_CHECKING:
    from runbook_lib.run.run import Run


def to_change(run: Run) -> None:
    """Checks what a run was begun with, before it asks AWS; nothing of it stops a rollback that lowers exposure.

    Raises:
        UsageError: to apply, a name was given that is no parameter.
        ArchiveError: to apply, papermill's engine could not write the archive and took another one: the next run would
            find no record of what was changed, as by hand, where such a run does not begin.
    """
    if not run.applying or run.journal.lenient:
        return
    if run.unknown:
        raise UsageError(run.unknown[0], nothing_changed=True)
    if run.staging.parent.resolve() != run.archive.staging.resolve():
        named = f"the archive {run.archive.root} cannot be written, and this run's record would be in another one"
        raise ArchiveError(f"{named}: only a rollback to the old side goes on without it", nothing_changed=True)


def judged_at(run: Run) -> dt.datetime:
    """The instant that a run judges by: the given `as_of`, else AWS's clock.

    Raises:
        UsageError: `as_of` lies in the future. A rollback that lowers exposure takes AWS's clock then, and warns.
    """
    params, now = run.params, run.identity.now
    given = dt.datetime.fromisoformat(params.as_of).astimezone(dt.UTC) if params.as_of else now
    if given <= now + dt.timedelta(seconds=params.policy.as_of_tolerance_s):
        return given
    told = f"as_of is {when(given)}, which lies in the future; it is {when(now)}"
    if not run.journal.lenient:
        raise UsageError(told, nothing_changed=True)
    run.warn(f"{told}, and this run judges by that")
    run.params = params.model_copy(update={"flat": params.flat.model_copy(update={"as_of": ""})})
    return now


def by_its_predecessors(run: Run) -> Any:
    """Checks the predecessors' records; shows them as a table.

    A fault in one stops no phase with async traffic: the phase may have to turn it off (docs/domain.md, trap 16).
    The guard then refuses everything that raises exposure.

    Raises:
        Refused: to apply, a predecessor is missing, altered or did not promote; or the clock is wrong.
        UsageError: this notebook is not for this environment; or, to apply, `confirm` does not repeat it.
    """
    params, step = run.params, run.params.policy.steps[run.notebook]
    if params.env not in step.envs:
        only = f"env is '{params.env}', but {run.notebook} is applied in {', '.join(step.envs)} only"
        # A plan that nobody may apply is useless; but by hand, a notebook runs with its own defaults, to be looked at.
        if run.applying or run.origin != "interactive":
            raise UsageError(only, nothing_changed=True)
        run.warn(f"{only}: this plan can be looked at, not carried out")
    findings = predecessors(run.archive, step.requires, params.release)
    later = predecessors(run.archive, step.requires_to_shift, params.release)
    run.missing_to_shift = [finding.sentence for finding in later if not finding.ok]
    found = [finding.as_dict() for finding in (*findings, *later)]
    run.journal.append("predecessors", findings=found)
    if run.applying:
        run.guard.authorise(raises=True)
        missing = [finding.sentence for finding in findings if not finding.ok]
        run.guard.concerns += missing
        if missing and not _may_lower(run):
            raise Refused(missing[0], nothing_changed=True)
    return predecessors_table(found, run.notebook)


def to_roll_back(run: Run) -> Any:
    """Checks a rollback, which has no predecessors: it needs only account and confirmation (docs/domain.md, trap 16).

    Raises:
        UsageError: to apply, `confirm` does not repeat the environment.
    """
    rollback = run.params.policy.rollbacks[run.notebook]
    if run.applying:
        run.guard.authorise(raises=False)
    damage = run.archive.chain(run.params.env, run.params.release, run.notebook).tip()[1]
    if damage:
        run.guard.warn(f"the chain before this record is damaged: {damage}; that does not stop a rollback")
    confirmed = f"'{run.params.confirm}' repeats the environment" if run.applying else "not needed: mode is plan"
    rows = {
        "Account": f"{run.identity.account} is the one in the parameters",
        "Confirmation": confirmed,
        "Predecessors": "none: a rollback waits for no record",
        "Time limit": f"{rollback.limit_min:g} min from the decision to the effect",
    }
    return where_table(rows | ({"Warnings": "; ".join(run.guard.warnings)} if run.guard.warnings else {}))


def _may_lower(run: Run) -> bool:
    """Whether this notebook may have exposure to lower: a phase that has shifted, with the switch or dial on."""
    phase = run.params.policy.phases.get(run.notebook)
    if phase is None:
        return False
    state, _ = weights.read_or_nothing(run.aws, run.params)
    begun = moment.which(state, run.params, run.notebook, phase, run.now).name not in ("before", "over")
    return begun and (state.switch_on or state.dial_percent > 0)


_INJECTED = "# Parameters"
"""First line of the cell that papermill injects."""


def as_given(namespace: Mapping[str, Any]) -> None:
    """Checks that the parameters that papermill was given are those of the kernel: without the tag of the parameters
    cell papermill puts them before it, and a copy of that cell comes behind them. Such a "plan" changed production.

    Args:
        namespace: see `unknown_parameters`.

    Raises:
        UsageError: a cell has set one of them again.
    """
    given: dict[str, Any] = {}
    for source in namespace.get("In", ()):
        if source.startswith(_INJECTED):
            given = literals(source)
    for name in (one for one in given if one in FLAT_NAMES):
        if namespace.get(name) != given[name]:
            raise UsageError(
                f"{name} is {namespace.get(name)!r} here, but {given[name]!r} was given: a cell sets it again "
                f"behind the cell '{_INJECTED}', or the cell with the parameters lacks its tag 'parameters'",
                nothing_changed=True,
            )


def unknown_parameters(namespace: Mapping[str, Any]) -> list[str]:
    """A sentence for each name that a parameters cell sets and that is no parameter: papermill accepts `-p atempt 2`,
    and the run goes on as attempt 1.

    Args:
        namespace: a notebook's `globals()`; its `In` has the cells: papermill's counts, and each one that sets a
            parameter.
    """
    said: dict[str, str] = {}
    for source in namespace.get("In", ()):
        names = [name for name, _ in assigned(source)]
        if source.startswith(_INJECTED) or any(name in FLAT_NAMES for name in names):
            said |= {name: _unknown(name) for name in names if name not in FLAT_NAMES and not name.startswith("_")}
    return list(said.values())


def _unknown(name: str) -> str:
    near = close(name, FLAT_NAMES)
    return f"'{name}' is not a parameter and has no effect" + (f"; {near}" if near else "")
