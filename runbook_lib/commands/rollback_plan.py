"""What `runbook rollback 1` would do, and the form in which it and the rollback itself are told."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib.act.traffic.off import new_side
from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.base.foreign import word
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.rollout.way_back import instead, sync_gone


@dataclass(frozen=True)
class RolledBack:
    """The result of the command, or its plan."""

    applied: bool
    weight_before: float | None
    sentence: str
    next: str
    record: str | None
    run_id: str = ""
    exit_code: int = 0
    verified: dict[str, Any] | None = None
    """How the verifying notebook ended; None: it was not run."""
    headline: str = ""
    """Headline of the notebook; empty: it was not run."""
    told: str = ""
    """Whether people were told, in words; empty: there was nothing to tell."""
    dial: str = ""
    """What became of the dial, in words; empty: the notebook, which brings it to 0, has not read it."""
    run_record: str | None = None
    """Folder of the record of `run_id`; `record` is the notebook's, if that was run."""

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON, for `--json`."""
        return asdict(self)


def plan(file: Path, values: Mapping[str, Any]) -> RolledBack:
    """The effect that turning async off would have; changes nothing.

    Raises:
        UsageError: the parameters or the account are wrong.
        AwsError: AWS cannot be reached.
    """
    from runbook_lib.act.traffic.shift import whose
    from runbook_lib.act.traffic.switch import not_known
    from runbook_lib.observe.api_address import reached
    from runbook_lib.observe.traffic import weight as weights

    params = load_file(file, {**values, "mode": "plan"}, incident=True)
    params, aws, _ = reached(params, quick=True, incident=True)
    state = weights.read_traffic(aws, params)
    side = new_side(params.service.traffic)
    told, then = (
        f"apply would turn the switch off: {side} goes from {state.weight:g} % to 0",
        _command(file, params.env, values),
    )
    gone = False
    if state.migrated:
        (told, by_hand), gone = instead(aws, params), sync_gone(aws, params)
        then = by_hand if gone else f"{then}, whose notebook runs {by_hand}"
    elif state.is_off:
        told = f"{side} is off already, by {whose(state.turned_by)}"
        then = f"to have it verified and recorded: {then}"
    elif not state.switch_known:
        told = f"{not_known(side, whose(state.turned_by))}: apply would turn the switch off"
    if state.under_way and not state.migrated:
        told = f"{told}; {'; '.join(state.under_way)}"
    return RolledBack(
        applied=False,
        weight_before=state.weight,
        sentence=f"nothing was changed; {told}",
        next=then,
        record=None,
        exit_code=int(Exit.HOLD if gone else Exit.OK),
    )


def _command(file: Path, env: str, values: Mapping[str, Any]) -> str:
    """The command that does it, with the given parameters."""
    where = ["--params", str(file)]
    with suppress(UsageError):  # outside the project the environment's name is not enough
        if file.resolve() == params_dir(Path.cwd()) / f"{env}.yaml":
            where = ["--env", env]
    given = [("--set", f"{key}={value}") for key, value in values.items() if key not in ("mode", "confirm", "reason")]
    words = ["runbook", "rollback", "1", *where, *(part for pair in given for part in pair)]
    return " ".join(map(word, [*words, "--apply", "--confirm", env]))
