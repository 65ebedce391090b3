"""Deviations: what a mitigation changed by hand, on record until it is undone or adopted into the code (trap 23).

A setting is known by the id of its check in the inventory. Deviations are opened and closed, never altered: which are
open follows from all that was said, in its order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field, model_validator

from runbook_lib.base.window import when
from runbook_lib.judge.terms import Frozen

Act = Literal["opened", "undone", "adopted", "withdrawn"]
"""`withdrawn`: it was never made, for the change was refused."""


BEFORE = "_before"


class Deviation(Frozen):
    """One setting that is not what the infrastructure code says, and why."""

    check: str
    """Id of the inventory's check, such as `inventory.worker.reserved_concurrency`."""
    title: str
    was: Any
    """The value before, which undoing puts back."""
    value: Any
    """The value that the mitigation set: another one is drift all the same."""
    by: str
    at: str
    """ISO 8601 UTC, when it was decided upon."""
    why: str
    incident: str
    """Notebook and run that decided it, for people."""
    notebook: str = ""
    run_id: str = ""
    facts: dict[str, Any] = Field(default_factory=dict)
    """More that undoing needs; what `..._before` says belongs to `was`."""

    @model_validator(mode="before")
    @classmethod
    def _of_0_1(cls, said: Any) -> Any:
        """Version 0.1 said notebook and run in the words of `incident` alone: `NOTEBOOK run RUN`."""
        if isinstance(said, dict) and "run_id" not in said and " run " in str(said.get("incident")):
            notebook, _, run_id = str(said["incident"]).rpartition(" run ")
            return {"notebook": notebook, **said, "run_id": run_id}
        return said

    def back_to(self, earlier: Deviation) -> Deviation:
        """This one, with what was there before `earlier`: undoing goes back to the code, not to another deviation."""
        before = {name: value for name, value in earlier.facts.items() if name.endswith(BEFORE)}
        return self.model_copy(update={"was": earlier.was, "facts": {**self.facts, **before}})

    @property
    def words(self) -> str:
        """Who, when, why: what the inventory says beside it."""
        return f"{self.by}, {when(self.at)}, {self.incident}: {self.why}"


class Said(Frozen):
    """One thing said about a deviation."""

    act: Act
    deviation: Deviation


def still_open(said: Iterable[Said]) -> dict[str, Deviation]:
    """The open deviations by check id, from everything that was said, oldest first.

    Opened again before it was closed, it keeps the value that was there before the first mitigation (`back_to`).
    """
    found: dict[str, Deviation] = {}
    for one in said:
        id = one.deviation.check
        if one.act != "opened":
            found.pop(id, None)
        elif id in found:
            found[id] = one.deviation.back_to(found[id])
        else:
            found[id] = one.deviation
    return found
