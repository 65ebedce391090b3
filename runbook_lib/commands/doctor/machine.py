"""The doctor's checks without network: Python, packages, kernels, the project's folder, parameters, archive."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from runbook_lib.base.errors import UsageError
from runbook_lib.base.kept_at import files_of
from runbook_lib.base.own_files import OWN
from runbook_lib.base.process import homeless
from runbook_lib.base.project import delivered_files, project_root, visible
from runbook_lib.commands import params_check
from runbook_lib.commands.doctor.model import Found, Ground, note, ok, wrong
from runbook_lib.judge import words
from runbook_lib.params.load import load_file

KERNEL = "python3"
_LEAST = Version("3.11")
REINSTALL = "python -m pip install --upgrade rollout-runbook   (in a checkout: make setup)"
RESTORE = "runbook upgrade --take   (commit your own edits of notebooks before: it puts all back)"


def python(_: Ground) -> Found:
    """Compares the version of Python with the one that the package needs."""
    version = Version(".".join(map(str, sys.version_info[:3])))
    if version < _LEAST:
        return wrong(f"Python {version}, expects {_LEAST} or newer", "make setup PYTHON=python3.11")
    return ok(f"Python {version} ({sys.executable})")


def packages(_: Ground) -> Found:
    """Compares the installed packages with the project's requirements."""
    try:
        demanded = [Requirement(one) for one in metadata.requires(OWN) or ()]
    except metadata.PackageNotFoundError:
        return wrong(f"{OWN} is not installed here", REINSTALL)
    here = [one for one in demanded if one.marker is None or one.marker.evaluate({"extra": ""})]
    bad = [text for one in here if (text := lacking(one))]
    if bad:
        return wrong("; ".join(bad), REINSTALL)
    return ok(f"{OWN} {metadata.version(OWN)}, and the {words.count(len(here), 'package')} that it demands")


def lacking(one: Requirement) -> str:
    """What is wrong with an installed package; empty: nothing."""
    try:
        found = metadata.version(one.name)
    except metadata.PackageNotFoundError:
        return f"{one.name} is missing"
    return "" if one.specifier.contains(found, prereleases=True) else f"{one.name} is {found}, expects {one.specifier}"


def kernel(_: Ground) -> Found:
    """Checks that the notebooks' kernel exists, with a Python that starts."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    homeless()
    mend = f"{sys.executable} -m ipykernel install --sys-prefix"
    try:
        spec = KernelSpecManager().get_kernel_spec(KERNEL)
    except NoSuchKernel:
        return wrong(f"Jupyter has no kernel '{KERNEL}', which the notebooks name", mend)
    program = Path(spec.argv[0])
    if program.is_absolute() and not os.access(program, os.X_OK):
        return wrong(f"kernel '{KERNEL}' would start {program}, which is not there", mend)
    return ok(f"'{KERNEL}' ({spec.display_name}), ipykernel {metadata.version('ipykernel')}")


def project(ground: Ground) -> Found:
    """Checks that the project's folder has parameters and notebooks, and that they are readable."""
    root = project_root(ground.file.parent)
    folder = root / "notebooks"
    there = [one for one in visible(folder, "ipynb") if os.access(one, os.R_OK)]
    if not there:
        return wrong(f"{folder} holds no notebook that can be read", RESTORE)
    return ok(f"{root}: {words.count(len(there), 'notebook')}")


def params(ground: Ground) -> Iterator[Found]:
    """Checks the environment's parameters and every file beside them, like `runbook params check`."""
    try:
        ground.params = load_file(ground.file, ground.values)
    except UsageError as error:
        root = project_root(ground.file.parent)
        gone = [
            Path(path).stem for path in delivered_files() if path.endswith(".ipynb") and not (root / path).is_file()
        ]
        if any(name in str(error) for name in gone):  # the notebook is missing, its name is right
            yield wrong(str(error), RESTORE)
            return
        raise
    bad = [one for one in params_check.check(Path(ground.params.source)) if not one.ok]
    for one in bad:
        yield wrong(one.sentence, f"edit {ground.beside(one.file)}")
    if not bad:
        flat = ground.params.flat
        yield ok(f"{flat.env}, account {flat.account_id}, {flat.region}, release {flat.release}")


def prices(ground: Ground) -> Found:
    """Checks that the region has a price list, whole and not too old; a note, since only costs need it."""
    told = params_check.priced(ground.known)
    if told.note:
        return note(told.sentence, f"edit {ground.beside(told.file)}")
    if old := ground.known.prices.stale(dt.datetime.now(dt.UTC).date()):
        return note(old, f"edit {ground.beside(told.file)}")
    return ok(told.sentence)


def notebooks(ground: Ground) -> Found:
    """Checks that every notebook named by a step of gates.yaml exists."""
    folder = project_root(ground.file.parent) / "notebooks"
    policy = ground.known.policy
    named = [step.notebook or name for name, step in policy.steps.items()] + list(policy.rollbacks)
    missing = [name for name in dict.fromkeys(named) if not (folder / f"{name}.ipynb").is_file()]
    if missing:
        return wrong(f"{folder} lacks {', '.join(missing)}", RESTORE)
    steps, rollbacks = words.count(len(policy.steps), "step"), words.count(len(policy.rollbacks), "rollback")
    return ok(f"one for each of {steps} and {rollbacks}")


def commands(ground: Ground) -> Iterator[Found]:
    """What this machine lacks for the team's commands; a note, since only some notebooks run them."""
    by_lack: dict[tuple[str, str], list[str]] = {}
    for file, id, lacks in params_check.unready(ground.file, ground.values):
        by_lack.setdefault((file, lacks), []).append(id)
    for (file, lacks), ids in by_lack.items():
        yield note(f"{', '.join(ids)} cannot begin: {lacks}", f"edit {ground.beside(file)}, or put it there")
    if not by_lack:
        yield ok("each of the team's commands can begin here")


def archive(ground: Ground) -> Found:
    """Checks that records can be written, without writing any."""
    folder = files_of(ground.known.archive, project_root(ground.file.parent))
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir():
        return wrong(f"{there} is not a folder", f"edit `archive` in {ground.told}")
    if not os.access(there, os.W_OK | os.X_OK):
        return wrong(f"{there} cannot be written", f"chmod u+wx {there}")
    return ok(f"{folder}" if there == folder else f"{folder}, which the first run makes")
