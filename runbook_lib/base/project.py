"""The places of a project's files, and the files of the project that is delivered. Light: a rollback loads it first."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path

from runbook_lib.base.errors import Unread, UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.base.plain_file import read_plain
from runbook_lib.base.yaml_file import MOST_BYTES, read_yaml

__all__ = ["beside", "expanded", "named", "params_dir", "params_file", "project_root", "read_yaml"]
PROJECT = "RUNBOOK_PROJECT"
"""Environment variable with the project's folder, as the engine found it, for its kernel, which may run elsewhere."""
GONE = "the working folder is not there any more; change into one that is"
ENVIRONMENT = r"[a-z][a-z0-9-]{0,29}"
"""Name of an environment: in names, in the archive's folders and behind `--env`."""
READER = "RUNBOOK_READER"
"""Environment variable with the working folder of the reader of a kernel's commands, if the kernel has another."""
named: list[Path] = []
"""Files that this process was given, such as its parameter file: the project of the first one that lies in one decides
where archive and notebooks are, not the working folder."""


def params_dir(start: Path | None = None) -> Path:
    """The nearest `params/` folder at or above `start`, else the folder of that file where it has a service of its own.

    Without `start`: at or above what this process was given (`named`, `RUNBOOK_PROJECT`), else the working folder (a
    kernel may run in `notebooks/` or in the project's root).

    Raises:
        UsageError: there is none.
    """
    told = [Path(os.environ[PROJECT])] if os.environ.get(PROJECT) else []
    for place in (*named, *told, *working()) if start is None else (start,):
        if found := _above(place) or _own(place):
            return found
    where = next(iter([start] if start else working()), None)
    if where is None:
        raise UsageError(GONE)
    raise UsageError(f"no params/gates.yaml at or above {os.path.realpath(where)}; run from the project's folder")


def _above(place: Path) -> Path | None:
    """The nearest `params/` at or above `place`: where it is named, else, if it is a link, where that leads."""
    named, leads = os.path.abspath(place), os.path.realpath(place)  # noqa: PTH100 - `resolve` raises in a loop of links
    for here in map(Path, (named, leads)):
        for folder in (here, *here.parents):
            if _is(folder / "params" / "gates.yaml"):
                return folder / "params"
    return None


def _own(file: Path) -> Path | None:
    """The folder of a parameter file, if `service.yaml` or `gates.yaml` lies beside it, whatever the folder's name."""
    folder = Path(os.path.abspath(file)).parent  # noqa: PTH100 (a link stays one, `..` goes)
    own = not os.path.isdir(file) and any(_is(folder / name) for name in ("service.yaml", "gates.yaml"))  # noqa: PTH112
    return folder if own else None


def _is(file: Path) -> bool:
    """Whether something has that name; who reads it says if it is no file.

    Raises:
        Unread: this user may not look into its folder: a project is there, or is not.
    """
    try:
        file.lstat()
    except PermissionError as error:
        raise Unread.of(error, file) from None
    except (OSError, ValueError):
        return False
    return True


def working() -> list[Path]:
    """The working folder, if it exists: from a removed folder, a person can still name a file by its whole path."""
    try:
        return [Path.cwd()]
    except FileNotFoundError:
        return []


def beside(file: Path) -> Path:
    """The folder with `service.yaml`, `gates.yaml` and the others that belong to a parameter file.

    Its own where one of the two lies there, else its project's, else `params_dir`; all come from one folder.

    Raises:
        UsageError: neither has them.
    """
    return _own(file) or _above(Path(os.path.abspath(file)).parent) or params_dir()  # noqa: PTH100


def project_root(start: Path | None = None) -> Path:
    """The folder that contains `params/` and `notebooks/`.

    Raises:
        UsageError: there is none at or above `start`.
    """
    return params_dir(start).parent


