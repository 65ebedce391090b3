"""The audit record of one run: what is kept in `record.json`. `from_journal.py` makes it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, Field

from runbook_lib.judge.terms import Frozen
from runbook_lib.judge.told import Acted, acted, failed, of_today, word_of

SCHEMA = 3
READABLE = (1, 2, 3)
"""Schema 1 (version 0.1) had the word of the decision in the reason of its outcome, and no `said`.

Schema 2 seals what people read instead of the decision (`judge.terms.Word`). Schema 3 has the same fields; its hash is
over the canonical form of RFC 8785, and each record of it is a leaf of the archive's log (`record/log/`).
"""
TOLD_SINCE = 2
LOGGED_SINCE = 3
_STEP_0_1 = re.compile(r"^deploy step '(\w+)'")
Status = Literal["completed", "failed", "cancelled", "died"]


class Problem(Frozen):
    """Why a run did not complete, in one sentence."""

    type: str
    sentence: str
    cell: int | None = None
    """Number of the cell (its execution count), where one is to blame."""


class Change(Frozen):
    """One change to AWS: its intent, written before it, and its outcome (None: the run ended first)."""

    intent: dict[str, Any]
    outcome: dict[str, Any] | None = None

    @property
    def open(self) -> bool:
        """Begun, and not read back: AWS has to be asked what is in force."""
        return self.outcome is None or self.outcome.get("ok", True) is None

    @property
    def done(self) -> bool:
        """AWS has it."""
        return bool((self.outcome or {}).get("ok"))

    @property
    def step(self) -> str:
        """The step of the infrastructure code that was deployed; empty: it was another change."""
        # Version 0.1 said it in words alone.
        said = _STEP_0_1.search(str(self.intent.get("what"))) if "by_hand" not in self.intent else None
        return said[1] if said else str(self.intent.get("step") or "")

    @property
    def way_back(self) -> bool:
        """The step was deployed to bring the synchronous route back."""
        if "by_hand" not in self.intent:
            return bool(self.step) and str(self.intent.get("what")).endswith("back to the synchronous route")
        return bool(self.intent.get("way_back"))

    @property
    def moved(self) -> dict[str, tuple[Any, Any]]:
        """What was to move, from and to, where those are numbers or names."""
        before, after = (self.intent.get(key) or {} for key in ("before", "after"))
        return {
            key: (before[key], value)
            for key, value in after.items()
            if key in before
            and value != before[key]
            and isinstance(value, int | float | str)
            and not isinstance(value, bool)
        }

    def done_at(self) -> dt.datetime | None:
        """Time at which AWS had it, by AWS's clock; None: it failed, or its outcome is unknown."""
        done = self.outcome or {}
        return dt.datetime.fromisoformat(str(done["aws_at"])) if done.get("ok") else None


class Told(NamedTuple):
    """What a record decided, for reading; what it did not say is empty."""

    word: str
    reason: str
    next: str
    come_back_at: str
    command: str = ""
    """The command of `next`; version 0.1 sealed none."""

    @property
    def line(self) -> str:
        """Word and reason."""
        return ": ".join(part for part in (self.word, self.reason) if part) if self.reason else ""


