"""`contract:` of service.yaml: how to talk to the service under rollout, as data (docs/adopting.md, key by key).

It says what a submission is and what its answers mean, how to ask for a status, where the result is, how a probe is
marked and where its mark arrives, and the names in the jobs table. The defaults are the contract of the first service
of this runbook. The docstring of a field is also its `description`.
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
"""Placeholders of a submission: a new UUID, the time (ISO 8601, UTC), and the mark of the sending run."""
JOB = (*FIELDS, "job_id")
"""Placeholders once a job exists."""
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Code = Annotated[int, Field(ge=100, le=599)]
Value = str | int | bool
Values = Annotated[tuple[Value, ...], Field(min_length=1)]
State = Literal["running", "completed", "failed", "unknown"]
Teller = Literal["status", "table", "result"]


class Answers(Declared):
    """The HTTP answers with one meaning: one of the codes, and a body that meets every condition."""

    codes: tuple[Code, ...] = Field(min_length=1)
    """Status codes; one of them must match."""
    where: dict[Path, Values] = Field(default_factory=dict)
    """Conditions on the JSON body: allowed values by path (`status: [DONE]`). Empty: the code is enough."""

    def fit(self, code: int, body: object) -> bool:
        """Whether an answer is one of these."""
        return code in self.codes and all(_same(json_body.at(body, path), ok) for path, ok in self.where.items())

    def told(self) -> str:
        """The answers in words: `200 with status COMPLETED`."""
        codes = " or ".join(map(str, self.codes))
        conditions = (f"{path} {' or '.join(map(str, values))}" for path, values in self.where.items())
        return " and ".join([codes + (" with" if self.where else ""), *conditions]).replace("with and", "with")

    def meets(self, other: Answers) -> bool:
        """Whether one answer could belong to both."""
        apart = any(not {*ok} & {*other.where[path]} for path, ok in self.where.items() if path in other.where)
        return bool({*self.codes} & {*other.codes}) and not apart


def _same(found: object, wanted: tuple[Value, ...]) -> bool:
    return any(found == one and isinstance(found, bool) == isinstance(one, bool) for one in wanted)


class Submission(Declared):
    """How a job is submitted (its path is `api.routes.submit`), and what the answers mean."""

    method: Method = "POST"
    """HTTP method."""
    headers: dict[str, str] = Field(default={"Content-Type": "application/json"})
    """Headers of every submission; `{uuid}`, `{now}`, `{probe}` and the names of `secrets` are replaced."""
    valid: Any = Field(default={"application_id": "smoke-{probe}", "idempotency_key": "smoke-{probe}-{uuid}"})
    """JSON body that creates a job: a template with `{uuid}`, `{now}` and `{probe}` in its texts."""
    duplicate: Any = None
    """JSON body that asks for the same job again, with the same values as the valid one; empty: that body itself."""
    invalid: Any = Field(default=["not", "a", "report"])
    """JSON body that must be refused, and creates no job."""
    accepted: Answers = Answers(codes=(202,))
    """The job was created."""
    repeated: Answers | None = Answers(codes=(200,))
    """The job existed already, and the answer has its id. Empty: the service creates a second job, and no smoke test
    asks."""
    refused: Answers = Answers(codes=(400,))
    """The body was wrong."""
    job_id: Path = "job_id"
    """Path of the job's id in the body of the answer."""
    idempotency_key: OptionalPath = "idempotency_key"
    """Path of the submitted body with the key that identifies a repeated job; empty: there is none."""

    @model_validator(mode="after")
    def _apart(self) -> Submission:
        for name, answers in (("accepted", self.accepted), ("repeated", self.repeated)):
            if answers is not None and answers.meets(self.refused):
                raise ValueError(
                    f"one answer could mean {name} and refused ({self.refused.told()}); give each its `where`"
                )
        return self


class Question(Declared):
    """How a job's status is asked for (its path is `api.routes.status`), and what the answers mean."""

    method: Method = "GET"
    """HTTP method."""
    headers: dict[str, str] = Field(default={})
    """Headers of every status request; the names of `secrets` are replaced, too."""
    told_by: Teller = "status"
    """Source of the news that a job has ended: the `status` route, the jobs `table` (if the route says PENDING for
    ever), or the existence of the `result`."""
    completed: Answers | None = Answers(codes=(200,), where={"status": ("COMPLETED",)})
    """The job is done. Empty if `told_by` is not `status`: the route never says so."""
    failed: Answers | None = Answers(codes=(200,), where={"status": ("FAILED",)})
    """The job failed. Empty: the route never says so."""
    running: Answers = Answers(codes=(202,))
    """The job waits or runs."""
    unknown: Answers | None = Answers(codes=(404, 410))
    """The job does not exist, or not any more. Empty: the route never says so."""
    word: OptionalPath = "status"
    """Path of the status in the answer, for a reader; empty: nowhere."""
    error: OptionalPath = "error"
    """Path of the failure's reason in the answer; empty: nowhere."""

    def states(self) -> Iterator[tuple[State, Answers]]:
        """Each state that the route can tell, with its answers."""
        if self.completed is not None:
            yield "completed", self.completed
        if self.failed is not None:
            yield "failed", self.failed
        if self.unknown is not None:
            yield "unknown", self.unknown
        yield "running", self.running

    def state(self, code: int, body: object) -> State | None:
        """The job's state according to an answer; None: the contract does not know the answer."""
        return next((state for state, answers in self.states() if answers.fit(code, body)), None)

    def told(self) -> str:
        """The known answers, in words."""
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
    """Way to the result: a `link` in the answer for completed jobs, a `route` of the API, or (for the runbook alone)
    the results `bucket`."""
    link: Path = "result_url"
    """Path of that link in the answer (`fetched: link`)."""
    path: str = Field(default="", pattern=r"^$|^/\S*$")
    """Path of that route, with `{job_id}` in it (`fetched: route`)."""
    key: str = "results/{job_id}.json"
    """Key of the result in the bucket, if the job's item does not have it (`table.result_key`)."""
    required: tuple[Path, ...] = ("report",)
    """Paths that must exist in the document, with a value. None: any JSON object is valid, or (without `job_id`) what
    `json_schema` allows, such as a list."""
    job_id: OptionalPath = "job_id"
    """Path of the job's id in the document; empty: nowhere, it is the bare document."""
    json_schema: dict[str, Any] | None = None
    """A JSON Schema that the document must meet, beside `required`; empty: none. A `$ref` is never fetched."""
    example: dict[str, Any] | None = None
    """A document as the service writes it, checked against `required` and `json_schema`; the sandbox writes it."""

    def fault(self, found: object, job_id: str = "") -> str:
        """What is wrong with a document, as the end of a sentence; empty: it is valid."""
        if not isinstance(found, dict) and (self.required or self.job_id or self.json_schema is None):
            return "it is not a JSON object"
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
            raise ValueError(
                "`path` has no {job_id}, and the result is fetched by a route; write the route with {job_id} in it"
            )
        if self.json_schema is not None and (wrong := document.wrong_schema(self.json_schema)):
            raise ValueError(f"json_schema {wrong}")
        if self.example is not None and (wrong := self.fault(self.example)):
            raise ValueError(f"example: {wrong}")
        if wrong := next(filter(None, (json_body.wrong_in(one, ("job_id",)) for one in (self.path, self.key))), ""):
            raise ValueError(wrong)
        return self


