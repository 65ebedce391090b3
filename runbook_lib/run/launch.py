"""Runs one notebook through papermill with our engine, and returns its result."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib.act.guard import begun
from runbook_lib.base import errors, limits, scratch
from runbook_lib.base.aws import connect
from runbook_lib.base.errors import ArchiveError, Exit, RunbookError, UsageError
from runbook_lib.base.foreign import one_line
from runbook_lib.base.kept_at import archive_root
from runbook_lib.base.nearest import close
from runbook_lib.base.plain_file import NoNotebook, cells
from runbook_lib.base.process import GRAMMARS, without
from runbook_lib.base.project import READER, closed, named, visible
from runbook_lib.base.redact import know
from runbook_lib.base.typed import assignments, typed
from runbook_lib.params.load import Flat, Params, is_incident, load_file, project_root, read_yaml
from runbook_lib.record import engine, staging
from runbook_lib.record.attached import report_of
from runbook_lib.record.journal import read_events
from runbook_lib.record.place import PARAMS
from runbook_lib.record.recording import is_spare

START = "00_start"
"""The notebook that JupyterLab opens: it is no step, and a terminal has `runbook status` instead."""
_EXIT = {"PLANNED": Exit.OK, "SOAK": Exit.OK, "PROMOTE": Exit.OK, "HOLD": Exit.HOLD, "ROLLBACK": Exit.ROLLBACK}


@dataclass(frozen=True)
class Finished:
    """The result of a run, from its sealed record."""

    run_id: str
    notebook: str
    status: str
    decision: str | None
    reason: str
    next: str
    folder: str
    report: str | None
    exit_code: int
    come_back_at: str | None = None
    word: str = ""
    """What people read for it, as its report has it."""

    @property
    def headline(self) -> str:
        """The result in one line."""
        return self.reason

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON, for `--json`."""
        return {name: value for name, value in asdict(self).items() if name != "word"}


def find_notebook(name: str) -> Path:
    """The notebook called `name`: a path, a stem, or its number.

    Raises:
        UsageError: none or several match.
    """
    if name.endswith(".ipynb"):
        path = Path(name)
        if not path.is_file():
            raise UsageError(f"{name}: no such notebook")
        return path
    folder = project_root() / "notebooks"
    known = [path for path in visible(folder, "ipynb") if path.stem != START]
    matches = [path for path in known if path.stem == name] or [path for path in known if path.stem.startswith(name)]
    if not known and (why := closed(folder)):
        raise UsageError(f"notebook '{name}': {folder}: {why}")
    if not known:
        whose = f", the project of {named[0]}; give a file of the project that has them" if named else ""
        raise UsageError(f"notebook '{name}': there are no notebooks in {folder}{whose or '; run from its folder'}")
    if len(matches) != 1:
        if not matches and name and START.startswith(name):
            page = f"{START} is a page for JupyterLab and no step to run"
            raise UsageError(f"notebook '{name}': {page}; in a terminal `runbook status` says the same")
        if not matches and (near := close(name, {path.stem for path in known})):
            raise UsageError(f"notebook '{name}': there is no notebook of that name; {near}")
        listed = ", ".join(path.stem for path in (matches or known))
        which = "there are several notebooks" if matches else "there is no notebook"
        raise UsageError(f"notebook '{name}': {which} of that name; there are: {listed}")
    return matches[0]


