"""The project's folder: the files that `runbook init` would write, the existing ones, and their differences.

An existing file is never overwritten: if it differs, the difference is shown.
"""

from __future__ import annotations

import difflib
import errno
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from runbook_lib.base import scratch
from runbook_lib.base.all_or_none import write_all
from runbook_lib.base.errors import UsageError
from runbook_lib.base.own_files import OWN
from runbook_lib.base.plain_file import read_plain
from runbook_lib.base.project import delivered_files
from runbook_lib.commands.init.answers import REGION, Answers
from runbook_lib.commands.init.environments import of_folder, renamed
from runbook_lib.commands.init.rewrite import environment, rewritten
from runbook_lib.commands.params_check import check
from runbook_lib.params.phases import ENVIRONMENTS, EnvironmentKind
from runbook_lib.params.price_list import LLM, own_file

PARAMETERS = "parameters"
"""Tag of the cell that papermill overrides."""
_SETUP = "        run: make setup PYTHON=python3 # the one above, and no other that is quicker\n"
"""The delivered workflow's line that sets up a checkout."""


@dataclass(frozen=True)
class File:
    """One file of the project."""

    path: str
    state: str
    """`written`, `as it was`, or `differs`: left unchanged."""
    difference: str = ""


def planned(answers: Answers) -> dict[str, bytes]:
    """Content of every project file for this service, by path."""
    made, there, own = {}, delivered_files(), answers.environments
    for path, content in there.items():
        if path.startswith("params/"):
            if Path(path).stem not in ENVIRONMENTS:
                text = rewritten(Path(path).name, content.decode(), answers)
                made[path] = renamed(path, text, own).encode()
        else:
            text = _ours(path, installed(content) if path.endswith(".yml") else content, own).decode()
            made[path] = filled_cell(text, _values(answers, told_in_cell(text).get(ENV_IN_CELL, ""))).encode()
    for env, kind in own.items():
        text = there[f"params/{next(name for name, one in ENVIRONMENTS.items() if one == kind)}.yaml"].decode()
        text = re.sub(rf"\b({'|'.join(ENVIRONMENTS)})\b(?=:|\.yaml)", env, text)
        made[f"params/{env}.yaml"] = environment(env, text, answers).encode()
    return {**made, **{f"params/{own_file(region)}": form(region).encode() for region in answers.unpriced}}


def _values(answers: Answers, env: str) -> dict[str, str]:
    """The project's own parameters in an environment, as its flat file has them."""
    flat = yaml.safe_load(environment(env, delivered_files()["params/prod.yaml"].decode(), answers))
    return {key: flat[key] for key in IN_CELL}


def _kept(path: str, there: bytes, wanted: bytes) -> bytes:
    """A wanted notebook with what the one there says of the project: that is nobody's but the team's."""
    if not path.endswith(".ipynb"):
        return wanted
    return filled_cell(wanted.decode(), told_in_cell(there.decode(errors="replace"))).encode()


def _ours(path: str, content: bytes, environments: Mapping[str, EnvironmentKind]) -> bytes:
    return renamed(path, content.decode(), environments).encode()


def installed(workflow: bytes) -> bytes:
    """The workflow for a project that installs the runbook instead of being a checkout of it."""
    version = metadata.version(OWN)
    setup = f"        run: python -m venv .venv && .venv/bin/pip install --quiet {OWN}=={version}\n"
    return workflow.replace(_SETUP.encode(), setup.encode())


def write(root: Path, wanted: Mapping[str, bytes]) -> list[File]:
    """Writes the missing files, all or none.

    Raises:
        UsageError: the folder cannot be written, or `runbook params check` would refuse the content.
    """
    _refuse(root, wanted)
    told = [_beside(root, path, content) for path, content in wanted.items()]
    new = {root / one.path: wanted[one.path] for one in told if one.state == "written"}
    if any(one.path.startswith("params/") and one.state == "written" for one in told):
        _checked(wanted)
    _written(new, "choose another folder with --into")
    return told


def _beside(root: Path, path: str, content: bytes) -> File:
    """A wanted file compared with the existing one; `written`: there is none."""
    file = root / path
    if not file.exists():
        return File(path, "written")
    there = _read(file)
    content = _kept(path, there, content)
    return File(path, "as it was") if there == content else File(path, "differs", difference(path, there, content))


def _read(file: Path) -> bytes:
    try:
        return read_plain(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror})", nothing_changed=True) from None


def _written(files: Mapping[Path, bytes], then: str) -> None:
    try:
        write_all(files)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        said = f"{error.filename} cannot be written ({error.strerror}); {'make room there' if full else then}"
        raise UsageError(said, nothing_changed=True) from None


def _checked(wanted: Mapping[str, bytes]) -> None:
    """Runs the parameter checks of every run, before a file of the project is written; raises the first mistake."""
    with scratch.folder("init") as folder:
        write_all({folder / path: content for path, content in wanted.items() if path.startswith("params/")})
        wrong = next((one.sentence for one in check(folder / "params") if not one.ok), "")
    if wrong:
        said = wrong.replace(f"{folder}/", "")
        raise UsageError(f"`runbook params check` would refuse what was said: {said}", nothing_changed=True)


