"""Deviations: what a mitigation changed by hand, on record until it is undone or adopted into the code (trap 23).

The id of a setting is that of its check in the inventory. Deviations are opened and closed, never changed: the open
ones follow from all entries in their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field, model_validator

from runbook_lib.base.window import when
from runbook_lib.judge.terms import Frozen

Act = Literal["opened", "undone", "adopted", "withdrawn"]
"""How a deviation ended; `withdrawn`: the change was refused, so it was never made."""


BEFORE = "_before"


class Deviation(Frozen):
    """One setting that is not what the infrastructure code says, and why."""

    check: str
    """Id of the inventory's check, such as `inventory.worker.reserved_concurrency`."""
    title: str
    was: Any
    """The value before, which undoing puts back."""
    value: Any
    """The value that the mitigation set; any other value is drift."""
    by: str
    at: str
    """When the mitigation was decided, ISO 8601 UTC."""
    why: str
    incident: str
    """Notebook and run that decided it, in words."""
    notebook: str = ""
    run_id: str = ""
    facts: dict[str, Any] = Field(default_factory=dict)
    """Further values for undoing; those of `..._before` belong to `was`."""

    @model_validator(mode="before")
    @classmethod
    def _of_0_1(cls, said: Any) -> Any:
        """Reads records of version 0.1, which have notebook and run in `incident` only: `NOTEBOOK run RUN`."""
        if isinstance(said, dict) and "run_id" not in said and " run " in str(said.get("incident")):
            notebook, _, run_id = str(said["incident"]).rpartition(" run ")
            return {"notebook": notebook, **said, "run_id": run_id}
        return said

    def back_to(self, earlier: Deviation) -> Deviation:
        """This deviation with the value before `earlier`: undoing goes back to the code, not to another deviation."""
        before = {name: value for name, value in earlier.facts.items() if name.endswith(BEFORE)}
        return self.model_copy(update={"was": earlier.was, "facts": {**self.facts, **before}})

    @property
    def words(self) -> str:
        """Who, when and why, as the inventory shows it."""
        return f"{self.by}, {when(self.at)}, {self.incident}: {self.why}"


class Said(Frozen):
    """One entry about a deviation."""

    act: Act
    deviation: Deviation
    by: str = ""
    at: str = ""
    """Who entered it, and when, ISO 8601 UTC."""

    @property
    def words(self) -> str:
        """What was done, by whom and when."""
        return f"{self.act}{' into the code' * (self.act == 'adopted')} by {self.by} at {when(self.at)}"


def still_open(said: Iterable[Said]) -> dict[str, Deviation]:
    """The open deviations by check id, from all entries, oldest first.

    A deviation that was opened again before it was closed keeps the value before the first mitigation (`back_to`).
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