def find_step(name: str, params_file: Path, values: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The notebook that `name` means, a notebook or a step that one carries out, and the values for running it.

    Raises:
        UsageError: none or several match.
    """
    try:
        return find_notebook(name), dict(values)
    except UsageError as none:
        if name.endswith(".ipynb"):
            raise
        steps = load_file(params_file, values).policy.steps
        found = [one for one in steps if one == name] or [one for one in steps if name and one.startswith(name)]
        if len(found) != 1:
            raise none from None
        return find_notebook(steps[found[0]].notebook or found[0]), {**values, "rollout_step": found[0]}


def overrides(pairs: Sequence[str]) -> dict[str, Any]:
    """`K=V` pairs as typed values: numbers, true and false if the parameter has that type, else text.

    Raises:
        UsageError: a pair has no `=`, an unknown name, or one that has another value already.
    """
    values: dict[str, Any] = {}
    try:
        texts = assignments(pairs)
    except ValueError as error:
        raise UsageError(str(error)) from None
    for name, text in texts.items():
        pair = f"{name}={text}"
        field = Flat.model_fields.get(name)
        if field is None:
            raise UsageError(f"--set {pair}: no parameter '{name}'; there are: {', '.join(Flat.model_fields)}")
        try:
            values[name] = typed(field.annotation, text)
        except ValueError as error:
            raise UsageError(f"--set {pair}: {error}") from None
    return values


def asked(pairs: Sequence[str], *, apply: bool = False, confirm: str = "", reason: str = "") -> dict[str, Any]:
    """The values by which a command line overrides the parameter file.

    Only `--apply` and `--confirm` allow changes: a file that was left at `mode: apply` gives a plan.

    Raises:
        UsageError: see `overrides`; or `--set mode=...` contradicts `--apply`.
    """
    values = overrides(pairs)
    mode = values.get("mode", "apply" if apply else "plan")
    if apply != (mode == "apply"):
        told = "--apply is given too" if apply else "on the command line only --apply applies"
        raise UsageError(f"--set mode={mode}: {told}", nothing_changed=True)
    values |= {"mode": mode, "confirm": confirm or values.get("confirm", "")}
    return values | ({"reason": reason} if reason else {})


def launch(
    notebook: Path,
    params_file: Path,
    values: Mapping[str, Any] | None = None,
    *,
    progress: bool = False,
    tells: bool = False,
    begins: Callable[[], object] = lambda: None,
    cut: Callable[[Finished], object] = lambda _: None,
    root: Path | None = None,
    before: Sequence[str] = (),
) -> Finished:
    """Runs `notebook` with papermill and the `runbook` engine; the archive keeps it in any case.

    Args:
        tells: whether the person who waits is told which cell takes long.
        begins: called once nothing stands in the way of the run.
        cut: called with the sealed result of a run that a signal ended, before this process ends.
        before: changes that the same command began; then a failing run does not say that nothing was changed.
        root: folder with `params/`, in which the kernel runs; default: the nearest one.

    Raises:
        UsageError: the parameters are wrong; no kernel was started.
    """
    incident = is_incident(notebook.stem)
    params, flat = load_file(params_file, values, incident=incident), {**read_yaml(params_file), **(values or {})}
    _runnable(notebook, params)
    limits.enough_files()
    begins()
    with without(GRAMMARS):
        import papermill

    from runbook_lib.record.archive import Archive

    logging.getLogger("papermill").setLevel(logging.ERROR)
    for name in ("asyncio", "traitlets"):  # they print tracebacks when a kernel is ended; the record has one line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    root = root or project_root()
    sealed: list[Any] = []
    archive = Archive(archive_root(params.archive, root, anyhow=incident))
    with _read_from(Path(params.source), root), _signed_in(params), scratch.folder("run", archive.root) as folder:
        try:
            papermill.execute_notebook(
                str(notebook),
                str(folder / notebook.name),
                parameters=flat,
                engine_name="runbook",
                kernel_name="python3",
                progress_bar=progress,
                cwd=str(root),
                log_output=False,
                tells=tells,
                on_sealed=sealed.append,
            )
        except RunbookError:
            raise
        except (KeyboardInterrupt, SystemExit):
            if sealed:
                cut(finished(archive, sealed[-1], before))
            raise
        except Exception as error:  # the record explains it better than papermill's traceback
            if not sealed:
                raise ArchiveError(f"{notebook.name} ended without a record: {one_line(error)}") from error
        finally:
            begun.extend(_changes(archive, sealed))
    if not sealed:
        raise ArchiveError(f"{notebook.name} ended without a record; see the messages above")
    return finished(archive, sealed[-1], before)


def _runnable(notebook: Path, params: Params) -> None:
    """Refuses what a kernel would only find out later: a file without a notebook, a notebook of another step, a path
    that no notebook can hold.
    """
    for path in (notebook, Path(tempfile.gettempdir())):
        try:
            str(path).encode()
        except UnicodeEncodeError:
            said = "a name in it is not UTF-8, and the executed notebook says where it was; rename it"
            raise UsageError(f"{path}: {said}", nothing_changed=True) from None
    try:
        cells(notebook)
    except NoNotebook as why:
        raise UsageError(
            f"{notebook}: the notebook cannot be read ({why}); `runbook upgrade --take` writes ours again"
        ) from None
    try:
        params.policy.carried_out(notebook.stem, params.rollout_step)
    except ValueError as error:
        raise UsageError(str(error)) from None


def prestart(archive: Path, folder: Path, root: Path, provisioner: Callable[[Any], Any] | None = None) -> None:
    """Starts a kernel ahead for the next `launch` in `root`, archived under `archive`, with a file of `folder`.

    A kernel without the variables that `launch` gives its kernels would not be used: its environment differs.

    Args:
        folder: folder of that run's parameter file, with `service.yaml` beside it.
        provisioner: see `engine.prestart`.
    """
    with _read_from(folder, root), without(GRAMMARS), chdir(root):
        engine.prestart(archive, provisioner=provisioner)


@contextmanager
def _signed_in(params: Params) -> Iterator[None]:
    """Gives the kernels started inside the session of a profile with an MFA device, which they could not ask for."""
    session = connect(params).by_code()
    for held in session.values():
        know(held)
    with _told(session):
        yield


_SHARED = threading.Lock()
_held: dict[str, tuple[int, str | None]] = {}
"""Each variable that simultaneous runs have set: number of these runs, and the value before the first."""


@contextmanager
def _told(given: Mapping[str, str]) -> Iterator[None]:
    """Gives the kernels started inside these variables; of simultaneous runs, the last one restores them."""
    with _SHARED:
        for name, value in given.items():
            runs, before = _held.get(name, (0, os.environ.get(name)))
            _held[name] = (runs + 1, before)
            os.environ[name] = value
    try:
        yield
    finally:
        with _SHARED:
            for name in given:
                runs, before = _held.pop(name)
                if runs > 1:
                    _held[name] = (runs - 1, before)
                elif before is None:
                    del os.environ[name]
                else:
                    os.environ[name] = before


@contextmanager
def _read_from(folder: Path, root: Path) -> Iterator[None]:
    """Lets the kernels started inside read `service.yaml` and the others from `folder`, as this process does, and
    propose commands that can be pasted where it was started. A command in a cell inherits its kernel's folder, which
    may be of another service.
    """
    usual = folder.resolve() == (root / "params").resolve() and not os.environ.get(PARAMS)
    given = {} if usual else {PARAMS: str(folder.absolute())}
    with suppress(FileNotFoundError):
        given[READER] = str(Path.cwd())
    with _told(given):
        yield


def _changes(archive: Any, sealed: Sequence[Any]) -> list[str]:
    """The changes that the kernel began, from its record, also if it was interrupted, or from the journal of what could
    not be sealed.
    """
    with suppress(RunbookError, OSError):
        if not sealed:
            mine = [one for one in archive.staging.glob("[!.]*") if staging.facts(one).get("pid") == os.getpid()]
            events = [event for one in mine for event in read_events(one) if event["event"] == "intent"]
            return [what for event in events if (what := str(event.get("what", ""))) not in begun]
        return [str(one.intent.get("what", "")) for ref in sealed for one in archive.load(ref).changes]
    return ["what the record tells"]


def finished(archive: Any, ref: Any, before: Sequence[str] = ()) -> Finished:
    """The result of the run with this sealed record; `before`: changes that the same command began."""
    record = archive.load(ref)
    told, decision = record.told, record.decision or ""
    done = record.status == "completed" and record.outcome is not None
    problem = record.error
    report = report_of(ref)
    # What a rollback did is done, wherever its record lies; a plan whose record is not in the archive needs a person.
    apart = Exit.HOLD if record.mode == "plan" and is_spare(ref.folder) else Exit.OK
    kind = getattr(errors, problem.type, RunbookError) if problem else RunbookError
    return Finished(
        run_id=record.run_id,
        notebook=record.notebook,
        status=record.status,
        decision=decision if done else None,
        reason=told.line if done else f"{record.status}: {record.failed(before)}",
        next=told.next if done else "",
        folder=str(ref.folder),
        report=str(report) if report.is_file() else None,
        exit_code=int(max(_EXIT[decision], apart) if done else kind.exit_code),
        come_back_at=(told.come_back_at or None) if done else None,
        word=record.word,
    )
