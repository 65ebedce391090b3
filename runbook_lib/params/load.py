"""Parameters: flat YAML per environment, and the nested policy beside it, validated into one frozen `Params`.

The flat names are exactly those of the notebooks' parameters cell, so `papermill -f params/prod.yaml` is enough.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
import tempfile
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from runbook_lib.base.errors import UsageError
from runbook_lib.base.kept_at import address
from runbook_lib.base.nearest import hint
from runbook_lib.base.project import beside, expanded, params_dir, project_root, read_yaml
from runbook_lib.judge.terms import Frozen
from runbook_lib.params import crew, own_steps, price_list
from runbook_lib.params.metrics import METRICS, Metric
from runbook_lib.params.phases import EnvironmentName
from runbook_lib.params.policy import Policy
from runbook_lib.params.prices import NoPrices, Prices
from runbook_lib.params.sentence import sentence
from runbook_lib.params.service import Service
from runbook_lib.params.written import strictly

__all__ = ["Flat", "Params", "load", "load_file", "params_dir", "project_root", "read_yaml", "validated"]

M = TypeVar("M", bound=BaseModel)


def _account(value: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", value):
        lost = " (a leading zero lost? quote it in YAML, use `-r` with papermill)" if value.isdigit() else ""
        raise ValueError(f"an AWS account id is a string of 12 digits{lost}")
    return value


_YEARS = (2006, 3000)
"""Years of a valid time: from the beginning of AWS to where days can still be added."""


def _instant(value: str) -> str:
    if value:
        try:
            parsed = dt.datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("not an ISO 8601 time such as 2026-11-23T03:00:00Z") from None
        if parsed.tzinfo is None:
            raise ValueError("has no time zone; write it in UTC, such as 2026-11-23T03:00:00Z")
        if not _YEARS[0] <= parsed.year < _YEARS[1]:
            raise ValueError(f"is not between the years {_YEARS[0]} and {_YEARS[1]}")
    return value


def _folder(value: str) -> str:
    if not address(value):
        expanded(value, "archive")
    return value


RELEASE = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""Id of a rollout: part of folders and addresses."""


