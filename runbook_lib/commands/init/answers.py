"""The facts about a service for `runbook init`: said by a person, found in AWS, guessed from its name, or missing."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from runbook_lib.base.errors import UsageError
from runbook_lib.base.foreign import one_line
from runbook_lib.base.nearest import hint
from runbook_lib.base.template import fault, filled
from runbook_lib.commands.init.tools import DEFAULT
from runbook_lib.params.aws_names import fault as name_fault
from runbook_lib.params.crew import numbered
from runbook_lib.params.cross_check import RESOURCES
from runbook_lib.params.phases import ENVIRONMENTS, EnvironmentKind
from runbook_lib.params.posts import KEYS, MOST, Post, posts
from runbook_lib.params.price_list import own_file
from runbook_lib.params.service import JOB, NO_JOB

REGION = "us-east-1"
ROUTES = {"sync": "/api/{service}", "submit": "/api/{service}-async", "status": "/api/{service}/status/{job_id}"}
"""Paths of the routes if nobody has said or found them."""
NO_ROUTE = "none"
"""Value of `--route status=`: the API has no such route, and no function for one."""
NO_ACCOUNT = "000000000000"
"""An account of nobody: a run with it reports that the caller's account is another one."""
REGIONS = re.compile("[a-z]{2,4}(-[a-z]+)+-[0-9]")
"""The form of a region's name."""
_SERVICE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAMES = {
    "queue": "{service}-jobs-queue-{env}",
    "dlq": "{service}-jobs-dlq-{env}",
    "table": "{service}-jobs-table-{env}",
    "bucket_prefix": "{service}-{env}-results-",
    "submit": "{service}-submit-lambda-{env}",
    "worker": "{service}-worker-lambda-{env}",
    "status": "{service}-status-lambda-{env}",
    "sync": "{service}-generator-lambda-{env}",
    "api": "{service}-api-{env}",
    "topic": "{service}-alarms-topic-{env}",
    "drill_queue": "{service}-drill-queue-{env}",
    "stack": "{service}-stack-{env}",
    "access_log": "/aws/apigateway/{service}-api-{env}",
    "gsi": "idempotency-key-index",
}
"""Names of resources if nobody has said or found them."""
FURTHER = tuple(f"{key}_{place}" for place in range(2, MOST + 1) for key in KEYS.values())
"""Keys of further workers' resources: entries of the list `workers` in service.yaml."""
CONCURRENCY = "5"
"""Number of jobs that a worker works on at the same time, if nobody has said or found it."""
TRAFFIC = {
    "application": "{service}-rollout-{env}",
    "dial_profile": "{service}-async-dial",
    "switch_profile": "{service}-async-switch",
    "dial_environment": "{env}",
    "switch_environment": "{env}-switch",
    "immediate_strategy": "{service}-immediate-strategy-{env}",
    "soak_strategy": "{service}-soak-strategy-{env}",
    "flag": "async",
}
"""Values of `traffic` in service.yaml, where the home of the weight is AppConfig."""
ALARMS = {
    "dlq": "{service}-dlq-alarm-{env}",
    "worker_errors": "{service}-worker-errors-alarm-{env}",
    "guard_failed_jobs": "{service}-failed-jobs-guard-{env}",
    "guard_worker_errors": "{service}-worker-crashes-guard-{env}",
    "guard_submit_5xx": "{service}-submit-5xx-guard-{env}",
    "guard_queue_depth": "{service}-queue-depth-guard-{env}",
}
"""Names of the alarms that the team's own code makes, by their ids in gates.yaml; notebook 04 makes the others."""


@dataclass(frozen=True)
class Said:
    """One value and its source."""

    value: str
    source: str
    """Source: `said`, `found` or `guessed`."""


