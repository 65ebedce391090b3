"""Where the weight lives, as data: `traffic` of service.yaml, one model for each home, told apart by `kind`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from runbook_lib.judge.terms import Frozen
from runbook_lib.params.metrics import Kind, Metric

PARAMETER = r"^/?[A-Za-z0-9_.{}-]+(/[A-Za-z0-9_.{}-]+)*$"
"""Systems Manager, PutParameter (`Name`), with `{env}` in it."""
ALIAS = r"^[A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*$"
"""Lambda, CreateAlias (`Name`): not a number alone."""
VERSION = r"^[1-9][0-9]*$"
"""A published version of a function; an alias with weights cannot point to $LATEST."""

_LAMBDA: tuple[tuple[str, str, str, Kind], ...] = (
    ("Invocations", "Sum", "invocations", "count"),
    ("Errors", "Sum", "errors", "count"),
    ("Duration", "p95", "ms", "latency"),
)
"""Name, statistic, unit and kind."""

Arms = tuple[str, str]
"""Metrics that count what went to the new side, and what stayed on the old one."""


class _ByRoute(Frozen):
    """Clients choose the route by the weight."""

    @property
    def arms(self) -> Arms:
        """Clients choose the route."""
        return "async_requests", "sync_requests"

    @property
    def metrics(self) -> dict[str, Metric]:
        """Beside the catalogue's: none."""
        return {}


class AppConfigHome(_ByRoute):
    """AWS AppConfig: dial and switch are two flags of one application. Its alarms take a weight back by themselves."""

    kind: Literal["appconfig"]
    """Where the weight lives: the home says what else stands here (docs/homes.md)."""
    application: str
    """Its application."""
    dial_profile: str
    """Configuration profile of the weight."""
    switch_profile: str
    """Configuration profile of the kill switch."""
    dial_environment: str
    """Environment that the weight is deployed to; its alarms take it back."""
    switch_environment: str
    """Environment that the switch is deployed to; no alarm holds it."""
    immediate_strategy: str
    """Deployment strategy without a bake, for the switch and for the way back."""
    soak_strategy: str
    """Deployment strategy that bakes, so that guard alarms can take a raise back."""
    flag: str
    """Key of the flag in both profiles."""
    client_poll_s: int = Field(gt=0)
    """Clients read the weight this often; it is in force only after that."""


class RegisterHome(_ByRoute):
    """What the homes beside AppConfig share: a parameter of Parameter Store, whose versions are the steps so far."""

    parameter: str = Field(pattern=PARAMETER, max_length=1011)
    """Parameter Store name of the weight (`ssm`: clients read it), or of the list of its steps (the others)."""
    guard_alarm: str = ""
    """Composite alarm over the guards that somebody must watch, since nothing takes this weight back by itself."""
    client_poll_s: int = Field(default=60, gt=0)
    """Clients read the weight this often; it is in force only after that."""


class SsmHome(RegisterHome):
    """Systems Manager Parameter Store: clients read the weight from a parameter, whose version is the check."""

    kind: Literal["ssm"]
    """Where the weight lives: the home says what else stands here (docs/homes.md)."""


class AliasHome(RegisterHome):
    """A weighted alias of Lambda: a new version of one function takes a share of its calls. RevisionId is the check."""

    kind: Literal["lambda-alias"]
    """Where the weight lives: the home says what else stands here (docs/homes.md)."""
    function: Literal["submit", "worker", "status", "sync"]
    """Function that gets a new version: its key in `names`."""
    alias: str = Field(pattern=ALIAS, max_length=128)
    """Alias that its event source or its route calls."""
    version: str = Field(pattern=VERSION)
    """The new version."""
    stable: str = Field(pattern=VERSION)
    """The version before, which a rollback goes back to."""

    @model_validator(mode="after")
    def _two(self) -> AliasHome:
        if self.version == self.stable:
            raise ValueError(f"version and stable are both {self.version}; expects the new one and the one before it")
        return self

    @property
    def arms(self) -> Arms:
        """The alias chooses the version."""
        return "new_invocations", "stable_invocations"

    @property
    def metrics(self) -> dict[str, Metric]:
        """Invocations, errors and duration of each of the two versions, as calls through the alias.

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
    """Where the weight lives: the home says what else stands here (docs/homes.md)."""
    deployment: str = Field(pattern=r"^[a-z0-9]+$")
    """Id of the deployment that the canary serves."""

    @property
    def arms(self) -> Arms:
        """The stage chooses: both sides have the same paths, so the functions behind them tell the split."""
        return "submit_invocations", "sync_fn_invocations"


Traffic = Annotated[AppConfigHome | SsmHome | AliasHome | CanaryHome, Field(discriminator="kind")]
