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
from runbook_lib.params import posts
from runbook_lib.params.contract import Contract
from runbook_lib.params.keeping import Keeping
from runbook_lib.params.metrics import METRICS, Metric
from runbook_lib.params.traffic import AppConfigHome, Traffic


def _name(value: object) -> object:
    """A text, or a text per environment; else one sentence instead of one per possible type."""
    if isinstance(value, dict):
        wrong = [f"{env} is {one!r}" for env, one in value.items() if not isinstance(one, str)]
        if wrong:
            raise ValueError(f"{wrong[0]}, expects text; quote it")
    elif not isinstance(value, str):
        raise PydanticCustomError("string_type", "expects text, or a text for each environment")
    return value


Name = Annotated[str | dict[str, str], BeforeValidator(_name)]


JOB = re.compile(r"\{([A-Za-z_]\w*)\}")
"""The placeholder of a job's id in a path, as the API calls it: `{job_id}`, `{jobId}`."""
NO_JOB = "does not say whose status is asked: expects the job's id in the path, as {job_id}"
"""Mistake of a status route that names no job, as the end of a sentence."""


class Routes(Frozen):
    """Paths of the API."""

    sync: str
    """The synchronous route, whose users the rollout moves."""
    submit: str
    """The route for submissions of jobs."""
    status: str = ""
    """With the job's id in it, as the API itself calls that part: `{job_id}`, `{id}`. Left out: the API has no such
    route, and the table or the result tells what became of a job (`contract.status.told_by`)."""

    def status_of(self, job_id: str) -> str:
        """Path of the status of a job."""
        return JOB.sub(lambda _: quote(job_id, safe=""), self.status)


class AccessLogFields(Frozen):
    """JSON keys of the facts in a line of the API's access log (`$context` variables in brackets)."""

    status: str = "status"
    """HTTP status for the caller (`status`)."""
    response_type: str = "response_type"
    """Reason of a refusal by the gateway itself: THROTTLED, WAF_FILTERED, ... (`error.responseType`); else `-`."""
    method: str = "method"
    """HTTP method (`httpMethod`)."""
    path: str = "path"
    """Path of the route (`resourcePath`); HTTP APIs have the route key (`routeKey`)."""
    time: str = "time"
    """Time of the request, in milliseconds since 1970 (`requestTimeEpoch`)."""
    client: str = "user_agent"
    """The calling program (`identity.userAgent`). Optional: without it the log does not show the old clients."""


STAGE = r"^[$A-Za-z0-9_-]{1,128}$"
"""Form of a stage's name (API Gateway, CreateStage, `stageName`)."""


class Api(Frozen):
    """The API in front; metrics differ by kind (docs/domain.md, trap 4)."""

    kind: Literal["rest", "http"]
    """REST API or HTTP API."""
    stage: str = Field(pattern=STAGE)
    """Name of its stage; `$default` for an HTTP API without one."""
    timeout_s: float = Field(default=29, gt=0)
    """Seconds after which the gateway answers by itself (quota "integration timeout": 29 s, 30 s of an HTTP API, or the
    account's own quota)."""
    routes: Routes
    access_log_fields: AccessLogFields = AccessLogFields()


class Notify(Frozen):
    """Receivers of the alarms' topic, beside the subscribers in the infrastructure code."""

    pagerduty_ssm: str = ""
    """Parameter Store name of the pager's https address, which contains its integration key: read, and never shown."""
    drill_wait_s: float = Field(default=20, gt=0)
    """Most real seconds that a fire drill listens for notifications."""
    way_wait_s: float = Field(default=600, gt=0)
    """Real seconds that the drill's own failure may take from the log to the topic (a filter's points and an alarm
    need some minutes)."""
    webhook_ssm: str = ""
    """Parameter Store name of a chat's webhook, which is told of every rollback; its address is a secret."""
    webhook_env: str = ""
    """Environment variable with the webhook's address; it overrides `webhook_ssm`."""

    @property
    def webhook(self) -> bool:
        """Whether a webhook is configured."""
        return bool(self.webhook_ssm or self.webhook_env)