@dataclass
class Answers:
    """All values for filling in the parameter files."""

    service: str
    region: Said
    """Region of each environment that has none of its own in `regions`."""
    regions: dict[str, Said] = field(default_factory=dict)
    accounts: dict[str, Said] = field(default_factory=dict)
    names: dict[str, Said] = field(default_factory=dict)
    routes: dict[str, Said] = field(default_factory=dict)
    kind: Said = Said("rest", "guessed")
    stage: Said = Said("prod", "guessed")
    release: str = ""
    tool: str = DEFAULT
    """Name of the tool that deploys the infrastructure."""
    concurrency: dict[str, Said] = field(default_factory=dict)
    """Number of jobs that each worker works on at the same time, by its key in `names`."""
    table: dict[str, Said] = field(default_factory=dict)
    """Names of the jobs table's attributes, as `contract.table` of service.yaml has them."""
    traffic: dict[str, Said] = field(default_factory=dict)
    """Settings of `traffic` in service.yaml."""
    alarms: dict[str, Said] = field(default_factory=dict)
    """Names of the team's own alarms, by their ids in gates.yaml."""
    environments: dict[str, EnvironmentKind] = field(default_factory=lambda: dict(ENVIRONMENTS))
    """The project's environments in their order, and whose rules hold in each."""

    def add(self, kind: str, key: str, value: str, source: str = "found") -> None:
        """Stores a found value, unless a person has said another."""
        known: dict[str, Said] = getattr(self, kind)
        if key not in known:
            known[key] = Said(value, source)

    def complete(self) -> None:
        """Guesses the missing values from the service's name."""
        for key, template in _NAMES.items():
            self.names.setdefault(key, Said(_named(template, self.service), "guessed"))
        for post in self.crew:
            for key in post.keys if post.suffix else ():
                template = numbered(_NAMES[key.removesuffix(post.suffix)], post.place)
                self.names.setdefault(key, Said(_named(template, self.service), "guessed"))
            self.concurrency.setdefault(post.worker, Said(CONCURRENCY, "guessed"))
        for key, template in ROUTES.items():
            self.routes.setdefault(key, Said(_named(template, self.service), "guessed"))
        if self.tells_no_status:
            self.names.pop("status", None)
        for known, guesses in ((self.traffic, TRAFFIC), (self.alarms, ALARMS)):
            for key, template in guesses.items():
                known.setdefault(key, Said(_named(template, self.service), "guessed"))

    @property
    def crew(self) -> tuple[Post, ...]:
        """The place of each worker that has a name."""
        places = [int(key[-1]) for key in self.names if key in FURTHER]
        return posts(1, (1,) * (max(places, default=1) - 1))

    def _key(self, name: str) -> str:
        """Where service.yaml has a resource's name: of several workers it is their list."""
        for place, post in enumerate(self.crew if len(self.crew) > 1 else ()):
            for key, of_first in KEYS.items():
                if name == post.key(of_first):
                    return f"workers[{place}].{key}"
        return f"names.{name}"

    def region_of(self, env: str) -> str:
        """The region of an environment."""
        return self.regions.get(env, self.region).value

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Each region of an environment that the delivered price list is not about."""
        return tuple(one for one in dict.fromkeys(map(self.region_of, self.environments)) if one != REGION)

    @property
    def tells_no_status(self) -> bool:
        """Whether the API has no status route (`--route status=none`)."""
        return "status" in self.routes and self.routes["status"].value == NO_ROUTE

    def told(self) -> list[tuple[str, str, str]]:
        """Source, name and value of each fact; missing ones last, with the place to say them."""
        rows = [("region", self.region), ("api.kind", self.kind), ("api.stage", self.stage)]
        rows += [(f"region of {env}", said) for env, said in self.regions.items()]
        rows += [(self._key(key), said) for key, said in self.names.items()]
        for place, post in enumerate(self.crew):
            key = f"workers[{place}].concurrency" if len(self.crew) > 1 else "workers"
            rows += [(key, self.concurrency[post.worker])] if post.worker in self.concurrency else []
        rows += [(f"api.routes.{key}", said) for key, said in self.routes.items()]
        rows += [(f"contract.table.{key}", said) for key, said in self.table.items()]
        rows += [(f"traffic.{key}", said) for key, said in self.traffic.items()]
        rows += [(f"alarms.{key}.name", said) for key, said in self.alarms.items()]
        rows += [(f"account_id of {env}", said) for env, said in self.accounts.items()]
        order = {"said": 0, "found": 1, "guessed": 2}
        listed = [(said.source, key, said.value) for key, said in sorted(rows, key=lambda one: order[one[1].source])]
        missing = [
            ("missing", f"account_id of {env}", f"params/{env}.yaml, or --account {env}=ID")
            for env in self.environments
            if env not in self.accounts
        ]
        for region in self.unpriced:
            where = f"params/{own_file(region)}, each `null` in it; until then no cost, and its gate holds"
            missing.append(("missing", f"prices in {region}", where))
        return [*listed, *missing, *_ALWAYS]


_ALWAYS = [
    ("missing", "how the team tests, diffs and deploys", "params/commands.yaml"),
    ("missing", "how the service is spoken to", "params/service.yaml, contract"),
    (
        "missing",
        "its own metrics: namespace, service, names",
        "params/service.yaml, kpi_namespace, kpi_service, contract.kpi",
    ),
    ("missing", "the log line of a failed job", "params/service.yaml, failure_line"),
    ("missing", "what a job costs and how long it takes", "params/service.yaml, sizes and tokens; params/gates.yaml"),
]
"""Facts that no stack tells."""


def _named(template: str, service: str) -> str:
    return template.replace("{service}", service)


def of_flags(
    service: str,
    *,
    region: Sequence[str] = (),
    kind: str = "",
    stage: str = "",
    release: str = "",
    accounts: Sequence[str] = (),
    names: Sequence[str] = (),
    routes: Sequence[str] = (),
    environments: Mapping[str, EnvironmentKind] | None = None,
) -> Answers:
    """The facts that a person has said on the command line.

    Args:
        environments: the project's own; None: the delivered ones.

    Raises:
        UsageError: the first one that cannot be understood.
    """
    if not _SERVICE.fullmatch(service):
        raise UsageError(
            f"--service is '{one_line(service)}', expects a name in small letters and dashes, such as orders-export"
        )
    if not isinstance(yaml.safe_load(service), str):
        raise UsageError(f"--service is '{service}', which YAML reads as something else; choose another name")
    if kind not in ("", "rest", "http"):
        raise UsageError(f"--api is '{kind}', expects rest or http")
    own = dict(environments or ENVIRONMENTS)
    everywhere, regions = _regions(region, own)
    made = Answers(service, everywhere, regions, release=release)
    made.kind = Said(kind, "said") if kind else made.kind
    made.stage = Said(stage, "said") if stage else made.stage
    made.environments = own
    made.accounts = _accounts(accounts, tuple(made.environments))
    made.names = _pairs("--name", names, RESOURCES, FURTHER)
    made.routes = _pairs("--route", routes, tuple(ROUTES))
    for env, said in made.accounts.items():
        if not re.fullmatch(r"[0-9]{12}", said.value):
            raise UsageError(f"--account {env}={said.value}: an AWS account id has 12 digits")
    for key, said in made.names.items():
        if wrong := fault(said.value, ("env",)):
            raise UsageError(f"--name {key}={said.value}: {wrong}")
        if wrong := name_fault(key, filled(said.value, {"env": next(iter(made.environments))})):
            raise UsageError(f"--name {key}={said.value}: {wrong}")
    _routed(made.routes)
    return made


def _routed(routes: Mapping[str, Said]) -> None:
    """Refuses what is no path of a route."""
    for key, said in routes.items():
        if key == "status" and said.value == NO_ROUTE:
            continue
        if not said.value.startswith("/"):
            also = ", or none" if key == "status" else ""
            raise UsageError(f"--route {key}={said.value}: expects a path that begins with /{also}")
        if key == "status" and not JOB.search(said.value):
            raise UsageError(f"--route {key}={said.value}: {NO_JOB}")


def _regions(given: Sequence[str], environments: Mapping[str, object]) -> tuple[Said, dict[str, Said]]:
    """The region of all environments, and of each that has one of its own; what is said last holds."""
    everywhere, own = Said(REGION, "guessed"), dict[str, Said]()
    for one in given:
        env, equals, region = one.rpartition("=")
        if equals and env not in environments:
            raise UsageError(f"--region {one}: no '{env}' here; {hint(env, environments) or ', '.join(environments)}")
        if not REGIONS.fullmatch(region):
            raise UsageError(f"--region is '{region}', expects one such as eu-central-1")
        if equals:
            own[env] = Said(region, "said")
        else:
            everywhere = Said(region, "said")
    return everywhere, {env: said for env, said in own.items() if said.value != everywhere.value}


def _accounts(given: Sequence[str], environments: Sequence[str]) -> dict[str, Said]:
    try:
        return _pairs("--account", given, environments)
    except UsageError as error:
        if ": no '" not in str(error):
            raise
        raise UsageError(f"{error}; name yours by --environment NAME=KIND") from None


def _pairs(option: str, given: Sequence[str], known: Sequence[str], more: Sequence[str] = ()) -> dict[str, Said]:
    """The pairs by their keys; `more`: keys that a sentence about a wrong one need not list."""
    found = dict[str, Said]()
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or not value:
            raise UsageError(f"{option} {pair}: expects KEY=VALUE")
        if key not in (*known, *more):
            raise UsageError(f"{option} {pair}: no '{key}' here; {hint(key, known) or ', '.join(known)}")
        if key in found:
            raise UsageError(f"{option} {pair}: '{key}' is said twice; say it once")
        found[key] = Said(value, "said")
    return found


def templated(name: str, env: str) -> str:
    """A name from one environment as a template for all: the environment, as a word of its own, becomes `{env}`.

    >>> templated("orders-worker-prod", "prod"), templated("products-table", "prod")
    ('orders-worker-{env}', 'products-table')
    """
    safe = name.replace("{", "").replace("}", "")
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(env)}(?![A-Za-z0-9])", "{env}", safe)


class ByEnvironment(str):
    """A value for each environment, as YAML has it on one line: no text of anybody's."""

    __slots__ = ()


def by_environment(ids: Mapping[str, str], environments: Collection[str] = tuple(ENVIRONMENTS)) -> ByEnvironment:
    """A value for each environment."""
    return ByEnvironment("{" + ", ".join(f"{env}: {ids.get(env, 'missing')}" for env in environments) + "}")
