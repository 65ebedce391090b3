"""Options that many commands share."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from runbook_lib.base.errors import Unread, UsageError
from runbook_lib.base.kept_at import address, archive_root
from runbook_lib.base.project import environments, expanded, params_dir, params_file, project_root, read_yaml
from runbook_lib.record.place import shut_out


def placed(value: Path | None) -> Path | None:
    """`params_file` of the value; None stays None."""
    return None if value is None else params_file(value)


def written(value: Path | None) -> Path | None:
    """A path as a person wrote it, with `~` replaced; an address `s3://…` stays one."""
    return value if value is None or address(value) else expanded(value)


def output(param: typer.CallbackParam, value: Path | None) -> Path | None:
    """`written`, for what a command writes.

    Raises:
        UsageError: it lies in an archive, which it would damage.
    """
    if (place := written(value)) is None or address(place):
        return place
    from runbook_lib.record.log.files import FOLDER, LEAVES, TREE
    from runbook_lib.record.place import ENV, RELEASE, not_in_archive

    there = Path(os.path.realpath(place))
    above = (there, *there.parents)
    chain = any(one.name.startswith(RELEASE) and one.parent.name.startswith(ENV) for one in above)
    if chain or any(os.path.exists(one / FOLDER / name) for one in above for name in (LEAVES, TREE)):  # noqa: PTH110
        name = param.opts[0] if param.param_type_name == "option" else str(param.name)
        raise not_in_archive(name, place)
    return place


def person(by: str) -> str:
    """The value of `--by`, without spaces around it.

    Raises:
        UsageError: it is empty.
    """
    if not by.strip():
        raise UsageError("--by is empty: expects the name of the person who says so")
    return by.strip()


MOST = 1e9
"""Largest sensible number of an option; Python also accepts `nan`, `inf` and `1e300`."""


def number(param: typer.CallbackParam, value: float) -> float:
    """The number, if it is sensible.

    Raises:
        UsageError: it is not a number, or beyond `MOST`.
    """
    if not abs(value) <= MOST:  # this form is true for `nan`, too
        name = param.opts[0] if param.param_type_name == "option" else str(param.name)
        shown = f"{value:g}" if isinstance(value, float) else str(value)[:20]
        raise UsageError(f"{name} is {shown}: expects a number of at most {MOST:,.0f}")
    return value


def existing(root: Path, *, current: bool = True, there: bool = True) -> Path:
    """The folder of an existing archive; for one in a bucket, its local copy, brought up to date.

    Args:
        current: False leaves the update to the caller.
        there: False accepts a missing folder: the caller reports it.

    Raises:
        UsageError: the folder does not exist.
        ArchiveError: the bucket cannot be asked. `Unread`: this user may not look into the folder.
    """
    if address(root):
        from runbook_lib.record.home.home import home_of

        root = archive_root(root, project_root())
        if current:
            home_of(root).refresh(whole=True)
    root = root.absolute()
    if not there:
        return root
    if shut := shut_out(root):
        raise Unread(shut)
    if not root.is_dir():
        raise UsageError(f"archive: {root} is not a folder; run a notebook first, or say --archive FOLDER")
    return root


def archive_meant(context: typer.Context, param: typer.CallbackParam, value: Path) -> Path:
    """The archive that a person named; without a name, the one that the project's parameters name.

    Raises:
        UsageError: the parameters name several.
    """
    source = context.get_parameter_source(str(param.name))
    if source is None or source.name != "DEFAULT":
        return expanded(value) if not address(value) else value
    named: dict[str, str] = {}
    try:
        folder = params_dir()
    except UsageError:
        return value  # there is no project here
    for env in environments(folder):
        with contextlib.suppress(UsageError, AttributeError):  # `params check` reports what is wrong with the file
            named[env] = str(read_yaml(folder / f"{env}.yaml").get("archive") or value)
    if len(set(named.values())) > 1:
        each = ", ".join(f"{one} ({env})" for env, one in named.items())
        raise UsageError(f"the parameters name several archives: {each}; say by --archive which one is meant")
    found = next(iter(named.values()), str(value))
    return Path(found) if address(found) or found == str(value) else folder.parent / expanded(found, "archive")


ArchiveRoot = Annotated[
    Path,
    typer.Option(
        "--archive",
        callback=archive_meant,
        readable=False,  # `existing` looks
        help="Folder of the audit records, or s3://bucket/prefix. Default: as the parameters name it.",
    ),
]


def file_option(help: str) -> Any:
    """The option that names a parameter file or its environment, with what it means to a command."""
    return typer.Option("--params", "-f", "--env", metavar="FILE|ENV", callback=placed, help=help)


ParamsFile = Annotated[
    Path, file_option("Flat parameter file, such as params/prod.yaml; or only its environment, such as prod.")
]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="K=V", help="Override one parameter; may be repeated.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]
Apply = Annotated[bool, typer.Option("--apply", help="Do it. Also needs --confirm.")]
Confirm = Annotated[str, typer.Option(help="Repeat the environment's name.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
