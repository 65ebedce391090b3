"""`contract:` of service.yaml: how the service under rollout is spoken to, as data (docs/adopting.md, key by key).

What is submitted and what its answers mean, how a status is asked, where the result is, how a probe is marked and where
its mark arrives, what the jobs table calls things. The defaults are the contract that this runbook was first made for.
Every field's docstring is its `description`, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from runbook_lib.base import json_body
from runbook_lib.base.template import fields
from runbook_lib.params import document, references
from runbook_lib.params.contract_inside import Declared, Kpi, Message, OptionalPath, Path, Probe, Table, Tokens

FIELDS = ("uuid", "now", "probe")
"""Placeholders of a submission: a new UUID, the time (ISO 8601, UTC), and the mark of the run that sends it."""
JOB = (*FIELDS, "job_id")
"""The same where a job is there already."""
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Code = Annotated[int, Field(ge=100, le=599)]
Value = str | int | bool
Values = Annotated[tuple[Value, ...], Field(min_length=1)]
State = Literal["running", "completed", "failed", "unknown"]
Teller = Literal["status", "table", "result"]


class Answers(Declared):
    """The HTTP answers that mean one thing: one of the codes, and a body that meets every condition."""

    codes: tuple[Code, ...] = Field(min_length=1)
    """Status codes; any of them."""
    where: dict[Path, Values] = Field(default_factory=dict)
    """Conditions on the JSON body: what may stand at a path (`status: [DONE]`). Empty: the code alone says it."""

    def fit(self, code: int, body: object) -> bool:
        """Whether an answer is one of these."""
        return code in self.codes and all(_same(json_body.at(body, path), ok) for path, ok in self.where.items())

    def told(self) -> str:
        """Them in words: `200 with status COMPLETED`."""
        codes = " or ".join(map(str, self.codes))
        conditions = (f"{path} {' or '.join(map(str, values))}" for path, values in self.where.items())
        return " and ".join([codes + (" with" if self.where else ""), *conditions]).replace("with and", "with")

    def meets(self, other: Answers) -> bool:
        """Whether one answer could be both of these and of those."""
        apart = any(not {*ok} & {*other.where[path]} for path, ok in self.where.items() if path in other.where)
        return bool({*self.codes} & {*other.codes}) and not apart


def _same(found: object, wanted: tuple[Value, ...]) -> bool:
    return any(found == one and isinstance(found, bool) == isinstance(one, bool) for one in wanted)


class Submission(Declared):
    """How a job is submitted (the path is `api.routes.submit`), and what the answers mean."""

    method: Method = "POST"
    """HTTP method."""
    headers: dict[str, str] = Field(default={"Content-Type": "application/json"})
    """Headers of every submission; `{uuid}`, `{now}`, `{probe}` and the names of `secrets` are filled in."""
    valid: Any = Field(default={"application_id": "smoke-{probe}", "idempotency_key": "smoke-{probe}-{uuid}"})
    """JSON body that makes a job: a template, in whose texts `{uuid}`, `{now}` and `{probe}` are filled in."""
    duplicate: Any = None
    """JSON body that asks for the same job again, filled in as the valid one was; empty: that body itself."""
    invalid: Any = Field(default=["not", "a", "report"])
    """JSON body that must be refused, and makes no job."""
    accepted: Answers = Answers(codes=(202,))
    """A job was made."""
    repeated: Answers | None = Answers(codes=(200,))
    """The job is there already, and the answer has its id. Empty: the service makes a second job, and no smoke test
    asks."""
    refused: Answers = Answers(codes=(400,))
    """The body was wrong."""
    job_id: Path = "job_id"
    """Where the job's id stands in the body of the answer."""
    idempotency_key: OptionalPath = "idempotency_key"
    """Where the key stands in the submitted body by which a job is known again; empty: there is none."""

    @model_validator(mode="after")
    def _apart(self) -> Submission:
        for name, answers in (("accepted", self.accepted), ("repeated", self.repeated)):
            if answers is not None and answers.meets(self.refused):
                raise ValueError(
                    f"one answer could mean {name} and refused ({self.refused.told()}); give each its `where`"
                )
        return self


