"""`runbook release`: a new version of one function as a rollout of its own, with parameters, records and notebooks.

It writes a folder of parameters beside the service's: the weight is the alias's, the phases are 06 to 08, the gates
judge the new version. From then on every command takes that folder's file: `runbook run 06`, `watch`, `rollback 1`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runbook_lib.base.all_or_none import write_all
from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.base.errors import AwsError, Refused, UsageError
from runbook_lib.base.foreign import one_line, word
from runbook_lib.base.nearest import hint
from runbook_lib.base.project import project_root, read_yaml
from runbook_lib.base.yaml_file import text_of
from runbook_lib.commands.release_policy import policy_of
from runbook_lib.observe.api_address import reached
from runbook_lib.observe.traffic.state import routing
from runbook_lib.params.load import RELEASE, Params, load_file
from runbook_lib.params.sentence import in_words
from runbook_lib.params.traffic import ALIAS, VERSION

FOLDER = "releases"
"""Folder for releases, beside `params/`."""
_BESIDE = ("prices", "inventory", "dashboard", "load")
"""Files that are copied unchanged."""


@dataclass(frozen=True)
class Release:
    """A release that is ready for its rollout."""

    file: Path
    """The parameter file for every command from now on."""
    function: str
    alias: str
    stable: str
    version: str
    first: str
    """The release's first phase."""
    written: bool
    """Whether this call wrote it; else it existed."""

    @property
    def sentence(self) -> str:
        """The release as a sentence for a terminal."""
        return f"{self.function}: version {self.version} instead of {self.stable}, through alias {self.alias}"

    @property
    def next(self) -> str:
        """The next command."""
        return f"runbook run {self.first} --params {word(self.file)}"


def prepare(file: Path, function: str, version: str, alias: str, name: str = "") -> Release:
    """Writes the folder of the release, all files or none; an existing folder stays as it is.

    Args:
        file: the service's own parameter file of the environment.
        function: key in `names`: worker, worker_2, submit or status.
        version: a published version.
        alias: the alias that the function's event source or route calls.
        name: id of the release; empty: made from function and version.

    Raises:
        UsageError: function or version does not exist, or the alias points to the version already.
        Refused: the alias splits its calls between two versions, so another release is under way.
        AwsError: Lambda refused or did not answer.
    """
    params = load_file(file)
    _said(params, function, version, alias)
    release = name or f"{function}-{version}"
    if not re.fullmatch(RELEASE, release):
        raise UsageError(f"--release is '{one_line(release)}': expects {in_words(RELEASE)}")
    into = project_root() / FOLDER / release
    made = into / file.name
    physical = params.name(function)
    if made.is_file():
        there = load_file(made)
        home = there.service.traffic
        if home.kind != "lambda-alias" or (home.function, home.version, home.alias) != (function, version, alias):
            raise UsageError(f"{into} is the folder of another release; choose another name with --release")
        return Release(made, physical, home.alias, home.stable, version, next(iter(there.policy.phases)), written=False)
    known, aws, _ = reached(params)
    stable = _stable(aws, function, physical, alias, version)
    files = _files(
        params, file, release, _home(release, function, version, stable, alias), migrated=_migrated(aws, known)
    )
    write_all({into / one: text.encode() for one, text in files.items()})
    try:
        first = next(iter(load_file(made).policy.phases))
    except UsageError:
        for one in files:
            (into / one).unlink(missing_ok=True)
        into.rmdir()
        raise
    return Release(made, physical, alias, stable, version, first, written=True)


def _said(params: Params, function: str, version: str, alias: str) -> None:
    """Refuses impossible values, before AWS is asked and a file is written."""
    keys = ("submit", *(post.worker for post in params.service.crew), "status", "sync")
    known = [one for one in keys if params.named(one)]
    if function not in known:
        env, meant = params.env, hint(function, known)
        raise UsageError(
            f"--function is '{one_line(function)}', which service.yaml does not name as one in {env}; {meant}"
        )
    for option, said, pattern in (("version", version, VERSION), ("alias", alias, ALIAS)):
        if not re.fullmatch(pattern, said):
            raise UsageError(f"--{option} is '{one_line(said)}': expects {in_words(pattern)}")