class Service(Frozen):
    """The service under rollout: names and the settings that must hold."""

    unit: str = Field(default="", max_length=40)
    """Noun for the result of one successful job, in tables, charts and sentences; the plural adds an s. Empty: job."""
    names: dict[str, Name]
    """Resource to one template for all environments (`{env}`), or to a value for each, as ids need it."""
    api: Api
    traffic: Traffic
    """Home of the weight: `kind` names it, and the other keys depend on it (docs/homes.md)."""
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
    """Seconds after which the client stops polling: a later COMPLETED is no success."""
    poll_every_s: int = Field(gt=0)
    """Seconds between two status requests of a client."""
    max_receives: int = Field(gt=0)
    """Number of receives after which a message goes to the dead-letter queue."""
    visibility_timeout_s: int = Field(gt=0)
    """Seconds for which a received message is hidden from other workers."""
    job_ttl_s: int = Field(gt=0)
    """Seconds that a job stays in the table."""
    job_ttl_variable: str = ""
    """Environment variable by which the submit function knows a job's lifetime in seconds; empty: none, and
    `job_ttl_s` is believed."""
    input_tokens: int = Field(gt=0)
    """Mean number of input tokens of the LLM per report, if no source tells it."""
    output_tokens: int = Field(gt=0)
    """Mean number of output tokens per report, if no source tells it."""
    dead_letter_wait_s: int = Field(default=900, gt=0)
    """Seconds that a dead letter may take to raise its alarm, and a redriven job to complete."""
    worker_skips: tuple[str, ...] = ()
    """Status words, beside COMPLETED, of jobs whose message the worker takes without doing anything, such as FAILED."""
    notify: Notify = Notify()
    failure_line: str = '{"level": "ERROR", "message": "JobFailed"}'
    """The worker's log line for a job that it marks FAILED: literally, without secrets; `{env}` and `{worker}` (the
    function's name) in it are filled in, for a metric that has them as dimensions.
    """
    metrics: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Metric] = Field(default_factory=dict)
    """Metrics of the service's own, beside those of the catalogue (`params/metrics.yaml`)."""
    contract: Contract = Contract()
    """How to talk to the service: its requests and answers, its table's words, the marks of probes."""
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
    def crew(self) -> tuple[posts.Post, ...]:
        """Every worker's place; the first one first."""
        return posts.posts(self.workers, self.more_workers)

    @property
    def noun(self) -> str:
        """`unit`, or its default."""
        return words.unit({"unit": self.unit})

    @property
    def failure_word(self) -> str:
        """Text that distinguishes the log line of a failed job: from the contract, else the `message` of a JSON line,
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

    def post_of(self, key: str) -> posts.Post:
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
        """Rows of the catalogue, changed by `contract.kpi`."""
        return {id: self.kpi(id) for id in self.contract.kpi}

    def kpi(self, id: str) -> Metric:
        """One row of the catalogue, changed by `contract.kpi`.

        Raises:
            KeyError: the contract does not have it.
        """
        one, row = self.contract.kpi[id], METRICS[id]
        said = {"namespace": one.namespace or row.namespace, "name": one.metric or row.name}
        return row.model_copy(update={**said, "dimensions": one.dimensions or row.dimensions})

    @property
    def appconfig(self) -> AppConfigHome:
        """The home of the weight, if it is AppConfig.

        Raises:
            UsageError: it is another home.
        """
        if not isinstance(self.traffic, AppConfigHome):
            raise UsageError(f"service.yaml: traffic.kind is '{self.traffic.kind}', and only 'appconfig' has flags")
        return self.traffic

    @property
    def methods(self) -> dict[str, str]:
        """HTTP method of each of the API's routes."""
        contract = self.contract
        return {"sync": contract.sync.method, "submit": contract.submit.method, "status": contract.status.method}

    def asked(self, route: str) -> str:
        """A route as requests ask for it: its method and its path."""
        return f"{self.methods[route]} {getattr(self.api.routes, route)}"

    def name(self, resource: str, env: str) -> str | None:
        """Physical name of a resource in an environment; None if there is none."""
        template = self.template(resource, env)
        return None if template is None else filled(template, {"env": env})

    def template(self, resource: str, env: str) -> str | None:
        """The name of a resource as it is written, with `{env}` in it."""
        said = self.names.get(resource)
        return said.get(env) if isinstance(said, dict) else said