def _carries(template: object) -> bool:
    """Whether a template contains the mark of a probe."""
    return any("probe" in fields(text) for _, text in json_body.texts(template))


class Synchronous(Declared):
    """The old route (`api.routes.sync`), which answers with the result itself."""

    method: Method = "POST"
    """HTTP method."""
    codes: tuple[Code, ...] = Field(default=(200, 504), min_length=1)
    """The route's usual answers: 504 if the gateway times out, as in production."""
    answers: Literal["json", "any"] = "json"
    """What a good answer (2xx) has: `json`, or `any` body, such as a PDF or a page. A login page answers 200, too."""
    required: tuple[Path, ...] = ()
    """Paths that must exist in the JSON of a good answer, with a value."""

    def fault(self, code: int, body: object) -> str:
        """What is wrong with an answer that has one of the codes, as the end of a sentence; empty: nothing."""
        if not 200 <= code < 300 or code == 204 or self.answers == "any":
            return ""
        if body is None:
            return "it is not JSON (contract.sync.answers); does a login page stand between?"
        missing = next((path for path in self.required if json_body.at(body, path) in (None, "", [], {})), None)
        return "" if missing is None else f"it has nothing at '{missing}' (contract.sync.required)"

    @model_validator(mode="after")
    def _paths_of_json(self) -> Synchronous:
        if self.required and self.answers != "json":
            raise ValueError("`required` is about JSON, and `answers` is any; leave one of them out")
        return self


class Contract(Declared):
    """How to talk to the service. Missing keys have their defaults."""

    submit: Submission = Submission()
    """A submission and its answers."""
    status: Question = Question()
    """A status request and its answers."""
    result: Result = Result()
    """The result, and what makes it valid."""
    sync: Synchronous = Synchronous()
    """The old, synchronous route."""
    probe: Probe = Probe()
    """How the runbook's own requests are marked."""
    table: Table = Table()
    """The jobs table."""
    message: Message = Message()
    """The message in the work queue."""
    tokens: Tokens = Tokens()
    """Where the number of tokens of a job comes from."""
    failure_word: str = ""
    """Text in the worker's log line of a failed job, and in no other line; empty: the `message` of `failure_line`."""
    secrets: dict[str, str] = Field(default={})
    """Secrets of headers, by the name in braces in a header: the place of each, `env:VARIABLE`, `ssm:PARAMETER`,
    `secretsmanager:SECRET` or `secretsmanager:SECRET#FIELD`. The names may contain `{env}`. A secret is read when a
    request is sent, and masked everywhere."""
    kpi: dict[str, Kpi] = Field(default={})
    """The service's business metrics, by the id of the catalogue (`jobs_created`, `jobs_failed`, ...)."""

    def with_methods(self, *, submit: Method, sync: Method) -> Contract:
        """A copy with other methods of the two routes that take submissions."""
        if (submit, sync) == (self.submit.method, self.sync.method):
            return self
        own = self.submit.model_copy(update={"method": submit})
        return self.model_copy(update={"submit": own, "sync": self.sync.model_copy(update={"method": sync})})

    @property
    def tells_users(self) -> bool:
        """Whether a client learns through the API that its result exists, and can fetch it."""
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
                    f"'{name}' cannot be the name of a secret (contract.secrets); "
                    f"expects small letters, digits and _, and none of {', '.join(JOB)}"
                )
            if wrong := references.wrong(text):
                raise ValueError(f"secrets.{name} {wrong}")
            if name not in used:
                raise ValueError(
                    f"secrets.{name} is not used by any header; write {{{name}}} into submit.headers, or remove it"
                )
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
                f"result.fetched is 'link', which is in the answer that says completed, but status.told_by is "
                f"'{self.status.told_by}': nobody gets that answer; say 'fetched: bucket' or 'fetched: route'"
            )
        if json_body.at(self.message.body, self.message.job_id) != "{job_id}":
            raise ValueError(f"message.body does not have {{job_id}} at '{self.message.job_id}' (message.job_id)")
        return self