class Record(Frozen):
    """One sealed run. What other rooms own (gates, outcome, traffic) is kept as the JSON they wrote, to last years."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: int = Field(default=SCHEMA, alias="schema")
    """Version of this format."""
    run_id: str = ""
    """Letters and digits, unique."""
    env: str = ""
    """Environment, by its name in gates.yaml."""
    account_id: str = ""
    """AWS account."""
    region: str = ""
    """AWS region."""
    release: str = ""
    """Id of the rollout."""
    notebook: str = ""
    """Notebook, step or command that ran; `entry` where a person said something."""
    attempt: int = 1
    """Raised to try a phase again."""
    origin: str = ""
    """What ran it: `papermill`, `interactive`, `entry`, a command."""
    status: Status = "failed"
    """End of the run; `died`: its process ended without sealing it, and another process sealed it."""
    opened_at: str | None = None
    """Wall clock UTC of the first event; null: it never came to that."""
    closed_at: str | None = None
    """Wall clock UTC of the closing event; null: it never came to that."""
    sealed_at: str = ""
    """Wall clock UTC of sealing, in milliseconds; the folder's name follows from it."""
    as_of: str | None = None
    """The instant that the run judged by (AWS's clock, or the parameter)."""
    mode: str = "plan"
    """`plan` changes nothing, `apply` does."""
    operator: str = ""
    """Name of the person who ran it; else the ARN."""
    caller_arn: str = ""
    """ARN of the caller according to AWS; empty: AWS was not asked."""
    endpoint: str = ""
    """Address of AWS that was asked."""
    host: str = ""
    """Machine that it ran on."""
    reason: str = ""
    """Why, as it was given."""
    params: dict[str, Any] = Field(default_factory=dict)
    """The flat parameters."""
    policy: dict[str, Any] = Field(default_factory=dict)
    """`gates.yaml` as it was then."""
    service: dict[str, Any] = Field(default_factory=dict)
    """`service.yaml` as it was then."""
    prices: dict[str, Any] = Field(default_factory=dict)
    """`prices.yaml` as it was then."""
    versions: dict[str, Any] = Field(default_factory=dict)
    """Versions of the runbook, of Python and of other packages."""
    moment: str | None = None
    """Moment of the run in its phase."""
    decision: str | None = None
    """PLANNED, SOAK, PROMOTE, HOLD or ROLLBACK; null: nothing was decided."""
    outcome: dict[str, Any] | None = None
    """Decision, reason, next step and when to come back; its results are `gates`."""
    gates: tuple[dict[str, Any], ...] = ()
    """Each gate with its verdict, value, interval and evidence."""
    checks: tuple[dict[str, Any], ...] = ()
    """Each check with what was expected and found."""
    entry: dict[str, Any] | None = None
    """Statement of a person, if the record is an entry and not a run."""
    incident: dict[str, Any] | None = None
    """Times of a rollback: when it was decided, set and in effect."""
    evidence: dict[str, Any] = Field(default_factory=dict)
    """Measure to its evidence: what was counted, from which question."""
    traffic_before: dict[str, Any] | None = None
    """State of the traffic before the run changed it."""
    traffic_after: dict[str, Any] | None = None
    """State of the traffic after the run."""
    census: tuple[dict[str, Any], ...] = ()
    """What became of users' jobs, part by part."""
    changes: tuple[Change, ...] = ()
    """Each change to AWS."""
    warnings: tuple[str, ...] = ()
    """What was doubtful, in sentences."""
    notes: tuple[str, ...] = ()
    """What the run noted, in sentences."""
    error: Problem | None = None
    """Why it did not complete."""
    files: dict[str, str] = Field(default_factory=dict)
    """Name to SHA-256 of every other file of the record."""
    previous: str | None = None
    """Hash of the record before it in the chain of environment, release and notebook."""
    hash: str = ""
    """SHA-256 over the canonical form (RFC 8785) of all the rest, hexadecimal."""

    @property
    def open_changes(self) -> tuple[Change, ...]:
        """Changes that were begun and whose outcome is unknown."""
        return tuple(change for change in self.changes if change.open)

    @property
    def acted(self) -> Acted:
        """What came of its changes."""
        return acted({"intent": one.intent, "outcome": one.outcome} for one in self.changes)

    @property
    def failure(self) -> str:
        """Why it did not complete, and what it had changed before that."""
        return self.failed()

    def failed(self, before: Sequence[str] = ()) -> str:
        """`failure` of a run before which the same command had begun the changes `before`."""
        return failed(self.error.sentence if self.error else "no decision", self.acted, before)

    @property
    def why(self) -> str:
        """What people read first: why it decided so, or `failure` of a run that did not complete."""
        return self.told.reason if self.status == "completed" else self.failure

    @property
    def told(self) -> Told:
        """What was decided, of a record of any version."""
        said = of_today({"decision": self.decision, **(self.outcome or {})})
        word = word_of("completed", self.decision, said) if self.decision else ""
        return Told(word, *(str(said.get(name) or "") for name in Told._fields[1:]))

    @property
    def word(self) -> str:
        """The one word that people read of this run."""
        said = self.outcome or {}
        return word_of(self.status, self.decision, said, origin=self.origin, notebook=self.notebook, checks=self.checks)

    def dump(self) -> dict[str, Any]:
        """The record as JSON, with the names of the file (`schema`)."""
        return self.model_dump(mode="json", by_alias=True)
