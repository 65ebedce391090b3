"""The inside of the contract (`params/contract.py`): jobs table, message, tokens, metrics, and the marks of probes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from runbook_lib.base import json_body
from runbook_lib.judge.terms import Frozen

Path = Annotated[str, Field(pattern=json_body.PATH)]
OPTIONAL = r"^$|" + json_body.PATH
OptionalPath = Annotated[str, Field(pattern=OPTIONAL)]
"""A path, or empty: there is none."""


class Declared(Frozen):
    """Part of the contract; the docstring of each field is its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", use_attribute_docstrings=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy that does not take over what was computed of the fields (pydantic would copy it along)."""
        made = super().model_copy(update=update, deep=deep)
        for name in made.__dict__.keys() - type(self).model_fields.keys():
            del made.__dict__[name]
        return made


class Probe(Declared):
    """How requests of the runbook's own are marked, so that no figure of the users counts them."""

    headers: dict[str, str] = Field(default={"X-Runbook-Probe": "{probe}"})
    """Headers that carry the mark. None where the body does: `{probe}` in `submit.valid`, as a field of its own or at
    the beginning of an id."""
    arrives_in: str = Field(default="source", min_length=1)
    """Attribute of the job's item in which the mark arrives. It is looked up there before any probe counts."""
    prefix: str = Field(default="probe:", min_length=1)
    """What that attribute begins with for a probe, and never for a user."""


class Table(Declared):
    """What the jobs table calls its attributes, and its status words."""

    job_id: str = Field(default="job_id", min_length=1)
    """The partition key."""
    status: str = Field(default="status", min_length=1)
    """The job's status, one of the words below."""
    created_at: str = Field(default="created_at", min_length=1)
    """When the job was submitted."""
    started_at: str = "started_at"
    """When a worker took it; empty: the table does not say."""
    completed_at: str = Field(default="completed_at", min_length=1)
    """When it ended."""
    idempotency_key: str = "idempotency_key"
    """The key by which a user's second submission is known; empty: none."""
    result_key: str = "result_key"
    """Key of the result in the bucket; empty: it follows from `result.key`."""
    error: str = "error"
    """Why it failed; empty: the table does not say."""
    ttl: str = "ttl"
    """When DynamoDB deletes the item, in epoch seconds; empty: never."""
    times: Literal["iso", "epoch_s", "epoch_ms"] = "iso"
    """How times are written: ISO 8601 in UTC as text, or seconds or milliseconds since 1970 as numbers."""
    pending: tuple[str, ...] = Field(default=("PENDING",), min_length=1)
    """Words for: submitted, and no worker has it yet."""
    running: tuple[str, ...] = ("PROCESSING",)
    """Words for: a worker has it. None: the table does not tell it from pending."""
    completed: tuple[str, ...] = Field(default=("COMPLETED",), min_length=1)
    """Words for: done."""
    failed: tuple[str, ...] = Field(default=("FAILED",), min_length=1)
    """Words for: it came to nothing."""

    @cached_property
    def named(self) -> tuple[tuple[str, str], ...]:
        """The runbook's own name (`params/item.py`) and the table's for each attribute that it has."""
        return tuple((name, attribute) for name in ATTRIBUTES if (attribute := getattr(self, name)))

    @cached_property
    def meanings(self) -> dict[str, str]:
        """Each status word, and the runbook's own for it."""
        of = zip(WORDS, (self.pending, self.running, self.completed, self.failed), strict=True)
        return {word: own for own, said in of for word in said}

    @model_validator(mode="after")
    def _apart(self) -> Table:
        words = [*self.pending, *self.running, *self.completed, *self.failed]
        if twice := next((one for one in words if words.count(one) > 1), None):
            raise ValueError(f"status word '{twice}' stands in two places; it can mean one thing only")
        attributes = [value for name, value in self if name in ATTRIBUTES and value]
        if twice := next((one for one in attributes if attributes.count(one) > 1), None):
            raise ValueError(f"attribute '{twice}' is named for two things")
        return self


ATTRIBUTES = (
    *("job_id", "status", "created_at", "started_at", "completed_at", "idempotency_key", "result_key", "error", "ttl"),
)
"""Fields of `Table` that name an attribute."""


WORDS = ("PENDING", "PROCESSING", "COMPLETED", "FAILED")
"""The runbook's own words for a status, as `Table` has the service's: pending, running, completed, failed."""


class Message(Declared):
    """The message in the work queue."""

    job_id: Path = "job_id"
    """Where it says which job it is about; a dead letter without it is none of this service."""
    body: Any = Field(
        default={"job_id": "{job_id}", "payload": {"application_id": "probe", "idempotency_key": "probe-{job_id}"}}
    )
    """JSON body as the submit function sends it, for the dead letter that the runbook sends on its way: a template with
    `{job_id}`, `{uuid}`, `{now}` and `{probe}`."""


class Tokens(Declared):
    """Where it stands how many tokens of the LLM a job took."""

    told_by: Literal["table", "kpi", "none"] = "table"
    """The job's item in the `table`, the service's metrics (`kpi`: `input_tokens`, `output_tokens`), or `none`: then
    nothing that depends on them is judged (NO DATA), and never taken for 0."""
    input: Path = "token_usage.input"
    """Attribute of the item, and the path within it: tokens that went in."""
    output: Path = "token_usage.output"
    """The same of those that came out."""

    @cached_property
    def places(self) -> tuple[tuple[str, str, list[str]], ...]:
        """Side, path, and the names of the path for each count that an item has."""
        sides = (("input", self.input), ("output", self.output))
        return tuple((side, path, json_body.parts(path)) for side, path in sides) if self.told_by == "table" else ()


class Kpi(Declared):
    """One of the service's business metrics where it is not the catalogue's; an empty field stays as it is there."""

    namespace: str = ""
    """CloudWatch namespace; `{env}` and the names of service.yaml are filled in. Empty: `kpi_namespace`."""
    metric: str = ""
    """The metric's name; empty: the catalogue's (`runbook_lib/params/metrics.yaml`)."""
    dimensions: dict[str, str] | None = None
    """Its dimensions, filled in as the namespace is; empty: `service` alone, as `kpi_service` says."""