def _stable(aws: Aws, key: str, function: str, alias: str, version: str) -> str:
    """The only version that the alias points to."""
    client = aws.client("lambda")
    with aws_errors(f"reading the versions of {function} (lambda:ListVersionsByFunction, GetAlias)"):
        try:
            pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
            versions = [str(one["Version"]) for page in pages for one in page["Versions"]]
        except client.exceptions.ResourceNotFoundException:
            raise UsageError(
                f"there is no function {function} in this account and region; deploy it, or edit names.{key} in "
                "service.yaml",
                nothing_changed=True,
            ) from None
        try:
            found = client.get_alias(FunctionName=function, Name=alias)
        except client.exceptions.ResourceNotFoundException:
            raise UsageError(
                f"{function} has no alias '{alias}'; create it at the version in use and have its event source or "
                "route call it (docs/homes.md)"
            ) from None
    if version not in versions:
        there = ", ".join(one for one in versions if one != "$LATEST") or "none"
        raise UsageError(f"--version is '{version}', which {function} does not have; it has {there}: publish it first")
    if (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights"):
        raise Refused(
            f"alias {function}:{alias} splits its calls already: another release is under way; end it first",
            nothing_changed=True,
        )
    stable = str(found["FunctionVersion"])
    if stable == version:
        raise UsageError(f"alias {function}:{alias} points to {version} already; expects the version after it")
    if stable == "$LATEST":
        raise UsageError(f"alias {function}:{alias} points to {stable}; point it to the version in use first")
    return stable


def _migrated(aws: Aws, params: Params) -> bool:
    """Whether users submit at the formerly synchronous route."""
    if params.service.traffic.kind in ("lambda-alias", "rest-canary"):
        return False
    try:
        return routing(aws, params)[0]
    except AwsError:  # no API yet, or no access to it: as in service.yaml
        return False


def _home(release: str, function: str, version: str, stable: str, alias: str) -> dict[str, str]:
    parameter = f"/runbook/{{env}}/{release}"
    said = {"kind": "lambda-alias", "parameter": parameter, "function": function, "alias": alias}
    return {**said, "version": version, "stable": stable}


def _files(params: Params, file: Path, release: str, home: Mapping[str, str], *, migrated: bool) -> dict[str, str]:
    """The files of the release's folder, by name."""
    source = Path(params.source)
    service = read_yaml(source / "service.yaml") | {"traffic": dict(home)}
    if migrated:
        routes = dict(service["api"]["routes"])
        routes["submit"], routes["sync"] = routes["sync"], routes["submit"]
        service["api"] = {**service["api"], "routes": routes}
        contract, methods = dict(service.get("contract") or {}), params.service.methods
        for one, other in (("submit", "sync"), ("sync", "submit")):
            contract[one] = {**(contract.get(one) or {}), "method": methods[other]}
        service["contract"] = contract
    flat = {**read_yaml(file), "release": release}
    policy = policy_of(read_yaml(source / "gates.yaml"))
    made = {
        file.name: _text(flat, f"Parameters of release {release}: as {file}, with its own id."),
        "service.yaml": _text(service, f"The service, with the weight of release {release}: an alias of Lambda."),
        "gates.yaml": _text(policy, f"The policy of release {release}; yours to change."),
    }
    for one in (*_BESIDE, f"prices-{params.region}"):
        if (source / f"{one}.yaml").is_file():
            made[f"{one}.yaml"] = text_of(source / f"{one}.yaml")
    for one in ("commands", "rehearsal-commands", params.commands):
        if (source / f"{one}.yaml").is_file():
            kept = _commands(read_yaml(source / f"{one}.yaml"), policy["steps"])
            made[f"{one}.yaml"] = _text(kept, f"The commands that release {release} runs.")
    return made


def _commands(said: Mapping[str, Any], steps: Collection[str]) -> dict[str, Any]:
    """The commands without the checks of notebooks that are no step of the release."""
    checks = said.get("checks")
    if not isinstance(checks, list) or not all(isinstance(one, Mapping) for one in checks):
        return dict(said)  # `params check` says what is wrong
    return {**said, "checks": [one for one in checks if one.get("notebook") in (None, *steps)]}


def _text(values: Mapping[str, Any], about: str) -> str:
    head = f"# {about}\n# Written by `runbook release` from the service's own; it is never overwritten.\n"
    return head + yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=120)
