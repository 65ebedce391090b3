"""The phase before as the other arm of a comparison: its hours, made again from the answers in its sealed record.

So a gate that compares with the phase before needs no preparation: the record holds the answers of CloudWatch and the
census, and today's policy says what to count in them. The result goes into this look's own record, which then replays
without the other one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.plain_file import read_plain
from runbook_lib.judge.case import Case
from runbook_lib.observe.evidence import arms
from runbook_lib.params.load import Params
from runbook_lib.record.archive import Archive
from runbook_lib.record.place import CASE
from runbook_lib.record.record import Record
from runbook_lib.record.seal import file_hash, strict
from runbook_lib.rollout.look import answered_again, remade


def of(archive: Archive, before: Record | None, params: Params, told: Callable[[str], object]) -> dict[str, Any] | None:
    """The phase before as `observe.evidence.arms` needs it; None: no gate compares with it, or there is none.

    Args:
        before: the record of the phase before, verified.
        told: gets a warning where the record lacks what is needed; then the gate has no data.
    """
    if before is None or not any(gate.against == "phase_before" for gate in params.policy.gates):
        return None
    try:
        folder = archive.find(before.run_id).folder
        kept = strict(read_plain(folder / CASE))
        seen, case = kept["seen"], Case.model_validate(kept["case"])
        name = next(name for name, sha in before.files.items() if sha == seen["answers_sha256"])
        if file_hash(folder / name) != seen["answers_sha256"]:
            raise ArchiveError(f"{name} was altered")
        raw = strict(read_plain(folder / name))
        answered = answered_again(seen, raw, params, case.look, case.rules)
        return arms.told(answered, remade(seen, raw, params, case.look, case.rules), before.notebook)
    except (ArchiveError, OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        told(f"the record of {before.notebook} cannot be compared with: {said}")
        return {"phase": before.notebook, "weight": 0.0, "gates": {}}
