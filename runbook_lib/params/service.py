"""`service.yaml` as models: the service under rollout, its API, traffic and notifications."""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.base.template import filled
from runbook_lib.judge import words
from runbook_lib.judge.money.charges import Sizes
from runbook_lib.judge.terms import Frozen
from runbook_lib.params import crew as of_workers
from runbook_lib.params.contract import Contract
from runbook_lib.params.metrics import METRICS, Metric
from runbook_lib.params.traffic import AppConfigHome, Traffic


def _name(value: object) -> object:
    """A text, or a text for each environment; else one sentence instead of one for each type that it might be."""
    if isinstance(value, dict):
        wrong = [f"{env} is {one!r}" for env, one in value.items() if not isinstance(one, str)]
        if wrong:
            raise ValueError(f"{wrong[0]}, expects text; quote it")
    elif not isinstance(value, str):
        raise PydanticCustomError("string_type", "expects text, or a text for each environment")
    return value


Name = Annotated[str | dict[str, str], BeforeValidator(_name)]


JOB = re.compile(r"\{([A-Za-z_]\w*)\}")
"""The part of a path in which the job's id stands, as the API calls it: `{job_id}`, `{jobId}`."""
NO_JOB = "does not say whose status is asked: expects the job's id in the path, as {job_id}"
"""What is wrong with a status route that names no job, as the end of a sentence."""


class Routes(Frozen):
    """Paths of the API."""

    sync: str
    """The synchronous route, whose users the rollout moves."""
    submit: str
    """The route that a job is submitted to."""
    status: str = ""
    """With the job's id in it, as the API itself calls that part: `{job_id}`, `{id}`. Left out: the API has no such
    route, and the table or the result tells what became of a job (`contract.status.told_by`)."""

    def status_of(self, job_id: str) -> str:
        """Path of the status of a job."""
        return JOB.sub(lambda _: quote(job_id, safe=""), self.status)


class AccessLogFields(Frozen):
    """JSON key under which a line of the API's access log holds each fact (`$context` variables in brackets)."""

    status: str = "status"
    """HTTP status that the caller got (`status`)."""
    response_type: str = "response_type"
    """Why the gateway itself refused: THROTTLED, WAF_FILTERED, ... (`error.responseType`); `-` where it did not."""
    method: str = "method"
    """HTTP method (`httpMethod`)."""
    path: str = "path"
    """The route's path (`resourcePath`); HTTP APIs have the route key (`routeKey`)."""
    time: str = "time"
    """When the request came, in milliseconds since 1970 (`requestTimeEpoch`)."""
    client: str = "user_agent"
    """What called (`identity.userAgent`). Optional: without it the log does not tell who the old clients are."""


STAGE = r"^[$A-Za-z0-9_-]{1,128}$"
"""API Gateway, CreateStage (`stageName`)."""


class Api(Frozen):
    """The API in front; metrics differ by kind (docs/domain.md, trap 4)."""

    kind: Literal["rest", "http"]
    """A REST API or an HTTP API."""
    stage: str = Field(pattern=STAGE)
    """Name of its stage; `$default` for an HTTP API without one."""
    timeout_s: float = Field(default=29, gt=0)
    """After so long the gateway answers by itself (quota "integration timeout": 29 s, 30 s of an HTTP API, or what the
    account has been granted)."""
    routes: Routes
    access_log_fields: AccessLogFields = AccessLogFields()


class Notify(Frozen):
    """Whom the alarms' topic tells, beside those whom the infrastructure code has subscribed."""

    pagerduty_ssm: str = ""
    """Parameter Store name of the pager's https address, which holds its integration key: read, and never shown."""
    drill_wait_s: float = Field(default=20, gt=0)
    """Real seconds that a fire drill listens for the notifications at most."""
    way_wait_s: float = Field(default=600, gt=0)
    """Real seconds that a failure of the drill's own may take from the log to the topic (a filter's points and an alarm
    need some minutes)."""
    webhook_ssm: str = ""
    """Parameter Store name of a chat's webhook, told of every rollback; its address is a secret."""
    webhook_env: str = ""
    """The same from an environment variable of this name, which has precedence."""

    @property
    def webhook(self) -> bool:
        """Whether one is configured."""
        return bool(self.webhook_ssm or self.webhook_env)