class Flat(BaseModel):
    """The parameters cell: the choices of one run. Every value can be overridden by `-p name value`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    env: EnvironmentName = Field(description="environment: one of `environments` in gates.yaml")
    account_id: Annotated[str, AfterValidator(_account)] = Field(description="AWS account that must be the caller's")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$", description="AWS region")
    release: str = Field(pattern=RELEASE, description="id of the rollout, such as 2026.12-orders-export")
    mode: Literal["plan", "apply"] = Field(default="plan", description="plan changes nothing; apply also needs confirm")
    confirm: str = Field(default="", description="repeat the environment's name to apply")
    attempt: int = Field(default=1, ge=1, le=1000, description="raise it to try a phase again after it was rolled back")
    rollout_step: str = Field(
        default="",
        pattern=r"^[a-z0-9_]*$",
        description="step of gates.yaml that a phase's notebook carries out; empty: the one of its own name",
    )
    as_of: Annotated[str, AfterValidator(_instant)] = Field(
        default="", description="ISO 8601 UTC; empty: AWS's own clock"
    )
    operator: str = Field(default="", description="who runs this; empty: the caller's ARN")
    reason: str = Field(default="", description="why, for the record")
    archive: Annotated[str, AfterValidator(_folder)] = Field(
        default="archive", min_length=1, description="folder of the audit records, or s3://bucket/prefix"
    )
    api_url: str = Field(
        default="https://{api_id}.execute-api.{region}.amazonaws.com/{stage}",
        description="address of the API's stage",
    )
    commands: str = Field(
        default="commands",
        pattern=r"^[a-z0-9_-]+$",
        description="file of params/ with the commands that test, diff and deploy",
    )
    time_scale: float = Field(
        default=1.0, gt=0, le=1, description="seconds of real work per second of LLM time; 1 on AWS"
    )
    redact_emails: bool = Field(default=False, description="mask e-mail addresses in the record as secrets are")


class Params(Frozen):
    """One run's parameters, with the policy that judges it."""

    flat: Flat
    service: Service
    policy: Policy
    prices: Prices | NoPrices
    source: str
    """The folder of the nested files."""
    trouble: tuple[str, ...] = ()
    """In an incident: what is wrong in files that it does not need, in sentences."""

    def __getattr__(self, name: str) -> Any:
        if name in Flat.model_fields:
            return getattr(self.flat, name)
        raise AttributeError(name)

    def name(self, resource: str) -> str:
        """Physical name of a resource of `service.yaml` in this environment.

        Raises:
            UsageError: the resource has no name.
        """
        found = self.service.name(resource, self.flat.env)
        if found is None:
            here = f" in {self.flat.env}" if resource in self.service.names else ""
            raise UsageError(f"service.yaml names no resource '{resource}'{here}")
        return found

    def named(self, resource: str) -> bool:
        """Whether `service.yaml` names the resource in this environment."""
        return self.service.template(resource, self.flat.env) is not None

    def failure_line(self, worker: str = "worker") -> str:
        """The line that a worker logs for a job that it marks FAILED here.

        Args:
            worker: its key in `names`.
        """
        line = self.service.failure_line.replace("{env}", self.flat.env)
        return line.replace("{worker}", self.name(worker)) if "{worker}" in line else line

    @property
    def metrics(self) -> dict[str, Metric]:
        """Every known metric: those of the catalogue, of the home of the weight, of `service.yaml`, and those
        that measures describe.
        """
        service = self.service
        more = {**service.of_further_workers, **{id: METRICS[one] for id, one in service.traffic.instead.items()}}
        return {
            **METRICS,
            **service.kpis,
            **service.traffic.metrics,
            **service.metrics,
            **more,
            **self.policy.described,
        }

    def metric(self, id: str) -> Metric:
        """The metric called `id`.

        Raises:
            UsageError: no metric has that name.
        """
        if id in self.service.contract.kpi:
            return self.service.kpi(id)
        found = METRICS.get(self.service.traffic.instead.get(id, id)) or self.metrics.get(id)
        if found is None:
            raise UsageError(f"the metric catalogue has no '{id}'; {hint(id, self.metrics)}")
        return found

    def nested(self, file: str, model: type[M]) -> M:
        """`{file}.yaml` beside the other nested files, validated; only some notebooks need it.

        Raises:
            UsageError: the file is missing or wrong; the sentence names file, key and value.
        """
        path = Path(self.source) / f"{file}.yaml"
        if file == self.commands and not path.exists():  # a name that a person chose, not one of ours
            raise UsageError(f"'commands' of {self.env} is '{file}': expects a file {path}, which is not there")
        found = read_model(model, path)
        from runbook_lib.params.cross_check import check_file  # here, since it imports the parameters

        check_file(file, found, self)
        return found


FLAT_NAMES: tuple[str, ...] = tuple(Flat.model_fields)


def validated(
    model: type[M],
    values: Mapping[str, Any],
    source: str,
    file: Path | None = None,
    *,
    strict: bool = True,
    given: Collection[str] = (),
) -> M:
    """`model` from `values`, or an error of one sentence that names file, key and value.

    Args:
        source: name of the file in a sentence.
        file: file of the values; a sentence about a value without quotes names the line there.
        strict: whether each value must have the declared type (`params/written.py`).
        given: keys whose values come from `--set`.

    Raises:
        UsageError: the first mistake.
    """
    try:
        return strictly(model, values) if strict else model.model_validate(dict(values))
    except ValidationError as error:
        raise UsageError(sentence(error, model, values, source, file, overridden=model is Flat, given=given)) from None
    except UsageError as error:  # `_folder`
        raise UsageError(f"{'--set' if 'archive' in given else source}: {error}") from None


@lru_cache
def _spare(why: str) -> str:
    """The folder in place of an archive that cannot be one: the same for the whole process."""
    folder = tempfile.mkdtemp(prefix="runbook-archive-")
    print(f"{why}; what is recorded now is in {folder}", file=sys.stderr, flush=True)
    return folder