class Question(Declared):
    """How a job's status is asked (the path is `api.routes.status`), and what the answers mean."""

    method: Method = "GET"
    """HTTP method."""
    headers: dict[str, str] = Field(default={})
    """Headers of every question; the names of `secrets` are filled in, too."""
    told_by: Teller = "status"
    """Who says that a job has ended: the `status` route, the jobs `table` (a route that says PENDING for ever), or the
    `result`, which is there or not."""
    completed: Answers | None = Answers(codes=(200,), where={"status": ("COMPLETED",)})
    """The job is done. Empty where `told_by` is not `status`: the route never says so."""
    failed: Answers | None = Answers(codes=(200,), where={"status": ("FAILED",)})
    """The job came to nothing. Empty: the route never says so."""
    running: Answers = Answers(codes=(202,))
    """It waits or is worked on."""
    unknown: Answers | None = Answers(codes=(404, 410))
    """There is no such job, or not any more. Empty: the route never says so."""
    word: OptionalPath = "status"
    """Where the answer says its status, for a reader; empty: nowhere."""
    error: OptionalPath = "error"
    """Where the answer says why a job failed; empty: nowhere."""

    def states(self) -> Iterator[tuple[State, Answers]]:
        """Each state that the route can tell, and by which answers."""
        if self.completed is not None:
            yield "completed", self.completed
        if self.failed is not None:
            yield "failed", self.failed
        if self.unknown is not None:
            yield "unknown", self.unknown
        yield "running", self.running

    def state(self, code: int, body: object) -> State | None:
        """What an answer says of the job; None: it is no answer of this contract."""
        return next((state for state, answers in self.states() if answers.fit(code, body)), None)

    def told(self) -> str:
        """What is understood, in words."""
        return ", ".join(f"{answers.told()} means {state}" for state, answers in self.states())

    @model_validator(mode="after")
    def _apart(self) -> Question:
        if self.told_by == "status" and self.completed is None:
            raise ValueError("completed is empty, and nothing else says that a job is done; say 'told_by: table'")
        states = list(self.states())
        for place, (state, answers) in enumerate(states):
            for other, those in states[place + 1 :]:
                if answers.meets(those):
                    raise ValueError(
                        f"one answer could mean {state} and {other} ({those.told()}); give each its `where`"
                    )
        return self


class Result(Declared):
    """How the result of a job is fetched, and what makes it valid."""

    fetched: Literal["link", "route", "bucket"] = "link"
    """By a `link` in the answer that says completed, by a `route` of the API, or (by the runbook alone) from the
    results `bucket`."""
    link: Path = "result_url"
    """Where that link stands in the answer (`fetched: link`)."""
    path: str = Field(default="", pattern=r"^$|^/\S*$")
    """Path of that route, with `{job_id}` in it (`fetched: route`)."""
    key: str = "results/{job_id}.json"
    """Key of the result in the bucket, where the job's item does not say it (`table.result_key`)."""
    required: tuple[Path, ...] = ("report",)
    """What must stand in the document, and not be empty. No path: any JSON object will do, or (without `job_id`) what
    `json_schema` allows, such as a list."""
    job_id: OptionalPath = "job_id"
    """Where the document says whose it is; empty: nowhere, it is the bare document."""
    json_schema: dict[str, Any] | None = None
    """A JSON Schema that the document must meet, beside `required`; empty: none. A `$ref` is never fetched."""
    example: dict[str, Any] | None = None
    """A document as the service writes it, held against `required` and `json_schema`; the sandbox writes it."""

    def fault(self, found: object, job_id: str = "") -> str:
        """What is wrong with a document, as the end of a sentence; empty: it is valid."""
        if not isinstance(found, dict) and (self.required or self.job_id or self.json_schema is None):
            return "it is no JSON object"
        missing = next((path for path in self.required if json_body.at(found, path) in (None, "", [], {})), None)
        if missing is not None:
            return f"it has nothing at '{missing}' (contract.result.required)"
        if self.job_id and job_id and json_body.id_at(found, self.job_id) != job_id:
            return f"it does not name this job at '{self.job_id}' (contract.result.job_id)"
        wrong = "" if self.json_schema is None else document.fault(found, self.json_schema)
        return wrong and f"{wrong} (contract.result.json_schema)"

    @model_validator(mode="after")
    def _whole(self) -> Result:
        if self.fetched == "route" and "{job_id}" not in self.path:
            raise ValueError("the result is fetched by a route, and path names none with {job_id} in it")
        if self.json_schema is not None and (wrong := document.wrong_schema(self.json_schema)):
            raise ValueError(f"json_schema {wrong}")
        if self.example is not None and (wrong := self.fault(self.example)):
            raise ValueError(f"example: {wrong}")
        if wrong := next(filter(None, (json_body.wrong_in(one, ("job_id",)) for one in (self.path, self.key))), ""):
            raise ValueError(wrong)
        return self


def _carries(template: object) -> bool:
    """Whether a template has the mark of a probe filled in."""
    return any("probe" in fields(text) for _, text in json_body.texts(template))


class Synchronous(Declared):
    """The old route (`api.routes.sync`), which answers with the result itself."""

    method: Method = "POST"
    """HTTP method."""
    codes: tuple[Code, ...] = Field(default=(200, 504), min_length=1)
    """What it answers as ever: 504 where the gateway gives up on it, as production's does."""


