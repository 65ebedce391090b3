"""What a project's folder already says: a second `runbook init` starts from it, and not from guesses of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from runbook_lib.base.errors import UsageError
from runbook_lib.base.plain_file import read_plain
from runbook_lib.base.project import read_yaml
from runbook_lib.commands.init import tools, workers
from runbook_lib.commands.init.answers import ALARMS, NO_ACCOUNT, NO_ROUTE, REGIONS, Answers, Said
from runbook_lib.params.price_list import own_file

_REMARK = re.compile(r"^\s*(?:- )?[\w-]+:.*?\s#\s*(guessed|found)\b", re.MULTILINE)


def regions(root: Path, environments: Mapping[str, object]) -> list[str]:
    """The regions of the folder's environments, as `--region` has them; empty: there is none."""
    told = {env: str(_flat(root, env).get("region", "")) for env in environments}
    right = {env: region for env, region in told.items() if REGIONS.fullmatch(region)}
    common = max(right.values(), key=list(right.values()).count, default="")
    return [common, *(f"{env}={region}" for env, region in right.items() if region != common)] if right else []


def priced(root: Path, wanted: Mapping[str, bytes]) -> dict[str, bytes]:
    """The wanted files without the form of a price list that the folder has already, filled in or not."""
    lists = [_read(file).get("region") for file in (root / "params").glob("prices*.yaml")]
    had = {f"params/{own_file(str(region))}" for region in lists}
    return {path: content for path, content in wanted.items() if path not in had}


def tool(root: Path, service: str) -> str:
    """The tool whose commands the folder of the same service has, edited or not; else the default one."""
    if _same(_read(root / "params" / "service.yaml"), service):
        program = _program(_read(root / "params" / "commands.yaml"))
        for name, text in tools.delivered().items():
            if text and program and _program(yaml.safe_load(text)) == program:
                return name
    return tools.DEFAULT


def _program(commands: Mapping[str, Any]) -> list[str]:
    """The words that begin the command that deploys: `sam deploy`."""
    return str(_mapping(commands.get("deploy")).get("run", "")).split()[:2]


def add(root: Path, answers: Answers) -> None:
    """Adds what the folder says of the same service, where nobody has said it now and no stack tells it."""
    service = _read(root / "params" / "service.yaml")
    if not _same(service, answers.service):
        return
    _environments(root, answers)
    text = _text(root / "params" / "service.yaml")
    _service(service, text, answers)
    workers.of_folder(service, text, answers)
    _alarms(_read(root / "params" / "gates.yaml").get("alarms"), _text(root / "params" / "gates.yaml"), answers)


def _environments(root: Path, answers: Answers) -> None:
    for env in answers.environments:
        flat = _flat(root, env)
        account, release = flat.get("account_id"), flat.get("release")
        if isinstance(account, str) and account != NO_ACCOUNT:
            answers.add("accounts", env, account, "said")
        if isinstance(release, str) and not answers.release:
            answers.release = release


def _service(service: Mapping[str, Any], text: str, answers: Answers) -> None:
    api = _mapping(service.get("api"))
    for key in ("kind", "stage"):
        if getattr(answers, key).source == "guessed" and isinstance(api.get(key), str):
            setattr(answers, key, Said(api[key], "said"))
    said = {"names": service.get("names"), "routes": api.get("routes"), "traffic": service.get("traffic")}
    for kind, entries in said.items():
        for key, value in _texts(entries):
            if (kind, key) != ("traffic", "kind"):
                answers.add(kind, key, value, _source(text, key, value))
    attributes = _texts(_mapping(service.get("contract")).get("table"))
    for key, value in attributes:
        if key in ("job_id", "idempotency_key", "ttl"):
            answers.add("table", key, value, _source(text[text.rfind("\n  table:") :], key, value))
    if "routes" in api and "status" not in _mapping(api["routes"]):
        answers.add("routes", "status", NO_ROUTE, "said")


def _alarms(alarms: object, text: str, answers: Answers) -> None:
    """The names that `init` wrote: those have a remark."""
    for alarm in alarms if isinstance(alarms, list) else ():
        id, name = (str(_mapping(alarm).get(key, "")) for key in ("id", "name"))
        if id in ALARMS and f"    name: {name}   # " in text:
            answers.add("alarms", id, name, _source(text, "name", name))


def _same(service: Mapping[str, Any], name: str) -> bool:
    """Whether the folder is about the service of this name."""
    told = [service.get("kpi_service"), *(value for _, value in _texts(service.get("names")))]
    return any(isinstance(value, str) and name in value for value in told)


def _source(text: str, key: str, value: str) -> str:
    """`guessed` or `found`, if the remark of the value's line says so; else a person has said it."""
    for line in text.splitlines():
        if re.match(rf"\s*{re.escape(key)}:\s", line) and value in line:
            found = _REMARK.match(line)
            return found[1] if found else "said"
    return "said"


def _texts(said: object) -> Iterator[tuple[str, str]]:
    """The entries of a mapping that are texts; a value for each environment is left to the stack."""
    for key, value in _mapping(said).items():
        if isinstance(key, str) and isinstance(value, str):
            yield key, value


def _mapping(said: object) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}


def _flat(root: Path, env: str) -> Mapping[str, Any]:
    return _read(root / "params" / f"{env}.yaml")


def _read(file: Path) -> Mapping[str, Any]:
    """The file's content; empty where there is none, or none that can be read: then the difference is shown."""
    try:
        return read_yaml(file)
    except UsageError:
        return {}


def _text(file: Path) -> str:
    try:
        return read_plain(file).decode()
    except (OSError, ValueError):
        return ""
