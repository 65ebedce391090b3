"""The home of the weight, as data: `traffic` of service.yaml, one model per home, distinguished by `kind`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from runbook_lib.judge.terms import Frozen
from runbook_lib.params.metrics import Kind, Metric

PARAMETER = r"^/?[A-Za-z0-9_.{}-]+(/[A-Za-z0-9_.{}-]+)*$"
"""Form of a parameter's name (Systems Manager, PutParameter, `Name`), with `{env}` in it."""
ALIAS = r"^[A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*$"
"""Form of an alias (Lambda, CreateAlias, `Name`): not a number alone."""
FUNCTION = r"^(submit|status|sync|worker(_[2-9])?)$"
"""Keys of functions that a release can be about."""
VERSION = r"^[1-9][0-9]*$"
"""A published version of a function; an alias with weights cannot point to $LATEST."""

_LAMBDA: tuple[tuple[str, str, str, Kind], ...] = (
    ("Invocations", "Sum", "invocations", "count"),
    ("Errors", "Sum", "errors", "count"),
    ("Duration", "p95", "ms", "latency"),
)
"""Name, statistic, unit and kind."""

Arms = tuple[str, str]
"""Metrics that count the traffic of the new side, and of the old one."""


class _ByRoute(Frozen):
    """A home whose clients choose the route by the weight."""

    @property
    def arms(self) -> Arms:
        """The routes, since clients choose them."""
        return "async_requests", "sync_requests"

    @property
    def metrics(self) -> dict[str, Metric]:
        """Metrics of its own, beside the catalogue: none."""
        return {}

    @property
    def instead(self) -> dict[str, str]:
        """Metrics of the catalogue that stand for others of it, since those see nothing here: none."""
        return {}


class AppConfigHome(_ByRoute):
    """AWS AppConfig: dial and switch are two flags of one application. Its alarms take a weight back by themselves."""

    kind: Literal["appconfig"]
    """Home of the weight, which decides the other keys (docs/homes.md)."""
    application: str
    """Name of the AppConfig application."""
    dial_profile: str
    """Configuration profile of the weight."""
    switch_profile: str
    """Configuration profile of the kill switch."""
    dial_environment: str
    """Environment for deployments of the weight; its alarms take the weight back."""
    switch_environment: str
    """Environment for deployments of the switch; no alarm stops them."""
    immediate_strategy: str
    """Deployment strategy without a bake, for the switch and for the way back."""
    soak_strategy: str
    """Deployment strategy with a bake, so that guard alarms can take a raise back."""
    flag: str
    """Key of the flag in both profiles."""
    client_poll_s: int = Field(gt=0)
    """Seconds between two reads of the weight by clients; a change is in force only after that."""

    @property
    def watcher(self) -> str:
        """What watches the guards and takes the weight back by itself."""
        return "AppConfig"


class RegisterHome(_ByRoute):
    """Common keys of the homes other than AppConfig: a parameter of Parameter Store, whose versions are the steps."""

    parameter: str = Field(pattern=PARAMETER, max_length=1011)
    """Parameter Store name of the weight (`ssm`: clients read it), or of the list of its steps (the others)."""
    guard_alarm: str = ""
    """Composite alarm over the guards, which a person must watch, since nothing takes this weight back by itself."""
    client_poll_s: int = Field(default=60, gt=0)
    """Seconds between two reads of the weight by clients; a change is in force only after that."""

    @property
    def watcher(self) -> str:
        """What watches the guards: a composite alarm calls people, and `runbook watch` takes the weight back."""
        return "the composite alarm" if self.guard_alarm else "`runbook watch`"


class SsmHome(RegisterHome):
    """Systems Manager Parameter Store: clients read the weight from a parameter; its version detects other writers."""

    kind: Literal["ssm"]
    """Home of the weight, which decides the other keys (docs/homes.md)."""


class AliasHome(RegisterHome):
    """A weighted Lambda alias: a new version of a function takes a share of its calls. RevisionId detects writers."""

    kind: Literal["lambda-alias"]
    """Home of the weight, which decides the other keys (docs/homes.md)."""
    function: str = Field(pattern=FUNCTION)
    """Function with the new version: its key in `names`; of several workers the second is `worker_2`."""
    alias: str = Field(pattern=ALIAS, max_length=128)
    """Alias that its event source or its route calls."""
    version: str = Field(pattern=VERSION)
    """The new version."""
    stable: str = Field(pattern=VERSION)
    """The version before, which a rollback restores."""

    @model_validator(mode="after")
    def _two(self) -> AliasHome:
        if self.version == self.stable:
            raise ValueError(f"version and stable are both {self.version}; expects the new one and the one before it")
        return self

    @property
    def arms(self) -> Arms:
        """The versions, since the alias chooses them."""
        return "new_invocations", "stable_invocations"

    @property
    def metrics(self) -> dict[str, Metric]:
        """Invocations, errors and duration of each of the two versions, for calls through the alias.

        Dimensions: Lambda developer guide, "Types of metrics for Lambda functions" (ExecutedVersion compares two
        versions that are both targets of a weighted alias).
        """
        function = f"{{{self.function}}}"
        found = dict[str, Metric]()
        for side, version in (("new", self.version), ("stable", self.stable)):
            where = {"FunctionName": function, "Resource": f"{function}:{self.alias}", "ExecutedVersion": version}
            for name, stat, unit, kind in _LAMBDA:
                title = f"Version {version}: {name.lower()}"
                found[f"{side}_{name.lower()}"] = Metric(
                    namespace="AWS/Lambda", name=name, dimensions=where, stat=stat, unit=unit, kind=kind, title=title
                )
        return found


class CanaryHome(RegisterHome):
    """The canary of a REST API's stage: a share of its requests goes to another deployment of the API."""

    kind: Literal["rest-canary"]
    """Home of the weight, which decides the other keys (docs/homes.md)."""
    deployment: str = Field(pattern=r"^[a-z0-9]+$")
    """Id of the deployment behind the canary."""

    @property
    def arms(self) -> Arms:
        """The functions behind the two sides: the stage chooses, and both sides have the same paths."""
        return "submit_invocations", "sync_fn_invocations"

    @property
    def instead(self) -> dict[str, str]:
        """The canary's requests come by the path of the stage's own: the submit route's metrics see none of them, and
        the function that answers them sees all.
        """
        return {
            "async_requests": "submit_invocations",
            "async_5xx": "submit_errors",
            "async_latency": "submit_duration",
        }


Traffic = Annotated[AppConfigHome | SsmHome | AliasHome | CanaryHome, Field(discriminator="kind")]