def read_model(model: type[M], path: Path, *, strict: bool = True) -> M:
    """`model` from a YAML file; `strict` as in `validated`.

    Raises:
        UsageError: the file is missing or wrong; the sentence names file, key and value.
    """
    return validated(model, read_yaml(path), f"{path.parent.name}/{path.name}", path, strict=strict)


def _read(model: type[M], path: Path, incident: list[str] | None) -> M:
    """`read_model`; in an incident, a value of a wrong type that can be converted is only noted as trouble."""
    try:
        return read_model(model, path)
    except UsageError as error:
        if incident is None:
            raise
        found = read_model(model, path, strict=False)
        incident.append(str(error))
        return found


def is_incident(notebook: str) -> bool:
    """Whether the notebook is a rollback, which only its own needs may stop."""
    return notebook.startswith("rollback_")


def load(
    values: Mapping[str, Any],
    *,
    source: str = "parameters",
    folder: Path | None = None,
    incident: bool = False,
    given: Collection[str] = (),
) -> Params:
    """`Params` from flat `values` and the nested files in `folder` (default: the nearest `params/`).

    Args:
        incident: whether missing or wrong prices, and a policy that contradicts itself, stop nothing: they become
            `trouble`.
        given: keys whose values come from `--set`: a sentence about one names that, not `source`.

    Raises:
        UsageError: one sentence that names file, key and value.
    """
    flat = validated(Flat, values, source, Path(source), given=given)
    where = folder or params_dir()
    trouble: list[str] = []
    loose = trouble if incident else None
    service, policy = _read(Service, where / "service.yaml", loose), _read(Policy, where / "gates.yaml", loose)
    if service.more_workers:
        known = {**METRICS, **service.kpis, **service.metrics}
        policy = crew.with_alarms(policy, service.crew, known)
    if flat.env not in policy.environments:
        named = hint(flat.env, policy.environments) or f"there are {', '.join(policy.environments)}"
        said = f"--set env={flat.env}:" if "env" in given else f"{source}: 'env' is '{flat.env}', but"
        raise UsageError(f"{said} gates.yaml names no such environment; {named}")
    policy = own_steps.seen_from(policy, flat.env)
    try:
        prices = _prices(where, flat.region)
    except UsageError as error:
        if not incident:
            raise
        trouble.append(f"{error}; costs are left out")
        prices = NoPrices.because(str(error), flat.region)
    if isinstance(prices, NoPrices) and not trouble:
        trouble.append(f"{prices.why}; until then the cost is NO DATA")
    params = Params.model_validate(
        {"flat": flat, "source": str(where), "service": service, "policy": policy, "prices": prices}
    )
    from runbook_lib.params import cross_check, sane  # here, since they import the parameters

    for check in (
        lambda params: cross_check.check_address(params, "--set" if "api_url" in given else source),
        cross_check.check,
        sane.check,
    ):
        try:
            check(params)
        except UsageError as error:
            if not incident:
                raise
            trouble.append(str(error))
    return params.model_copy(update={"trouble": tuple(trouble)}) if trouble else params


def _prices(folder: Path, region: str) -> Prices | NoPrices:
    """The list of the region; none where it is another region's, or a price is not written yet."""
    path = price_list.file_of(folder, region)
    raw = read_yaml(path)
    prices = validated(Prices, price_list.filled(raw), f"{path.parent.name}/{path.name}", path)
    return price_list.of_region(prices, path, price_list.unwritten(raw), region)


def load_file(
    path: Path, overrides: Mapping[str, Any] | None = None, *, incident: bool = False, spare: bool = False
) -> Params:
    """`Params` from a flat parameter file with single values overridden; `incident` as in `load`.

    Args:
        spare: whether a temporary folder replaces an archive whose address is none, which is said once.

    Raises:
        UsageError: the file or an override is missing or wrong.
    """
    values = {**read_yaml(path), **(overrides or {})}
    if spare and isinstance(said := values.get("archive"), str):
        try:
            _folder(said)
        except UsageError as error:
            values["archive"] = _spare(str(error))
    return load(values, source=str(path), folder=beside(path), incident=incident, given=overrides or ())