def _refuse(root: Path, wanted: Mapping[str, bytes]) -> None:
    """Checks every path before the first file is written; refuses a folder in a file's place, and the reverse."""
    for file in (root / path for path in wanted):
        for one in (file, *file.parents[: len(file.relative_to(root).parts)]):
            if one.is_symlink() and not one.exists():
                raise UsageError(f"{one} is a link that leads nowhere; remove it", nothing_changed=True)
            if one.exists() and one.is_dir() is (one == file):
                kind = "folder" if one == file else "file"
                raise UsageError(
                    f"{one} cannot be written: a {kind} is in its place; choose another folder with --into",
                    nothing_changed=True,
                )


def upgraded(root: Path, *, take: bool = False) -> list[File]:
    """The project's notebooks and workflow compared with those of the installed version.

    Args:
        take: whether to replace the differing files by the installed version's, all or none.

    Raises:
        UsageError: a file cannot be read or written.
    """
    told, new = [], dict[Path, bytes]()
    own = of_folder(root) or ENVIRONMENTS
    for path, content in delivered_files().items():
        if path.startswith("params/"):
            continue
        file = root / path
        wanted = _ours(path, installed(content) if path.endswith(".yml") and not _checkout(root) else content, own)
        there = _read(file) if file.exists() else b""
        wanted = _kept(path, there, wanted)
        if source(path, there) == source(path, wanted):
            told.append(File(path, "as it was"))
            continue
        new[file] = wanted
        told.append(File(path, "written" if take else "differs", difference(path, there, wanted)))
    if take:
        _written(new, "give the folder to who runs this")
    return told


def _checkout(root: Path) -> bool:
    """Whether the project is a checkout of the runbook itself, which sets itself up."""
    return (root / "runbook_lib" / "__init__.py").exists()


def difference(path: str, there: bytes, wanted: bytes) -> str:
    """A unified diff from the existing file to the runbook's; for a notebook, that of its cells."""
    return unified(path, source(path, there), source(path, wanted), f"runbook {metadata.version(OWN)}")


def unified(path: str, there: str, wanted: str, by: str = "runbook") -> str:
    """A unified diff from the existing text to the one by `by`."""
    one, other = there.splitlines(keepends=True), wanted.splitlines(keepends=True)
    return "".join(difflib.unified_diff(one, other, f"{path} (yours)", f"{path} ({by})"))


def source(path: str, content: bytes) -> str:
    """The part of a file that a person edits: for a notebook its cells with their tags, without outputs and ids."""
    text = content.decode("utf-8", errors="replace")
    if not path.endswith(".ipynb") or not text:
        return text
    try:
        cells: list[dict[str, Any]] = json.loads(text)["cells"]
        return "".join(f"{_head(one, place)}\n{''.join(one['source'])}\n" for place, one in enumerate(cells, 1))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return text


def _head(cell: dict[str, Any], place: int) -> str:
    """Number and kind of a cell, and papermill's tag for the parameters, whether it is wanted or present."""
    tags = cell.get("metadata", {}).get("tags", [])
    return f"# --- {cell['cell_type']} {place}" + (f" [{PARAMETERS}]" if PARAMETERS in tags else "")


_HEAD = """\
# To be filled in: each `null` is a price in {region} that nobody has written yet.
# Until all are there, the cost is NO DATA, and no soak passes its gate.
# Behind each stands that of {known}, to see by what order of magnitude yours must be. Tiers: as prices.yaml has them.
"""
_DAY = "null                     # the day on which you looked the prices up, such as 2026-11-01"


def form(region: str) -> str:
    """The text of a region's price list with `null` for each price to look up.

    What the LLM's provider bills is the same in every region, and stays. The free tier is AWS's own for all regions
    together, and stays, too.
    """
    delivered = delivered_files()["params/prices.yaml"].decode()
    head = re.sub(r"(?m)^region: .*$", f"region: {region}", delivered.partition("\nprices:\n")[0])
    head = re.sub(r"(?m)^date: .*$", f"date: {_DAY}", head)
    listed: dict[str, dict[str, Any]] = yaml.safe_load(delivered)["prices"]
    lines = [line for item, price in listed.items() for line in _line(item, price)]
    return "\n".join((_HEAD.format(region=region, known=REGION) + head, "prices:", *lines, ""))


def _line(item: str, price: dict[str, Any]) -> tuple[str]:
    kept = item.startswith(LLM)
    usd = _figure(price["usd"])
    free = f", free: {price['free']}" if "free" in price else ""
    said = f"  {item}: {{usd: {usd if kept else 'null'}, per: {price['per']}, unit: {price['unit']}{free}}}"
    return (said if kept else f"{said}   # {REGION}: {usd}",)


def _figure(usd: float) -> str:
    """All digits, never as 1.67e-05."""
    return f"{usd:.10f}".rstrip("0").rstrip(".")


ENV_IN_CELL = "env"
IN_CELL = ("account_id", "region", "release")
"""Parameters in a notebook's cell that are of the project, beside the environment's name."""


def told_in_cell(notebook: str) -> dict[str, str]:
    """The values of `env` and of the project's own parameters in the cell; without a cell, none."""
    found = {key: re.search(_of_cell(key), notebook) for key in (ENV_IN_CELL, *IN_CELL)}
    return {key: one[0] for key, one in found.items() if one}


def filled_cell(notebook: str, values: Mapping[str, str]) -> str:
    """The notebook with these values in its cell; a key that the cell does not have is left out. It is changed as text,
    so that nothing else of the file changes.
    """
    for key in IN_CELL:
        if key in values:
            notebook = re.sub(_of_cell(key), lambda _, value=values[key]: value, notebook, count=1)  # type: ignore[misc]
    return notebook


def _of_cell(key: str) -> str:
    return rf'(?<="{key} = \\")[^"\\]*'
