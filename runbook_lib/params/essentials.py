"""The few parameters for turning async off, read without validating all the others.

`params.load` checks every file and takes as long as loading boto3; an incident does not wait for that, and a mistake in
a gate is no reason to leave users on a failing endpoint. This module checks only what it needs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import ENVIRONMENT, beside, environments, read_yaml
from runbook_lib.base.template import filled
from runbook_lib.base.yaml_anyhow import Odd, read_anyhow
from runbook_lib.base.yaml_file import unquoted
from runbook_lib.params.posts import Post

DEFAULTS: dict[str, Any] = {
    "mode": "plan",
    "confirm": "",
    "attempt": 1,
    "as_of": "",
    "operator": "",
    "reason": "",
    "archive": "archive",
}
"""Defaults as in `params.Flat`; a test compares them."""
_WANTED = {
    "env": ENVIRONMENT,
    "account_id": r"[0-9]{12}",
    "region": r"[a-z]{2}(-[a-z]+)+-[0-9]",
    "release": r"[A-Za-z0-9][A-Za-z0-9._-]*",
}
_TRAFFIC: Mapping[str, tuple[str, ...]] = {
    "appconfig": (
        *("application", "dial_profile", "switch_profile", "dial_environment", "switch_environment"),
        *("immediate_strategy", "soak_strategy", "flag", "client_poll_s"),
    ),
    "ssm": ("parameter",),
    "lambda-alias": ("parameter", "function", "alias", "version", "stable"),
    "rest-canary": ("parameter", "deployment"),
}
"""Home of the weight to the keys that turning the new side off needs; as in `params/traffic.py`."""
POLL_S = 60
"""Seconds between two reads of the weight by clients, if the file does not say; as in `params/traffic.py`."""


class Essentials:
    """Replaces `params.Params` for code that needs only account, names and flags."""

    def __init__(self, flat: Mapping[str, Any], service: Mapping[str, Any], folder: Path, source: str) -> None:
        self.values = {str(key): value for key, value in flat.items()}  # for YAML `1: x` is a name, too
        self.flat = SimpleNamespace(**self.values)
        self._names = {**_workers(service.get("workers")), **_part(service, "names")}
        stage = _part(service, "api").get("stage", "")
        traffic = {"client_poll_s": POLL_S, **service["traffic"]}
        self.service = SimpleNamespace(traffic=SimpleNamespace(**traffic), api=SimpleNamespace(stage=stage))
        self.folder = folder
        self.source = source

    def __getattr__(self, name: str) -> Any:
        flat = self.__dict__.get("flat")
        if flat is not None and hasattr(flat, name):
            return getattr(flat, name)
        raise AttributeError(name)

    def name(self, resource: str) -> str:
        """Physical name of a resource of `service.yaml` in this environment.

        Raises:
            UsageError: the resource has no name.
        """
        said = self._names.get(resource)
        said = said.get(self.flat.env) if isinstance(said, dict) else said
        if isinstance(said, Odd):
            raise UsageError(f"{self.folder.name}/service.yaml: {said}")
        if not isinstance(said, str):
            raise UsageError(f"{self.folder.name}/service.yaml names no resource '{resource}'")
        return filled(said, {"env": self.flat.env})

    @cached_property
    def policy(self) -> Any:
        """The only value of the policy that is needed: how old evidence may be, and that only if `as_of` is set."""
        tolerance = 0.0  # if the file does not say: old evidence gives a warning, and stops nothing
        with suppress(UsageError, KeyError, TypeError, ValueError):
            tolerance = float(read_yaml(self.folder / "gates.yaml")["as_of_tolerance_s"])
        return SimpleNamespace(as_of_tolerance_s=tolerance)


def _part(service: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = service.get(key)
    return found if isinstance(found, dict) else {}


def _flat(file: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as far as they can be read; of one that can be done without, the last value, else the default."""
    flat = {**DEFAULTS, **read_anyhow(file), **values}
    odd = {key: one for key, one in flat.items() if key in DEFAULTS and isinstance(one, Odd)}
    return flat | {key: DEFAULTS[key] if one.last is None else one.last for key, one in odd.items()}