class Keeping(Frozen):
    """How the archive is kept (docs/audit.md): who signs the checkpoints of its log, and who else has them."""

    folder: str = "archive"
    """The archive that this is about, as the parameters name it: from the project's folder, or `s3://bucket/prefix`.
    That of a rehearsal is another one: neither signed nor witnessed."""
    signing_key: str = ""
    """File of an ed25519 private key (PEM), outside the archive, or `awskms:` with the id, alias or ARN of a key of AWS
    KMS (ECC_NIST_P256, SIGN_VERIFY). Empty: checkpoints are not signed."""
    witness: tuple[str, ...] = ()
    """Where each checkpoint is sent too: a file or folder elsewhere, `ssm:` with the name of a parameter, `sns:` with
    the ARN of a topic."""
    region: str = ""
    """AWS region of what names none itself; empty: that of the AWS configuration."""
    retain_days: int = Field(default=0, ge=0, le=36500)
    """Days for which a bucket's Object Lock keeps each record, and each state of the log, from being removed by
    anybody; 0: it is not asked to."""
    retain_mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    """GOVERNANCE: who has s3:BypassGovernanceRetention may remove them all the same. COMPLIANCE: nobody may."""


class Service(Frozen):
    """The service under rollout: names and the settings that must hold."""

    unit: str = Field(default="", max_length=40)
    """What one successful job makes, as tables, charts and sentences call it; the plural adds an s. Empty: job."""
    names: dict[str, Name]
    """By resource: one template for all environments (`{env}`), or a value for each, as ids need it."""
    api: Api
    traffic: Traffic
    """Where the weight lives: `kind` says which home, and with it what else stands here (docs/homes.md)."""
    kpi_namespace: str
    """CloudWatch namespace of the service's own metrics."""
    kpi_service: str
    """Value of their dimension `service`."""
    workers: int = Field(gt=0)
    """Jobs that are worked on at the same time: the worker's concurrency. Several workers: a list instead, with an
    entry `{function, queue, dlq, concurrency}` for each; `names` then needs no worker, queue and dlq."""
    more_workers: tuple[Annotated[int, Field(gt=0)], ...] = ()
    """Concurrency of the workers after the first, as the list of `workers` says it: leave it out."""
    job_deadline_s: int = Field(gt=0)
    """The client stops polling after this long: a later COMPLETED is no success."""
    poll_every_s: int = Field(gt=0)
    """A client asks for the status so often, seconds."""
    max_receives: int = Field(gt=0)
    """Times that a message is received before it goes to the dead-letter queue."""
    visibility_timeout_s: int = Field(gt=0)
    """Seconds for which a message that was received is hidden from other workers."""
    job_ttl_s: int = Field(gt=0)
    """Seconds that a job is kept in the table."""
    job_ttl_variable: str = ""
    """Environment variable that tells the submit function how long a job lives, in seconds; empty: none does, and
    `job_ttl_s` is taken at its word."""
    input_tokens: int = Field(gt=0)
    """Tokens that the LLM reads for a report, on the mean, where nothing tells them."""
    output_tokens: int = Field(gt=0)
    """Tokens that it writes."""
    dead_letter_wait_s: int = Field(default=900, gt=0)
    """So long may a dead letter take to raise its alarm, and a redriven job to complete."""
    worker_skips: tuple[str, ...] = ()
    """Status of jobs, beside COMPLETED, whose message the worker takes and does nothing about, such as FAILED."""
    notify: Notify = Notify()
    failure_line: str = '{"level": "ERROR", "message": "JobFailed"}'
    """What the worker writes into its log for a job that it marks FAILED: a line as it stands there, nothing secret."""
    metrics: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Metric] = Field(default_factory=dict)
    """Metrics of the service's own, beside those of the catalogue (`params/metrics.yaml`)."""
    contract: Contract = Contract()
    """How the service is spoken to: its requests and answers, its table's words, the marks of probes."""
    sizes: Sizes
    archive: Keeping = Keeping()

    @model_validator(mode="before")
    @classmethod
    def _listed_workers(cls, said: object) -> object:
        return of_workers.told(said)

    @model_validator(mode="after")
    def _new_metrics(self) -> Service:
        known = sorted(self.metrics.keys() & METRICS.keys())
        if known:
            raise ValueError(f"metrics: '{known[0]}' is in the catalogue already; give yours another name")
        if not self.api.routes.status and self.contract.status.told_by == "status":
            raise ValueError(
                "api.routes.status is left out, and contract.status.told_by is 'status': say who tells that a job has "
                "ended, table or result"
            )
        if self.traffic.kind == "rest-canary" and self.api.kind != "rest":
            raise ValueError("traffic.kind is 'rest-canary', and api.kind 'http': an HTTP API has no canary")
        if strange := sorted(self.contract.kpi.keys() - METRICS.keys()):
            raise ValueError(f"contract.kpi: the catalogue has no '{strange[0]}'; {hint(strange[0], METRICS)}")
        return self

    @property
    def crew(self) -> tuple[of_workers.Post, ...]:
        """Every worker's place; the first one first."""
        return of_workers.posts(self.workers, self.more_workers)

    @property
    def noun(self) -> str:
        """`unit`, or what it is called where nobody says."""
        return words.unit({"unit": self.unit})

    @property
    def failure_word(self) -> str:
        """What tells the log line of a failed job from others: as the contract says, else the `message` of a JSON line,
        else its first word.
        """
        if self.contract.failure_word:
            return self.contract.failure_word
        try:
            said = json.loads(self.failure_line)
        except ValueError:
            said = None
        if isinstance(said, dict) and isinstance(said.get("message"), str) and said["message"]:
            return str(said["message"])
        return next(iter(self.failure_line.split()), "")

    def post_of(self, key: str) -> of_workers.Post:
        """The worker that a key of `names` belongs to: `queue_2` to the second; the first where it belongs to none."""
        return next((post for post in self.crew if key in post.keys), self.crew[0])

    @property
    def of_further_workers(self) -> dict[str, Metric]:
        """Metrics of the workers after the first."""
        if not self.more_workers:
            return {}
        return of_workers.metrics(self.crew, {**METRICS, **self.kpis, **self.metrics})

    @property
    def kpis(self) -> dict[str, Metric]:
        """Rows of the catalogue as `contract.kpi` has them."""
        return {id: self.kpi(id) for id in self.contract.kpi}

    def kpi(self, id: str) -> Metric:
        """One row of the catalogue as `contract.kpi` has it.

        Raises:
            KeyError: the contract says nothing of it.
        """
        one, row = self.contract.kpi[id], METRICS[id]
        said = {"namespace": one.namespace or row.namespace, "name": one.metric or row.name}
        return row.model_copy(update={**said, "dimensions": one.dimensions or row.dimensions})

    @property
    def appconfig(self) -> AppConfigHome:
        """The home of the weight, where it is AppConfig.

        Raises:
            UsageError: it is another.
        """
        if not isinstance(self.traffic, AppConfigHome):
            raise UsageError(
                f"service.yaml: traffic.kind is '{self.traffic.kind}', and this is about the flags of AppConfig"
            )
        return self.traffic

    @property
    def methods(self) -> dict[str, str]:
        """HTTP method of each of the API's routes."""
        contract = self.contract
        return {"sync": contract.sync.method, "submit": contract.submit.method, "status": contract.status.method}

    def name(self, resource: str, env: str) -> str | None:
        """Physical name of a resource in an environment; None where there is none."""
        template = self.template(resource, env)
        return None if template is None else filled(template, {"env": env})

    def template(self, resource: str, env: str) -> str | None:
        """The same as it is written, with `{env}` in it."""
        said = self.names.get(resource)
        return said.get(env) if isinstance(said, dict) else said