class Contract(Declared):
    """How the service is spoken to. What is left out is as by default."""

    submit: Submission = Submission()
    """A submission and its answers."""
    status: Question = Question()
    """A question for a job's status and its answers."""
    result: Result = Result()
    """The result, and what makes it valid."""
    sync: Synchronous = Synchronous()
    """The old, synchronous route."""
    probe: Probe = Probe()
    """How requests of the runbook's own are told apart."""
    table: Table = Table()
    """The jobs table."""
    message: Message = Message()
    """The message in the work queue."""
    tokens: Tokens = Tokens()
    """Who says how many tokens a job took."""
    failure_word: str = ""
    """What stands in the worker's log line of a failed job, and in no other; empty: the `message` of `failure_line`."""
    secrets: dict[str, str] = Field(default={})
    """Secrets of headers, by the name that a header has in braces: where each is kept, `env:VARIABLE`, `ssm:PARAMETER`,
    `secretsmanager:SECRET` or `secretsmanager:SECRET#FIELD`. The names may hold `{env}`. It is read when a request is
    sent, and masked everywhere."""
    kpi: dict[str, Kpi] = Field(default={})
    """The service's business metrics, by the id of the catalogue (`jobs_created`, `jobs_failed`, ...)."""

    def with_methods(self, *, submit: Method, sync: Method) -> Contract:
        """The same with other methods of the two routes that take submissions."""
        if (submit, sync) == (self.submit.method, self.sync.method):
            return self
        own = self.submit.model_copy(update={"method": submit})
        return self.model_copy(update={"submit": own, "sync": self.sync.model_copy(update={"method": sync})})

    @property
    def tells_users(self) -> bool:
        """Whether a client learns by the API that its result is there, and can fetch it."""
        return self.status.told_by != "table" and self.result.fetched != "bucket"

    def _mark_has_its_place(self) -> None:
        table, place = self.table, self.probe.arrives_in
        for name in ("status", "created_at", "started_at", "completed_at", "ttl"):
            if place == getattr(table, name):
                raise ValueError(
                    f"probe.arrives_in is '{place}', which is table.{name}: every user's job has a value of its own "
                    "there; name the attribute in which a probe's mark arrives"
                )

    @model_validator(mode="after")
    def _kept(self) -> Contract:
        used = {one for at in (self.submit, self.status) for text in at.headers.values() for one in fields(text)}
        for name, text in self.secrets.items():
            if not references.NAME.fullmatch(name) or name in JOB:
                raise ValueError(
                    f"secrets: '{name}' is no name for a secret; expects small letters, digits and _, and none of "
                    f"{', '.join(JOB)}"
                )
            if wrong := references.wrong(text):
                raise ValueError(f"secrets.{name} {wrong}")
            if name not in used:
                raise ValueError(f"secrets.{name} is in no header; write {{{name}}} into submit.headers, or remove it")
        return self

    @model_validator(mode="after")
    def _filled(self) -> Contract:
        texts = (
            ("submit.headers", self.submit.headers, (*FIELDS, *self.secrets)),
            ("submit.valid", self.submit.valid, FIELDS),
            ("submit.duplicate", self.submit.duplicate, FIELDS),
            ("submit.invalid", self.submit.invalid, FIELDS),
            ("status.headers", self.status.headers, (*JOB, *self.secrets)),
            ("probe.headers", self.probe.headers, FIELDS),
            ("message.body", self.message.body, JOB),
        )
        for key, template, known in texts:
            if wrong := json_body.wrong_in(template, known):
                raise ValueError(f"{key}: {wrong}")
        if not _carries(self.probe.headers):
            if not _carries(self.submit.valid):
                raise ValueError(
                    "nothing carries a probe's mark: write {probe} into a header of `probe` or into `submit.valid`"
                )
            if self.submit.duplicate is not None and not _carries(self.submit.duplicate):
                raise ValueError(
                    "submit.duplicate carries no probe's mark, and no header of `probe` does: a job that is made of it "
                    "counts as a user; write {probe} into it"
                )
        self._mark_has_its_place()
        if self.result.fetched == "link" and self.status.told_by != "status":
            raise ValueError(
                f"result.fetched is 'link', which stands in the answer that says completed, and status.told_by is "
                f"'{self.status.told_by}': nobody gets that answer; say 'fetched: bucket' or 'fetched: route'"
            )
        if json_body.at(self.message.body, self.message.job_id) != "{job_id}":
            raise ValueError(f"message.body does not have {{job_id}} at '{self.message.job_id}' (message.job_id)")
        return self