def _whole(folder: Path, values: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if isinstance(odd := values.get(name), Odd):
            raise UsageError(f"{folder.name}/service.yaml: {odd}")


def unchecked(file: Path, values: Mapping[str, Any]) -> Essentials:
    """As `essentials`, as far as the files can be read, for advice only: whatever it lacks is missing. Never raises."""
    flat, service = dict(values), dict[str, Any]()
    with suppress(Exception):
        flat = {"env": file.stem, "region": "(the region)", **flat} if not file.exists() and spoken_of(file) else flat
        flat = _flat(file, values)
    with suppress(Exception):
        service = read_anyhow(beside(file) / "service.yaml")
    return Essentials(flat, {**service, "traffic": _part(service, "traffic")}, file.parent, str(file))


def spoken_of(file: Path) -> bool:
    """Whether `service.yaml` or the archive knows the environment of a parameter file that is not there.

    Raises:
        OSError: they cannot be read.
    """
    if not re.fullmatch(ENVIRONMENT, file.stem):
        return False
    folder = beside(file)
    said = re.sub("#.*", "", (folder / "service.yaml").read_text("utf-8", "replace"))
    alone = rf"(?<![\w.-]){file.stem}(?![\w.-])"
    return bool(re.search(alone, said)) or (folder.parent / "archive" / f"env={file.stem}").is_dir()


def _workers(listed: Any) -> dict[str, Any]:
    """Functions of a list of workers by their keys in `names`."""
    found = enumerate(listed, 1) if isinstance(listed, list) else ()
    return {Post(place, 1).worker: one.get("function") for place, one in found if isinstance(one, dict)}


def essentials(file: Path, values: Mapping[str, Any]) -> Essentials:
    """The parameters of `file`, overridden by `values`.

    Raises:
        UsageError: a necessary one is missing or wrong: file, key and value.
    """
    flat, folder = _flat(file, values), beside(file)
    for key, pattern in _WANTED.items():
        if key not in flat:
            raise UsageError(f"{file}: '{key}' is missing")
        value = flat[key]
        if isinstance(value, Odd):
            raise UsageError(f"{file}: {value}")
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            found = unquoted(file, [key], value) if key not in (*values, "account_id") else None
            if found is not None:
                raise UsageError(f"{file}, line {found[0]}: '{key}': {found[1]}")
            place = (
                f"--set {key}={value}"
                if key in values
                else f"{file}: '{key}' is {'empty' if value is None else repr(value)}"
            )
            hint = "; quote it in YAML, or its leading zeros are lost" if isinstance(value, int) else ""
            raise UsageError(f"{place}, expects {pattern}{hint}")
    if "env" in values and flat["env"] not in (there := environments(file.parent)):
        raise UsageError(f"--set env={flat['env']}: no file beside {file} is about it; there are {', '.join(there)}")
    service = read_anyhow(folder / "service.yaml")
    _whole(folder, service, "traffic")
    traffic = service.get("traffic")
    if not isinstance(traffic, dict):
        raise UsageError(f"{folder.name}/service.yaml: 'traffic' is missing")
    if isinstance(odd := traffic.get("client_poll_s"), Odd):  # only told
        traffic["client_poll_s"] = odd.last if type(odd.last) in (int, float) else POLL_S
    _whole(folder, traffic, "kind")
    wanted = _TRAFFIC.get(str(traffic.get("kind")))
    if wanted is None:
        known = ", ".join(map(repr, _TRAFFIC))
        raise UsageError(f"{folder.name}/service.yaml: traffic.kind is {traffic.get('kind')!r}, expects one of {known}")
    _whole(folder, traffic, *wanted)
    missing = [name for name in wanted if name not in traffic]
    if missing:
        raise UsageError(f"{folder.name}/service.yaml: '{missing[0]}' is missing")
    poll = traffic.get("client_poll_s", POLL_S)
    if isinstance(poll, bool) or not isinstance(poll, int | float):
        raise UsageError(f"{folder.name}/service.yaml: 'traffic.client_poll_s' is {poll!r}, expects seconds in digits")
    return Essentials(flat, service, folder, str(file))