def expanded(value: str | Path, what: str = "") -> Path:
    """A path that a person wrote in a file or option: `~` means the home folder, as in a shell; variables are not
    replaced, since no shell has processed the text.

    Args:
        what: name of the parameter or the option, for the error.

    Raises:
        UsageError: the path is empty or too long, contains a variable, or the home folder of an unknown user.
    """
    written = os.fsdecode(str(value).encode("utf-8", "surrogateescape"))  # as this machine spells file names
    told = os.path.expanduser(written)  # noqa: PTH111 - `Path.expanduser` raises a RuntimeError
    name = f"{what} is" if what else "the path is"
    if not written.strip():  # else it would be the working folder
        raise UsageError(f"{name} '{value}', which is empty; write a path")
    if odd := _new(told, r"[\x00-\x1f\x7f]|\$\{?[A-Za-z_]\w*\}?"):
        if not odd.startswith("$"):
            raise UsageError(f"{name} {told!r}, which has the control character {odd!r}; write a path")
        raise UsageError(f"{name} '{value}': the variable {odd} is not filled in; write the whole path")
    if told.startswith("~"):
        raise UsageError(f"{name} '{value}': this machine has no such user; write the whole path")
    try:
        os.lstat(told)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # to most of `Path`'s methods it is an error
            raise UsageError(f"{name} '{value}': {error.strerror}; write a shorter path") from None
    return Path(told)


def _new(path: str, odd: str) -> str:
    """The first text of this form in a path, outside of the folders and files in it that exist; empty: there is none.

    Whoever named a folder `$HOME` has a folder of that name.
    """
    for found in re.finditer(odd, path):
        end = path.find(os.sep, found.end())
        if "\0" in path or not os.path.lexists(path[: end if end >= 0 else None]):
            return found[0]
    return ""


def params_file(value: str | Path) -> Path:
    """The parameter file that a person means: a bare environment, such as `prod`, is `params/prod.yaml` of the project.

    A path that is not there is looked for in the project's folder, too: the commands that are proposed name it from
    there, and a terminal may stand in `notebooks/`.

    Raises:
        UsageError: the text names an environment, but there is no project here; or the working folder is gone.
    """
    path = _of_project(expanded(value))
    try:
        named.append(path.absolute())
    except FileNotFoundError:
        raise UsageError(GONE) from None
    if path.suffix or len(path.parts) > 1 or _there(path):
        return path
    file = Path("params") / f"{path}.yaml"
    file = file if file.parent.is_dir() else params_dir() / file.name
    named[-1] = file.absolute()
    if not _there(file) and (near := hint(path, environments(file.parent))):
        raise UsageError(f"{file}: no such file: '{path}' has no parameters here; {near}")
    return file


def _of_project(path: Path) -> Path:
    if len(path.parts) > 1 and not path.is_absolute() and not _there(path):
        with contextlib.suppress(UsageError, FileNotFoundError):
            inside = project_root(Path.cwd()) / path
            return inside if _there(inside) else path
    return path


def _there(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - to `Path.exists` a name that is too long is an error


def visible(folder: Path, ending: str) -> list[Path]:
    """The files of a folder with this ending, by name. Hidden ones are an editor's or a file manager's."""
    return sorted(folder.glob(f"[!.]*.{ending}"))


def closed(folder: Path) -> str:
    """Why the files of a folder that is there cannot be listed; empty: they can, or it is not there."""
    try:
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return str(error.strerror)
    return ""


def environments(folder: Path) -> list[str]:
    """Names of the environments with a file in `folder`: one with a line that begins with `env:`."""
    return [one.stem for one in visible(folder, "yaml") if re.search(r"^env:", _text(one), re.MULTILINE)]


def _text(file: Path) -> str:
    """What is in a file; empty if it is none, or cannot be read: whoever reads it as parameters says why."""
    try:
        return read_plain(file, MOST_BYTES).decode("utf-8", "replace") if file.is_file() else ""
    except OSError:
        return ""


FOLDER = "delivered"
"""Folder inside the package after installation from a wheel; `setup.py` copies the files there."""
PACKAGE = Path(__file__).parents[1]
WORKFLOW = (".ci/runbook", ".github/workflows/runbook.yml")


def delivered() -> Path:
    """The folder with `notebooks/`, `params/` and the workflow as delivered with this version.

    Raises:
        UsageError: the installation has no such folder.
    """
    for folder in (PACKAGE / FOLDER, PACKAGE.parent):
        if (folder / "params" / "gates.yaml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise UsageError("this installation has no notebooks; run `pip install --force-reinstall rollout-runbook`")


def delivered_files() -> dict[str, bytes]:
    """The content of every delivered file by its path in a project.

    Raises:
        UsageError: the installation has no such files.
    """
    root = delivered()
    found = [*visible(root / "notebooks", "ipynb"), *visible(root / "params", "yaml")]
    found += [root / name for name in WORKFLOW]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}
