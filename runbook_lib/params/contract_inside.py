"""The inner parts of the contract (`params/contract.py`): jobs table, message, tokens, metrics, marks of probes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from runbook_lib.base import json_body
from runbook_lib.judge.terms import Frozen

Path = Annotated[str, Field(pattern=json_body.PATH)]
OPTIONAL = r"^$|" + json_body.PATH
OptionalPath = Annotated[str, Field(pattern=OPTIONAL)]
"""A path, or empty: there is none."""


class Declared(Frozen):
    """Part of the contract; the text behind each field is its description (`explain.docs`)."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy without cached values that were computed from the fields (pydantic would copy them)."""
        made = super().model_copy(update=update, deep=deep)
        for name in made.__dict__.keys() - type(self).model_fields.keys():
            del made.__dict__[name]
        return made


class Probe(Declared):
    """How the runbook's own requests are marked, so that no figure about users counts them."""

    headers: dict[str, str] = Field(default={"X-Runbook-Probe": "{probe}"})
    """Headers with the mark. None if the body has it: `{probe}` in `submit.valid`, as a field of its own or at the
    beginning of an id."""
    arrives_in: str = Field(default="source", min_length=1)
    """Attribute of the job's item in which the mark arrives. It is checked there before any probe counts."""
    prefix: str = Field(default="probe:", min_length=1)
    """Beginning of that attribute for a probe, and never for a user."""


class Table(Declared):
    """The jobs table's names of attributes, and its status words."""

    job_id: str = Field(default="job_id", min_length=1)
    """The partition key."""
    status: str = Field(default="status", min_length=1)
    """The job's status, one of the words below."""
    created_at: str = Field(default="created_at", min_length=1)
    """Time of the job's submission."""
    started_at: str = "started_at"
    """Time at which a worker took it; empty: the table does not say."""
    completed_at: str = Field(default="completed_at", min_length=1)
    """Time of its end."""
    idempotency_key: str = "idempotency_key"
    """Attribute with the key that identifies a user's repeated submission; empty: none."""
    result_key: str = "result_key"
    """Key of the result in the bucket; empty: it follows from `result.key`."""
    error: str = "error"
    """Reason of its failure; empty: the table does not say."""
    ttl: str = "ttl"
    """Time at which DynamoDB deletes the item, in epoch seconds; empty: never."""
    times: Literal["iso", "epoch_s", "epoch_ms"] = "iso"
    """Form of times: ISO 8601 in UTC as text, or seconds or milliseconds since 1970 as numbers."""
    pending: tuple[str, ...] = Field(default=("PENDING",), min_length=1)
    """Words for a job that no worker has yet."""
    running: tuple[str, ...] = ("PROCESSING",)
    """Words for a job that a worker has. None: the table does not distinguish it from pending."""
    completed: tuple[str, ...] = Field(default=("COMPLETED",), min_length=1)
    """Words for a job that is done."""
    failed: tuple[str, ...] = Field(default=("FAILED",), min_length=1)
    """Words for a job that failed."""

    @cached_property
    def named(self) -> tuple[tuple[str, str], ...]:
        """The runbook's own name (`params/item.py`) and the table's for each attribute of the table."""
        return tuple((name, attribute) for name in ATTRIBUTES if (attribute := getattr(self, name)))

    @cached_property
    def meanings(self) -> dict[str, str]:
        """Each status word, and the runbook's own word for it."""
        of = zip(WORDS, (self.pending, self.running, self.completed, self.failed), strict=True)
        return {word: own for own, said in of for word in said}

    @property
    def done(self) -> str:
        """The words for a job that is done, as a reader finds them in the table: `COMPLETED`, `READY or SENT`."""
        return " or ".join(self.completed)

    @property
    def broken(self) -> str:
        """The words for a job that failed."""
        return " or ".join(self.failed)

    @model_validator(mode="after")
    def _apart(self) -> Table:
        words = [*self.pending, *self.running, *self.completed, *self.failed]
        if twice := next((one for one in words if words.count(one) > 1), None):
            raise ValueError(f"status word '{twice}' is in two lists; it can have one meaning only")
        attributes = [value for name, value in self if name in ATTRIBUTES and value]
        if twice := next((one for one in attributes if attributes.count(one) > 1), None):
            raise ValueError(f"attribute '{twice}' is named for two things")
        return self


ATTRIBUTES = (
    *("job_id", "status", "created_at", "started_at", "completed_at", "idempotency_key", "result_key", "error", "ttl"),
)
"""Fields of `Table` that name an attribute."""


WORDS = ("PENDING", "PROCESSING", "COMPLETED", "FAILED")
"""The runbook's own status words, in the order of `Table`: pending, running, completed, failed."""


class Message(Declared):
    """The message in the work queue."""

    job_id: Path = "job_id"
    """Path of the job's id; a dead letter without it does not belong to this service."""
    body: Any = Field(
        default={"job_id": "{job_id}", "payload": {"application_id": "probe", "idempotency_key": "probe-{job_id}"}}
    )
    """JSON body as the submit function sends it, for the dead letter of the runbook's own drill: a template with
    `{job_id}`, `{uuid}`, `{now}` and `{probe}`."""


class Tokens(Declared):
    """Where the number of LLM tokens of a job is found."""

    told_by: Literal["table", "kpi", "none"] = "table"
    """Source: the job's item in the `table`, the service's metrics (`kpi`: `input_tokens`, `output_tokens`), or `none`:
    then nothing that depends on tokens is judged (NO DATA), and they are never taken for 0."""
    input: Path = "token_usage.input"
    """Attribute of the item, and the path within it: input tokens."""
    output: Path = "token_usage.output"
    """Attribute of the item, and the path within it: output tokens."""

    @cached_property
    def places(self) -> tuple[tuple[str, str, list[str]], ...]:
        """Side, path, and names of the path for each count in an item."""
        sides = (("input", self.input), ("output", self.output))
        return tuple((side, path, json_body.parts(path)) for side, path in sides) if self.told_by == "table" else ()


class Kpi(Declared):
    """One of the service's business metrics that differs from the catalogue; an empty field is as in the catalogue."""

    namespace: str = ""
    """CloudWatch namespace; `{env}` and the names of service.yaml are replaced. Empty: `kpi_namespace`."""
    metric: str = ""
    """Name of the metric; empty: the catalogue's (`runbook_lib/params/metrics.yaml`)."""
    dimensions: dict[str, str] | None = None
    """Dimensions, with the same placeholders as the namespace; empty: `service` alone, with `kpi_service`."""
