"""The papermill engine `runbook`: runs a notebook and archives it from outside the kernel, however it ends.

papermill imports every engine when it is imported itself, halfway through its own import: so nothing of papermill, and
nothing heavy, is imported here before a notebook runs. For the same reason the engine does not derive from papermill's
`Engine`, but has its three methods.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.base import scratch
from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.base.foreign import stderr
from runbook_lib.base.process import usual_time
from runbook_lib.record import recording, uncaught
from runbook_lib.record.allowance import Allowance
from runbook_lib.record.ended import begun, cut_short, deferring_signals, outcome_of
from runbook_lib.record.given import parameters
from runbook_lib.record.manager import manager_class

if TYPE_CHECKING:
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.place import RecordRef
    from runbook_lib.record.record import Problem, Status

usual_time()
uncaught.begin(sys.orig_argv)  # papermill imports this before it reads a file


class RunbookEngine:
    """The engine that papermill calls: `papermill --engine runbook …`, or `engine_name="runbook"`."""

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool | dict[str, Any] = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        **kwargs: Any,
    ) -> Any:
        """Executes `nb` in a kernel of its own and seals the record of the run.

        Beside papermill's own arguments it takes three of ours, given to `papermill.execute_notebook`:

        run_id: id of the run (default: a new one).
        tells: whether the person who waits is told which cell runs (`base/patience.py::busy`).
        on_sealed: called with the `RecordRef` of the sealed record, however the run ended.

        Raises:
            UsageError: see `parameters`. DeadKernelError: the kernel died; the record says so.
            SystemExit, KeyboardInterrupt: on SIGTERM or SIGINT; the kernel is stopped, the record sealed as cancelled.
            ArchiveError: the record cannot be sealed; the journal stays in place, and a later run closes it.
        """
        from papermill.log import logger

        from runbook_lib.base.redact import mask_emails
        from runbook_lib.record import kernel as kernels
        from runbook_lib.record import sealing
        from runbook_lib.record.redact_notebook import redact_notebook
        from runbook_lib.record.staging import remove

        input_path = kwargs.pop("input_path", None)
        on_sealed: Callable[[RecordRef], None] | None = kwargs.pop("on_sealed", None)
        wanted: str | None = kwargs.pop("run_id", None)
        flat = parameters(nb)
        mask_emails(flat.get("redact_emails") is True)
        archive = _archive(flat, _project(input_path) or Path.cwd())
        warm = None if wanted else kernels.take(archive.root, kernel_name)
        run = _stage(archive, flat, nb, input_path, output_path, wanted or (warm.run_id if warm else None))

        manager = manager_class()(
            nb,
            output_path=output_path,
            progress_bar=progress_bar,
            log_output=log_output,
            autosave_cell_every=autosave_cell_every,
        )
        waits = manager.waits(bool(kwargs.pop("tells", False)))
        try:
            manager.notebook_start()
        except BaseException as error:  # its folder is gone: a run that never began leaves no record
            remove(run.staging)
            manager.cleanup_pbar()
            raise _told(error, "nothing was run, and there is no record of it") from None
        ending: tuple[Status, Problem | None]
        stopped = False
        with waits, deferring_signals() as interruptible:
            try:
                with interruptible():
                    _execute(manager, kernel_name, warm, run, logger, log_output, kwargs)
                ending = outcome_of(nb, run.staging)
            except BaseException as error:
                ending, stopped = cut_short(nb, error), True
                ran = "the record says what was done" if begun(nb) else "no cell was run"
                raise _told(error, ran, ending[1].sentence if ending[1] else "") from None
            finally:
                redact_notebook(nb)
                manager.cleanup_pbar()
                manager.notebook_complete()
                _note_cuts(run)
                ref, trouble = sealing.sealed(run.archive, run.staging, *ending, notebook=nb)
                if stopped and trouble:
                    stderr(trouble)
                if ref is not None:
                    _noted(nb, run.archive, ref, logger)
                    if on_sealed is not None:
                        on_sealed(ref)
        if ref is None:
            raise ArchiveError(f"the record could not be sealed: {trouble}")
        return manager.nb

    @staticmethod
    def nb_kernel_name(nb: Any, name: str | None = None) -> str:
        """Name of the kernel: `name`, else the one that the notebook names."""
        from papermill.utils import nb_kernel_name

        return str(nb_kernel_name(nb, name))

    @staticmethod
    def nb_language(nb: Any, language: str | None = None) -> str:
        """The notebook's language."""
        from papermill.utils import nb_language

        return str(nb_language(nb, language))


def _noted(nb: Any, archive: Archive, ref: RecordRef, logger: Any) -> None:
    """Tells where the sealed record is, in the notebook and in the log, and an error that follows what was changed."""
    uncaught.shorten(lambda: archive.load(ref).acted)
    nb.metadata["runbook"]["record"] = str(ref.folder).encode(errors="replace").decode()
    logger.info(f"Record:          {ref.folder}")


@dataclass(frozen=True)
class Staged:
    """A run whose staging folder is open."""

    archive: Archive
    staging: Path
    run_id: str
    places: dict[str, str] = field(default_factory=dict)
    """Environment variables that name the project and the folder of parameter files."""
    allowance: Allowance = field(default_factory=Allowance)
    """What the run may still keep of its cells' outputs."""

    @property
    def env(self) -> dict[str, str]:
        """The environment variables by which the kernel finds its journal."""
        told = {"RUNBOOK_STAGING": str(self.staging), "RUNBOOK_RUN_ID": self.run_id, "RUNBOOK_ORIGIN": "papermill"}
        return told | self.places


def prestart(
    archive: Path | str,
    *,
    kernel_name: str = "python3",
    preload: str = "",
    provisioner: Callable[[Any], Any] | None = None,
) -> None:
    """Starts a kernel ahead for this process's next notebook with this archive (resolved to a full path).

    The kernel is used only if folder and environment variables have not changed by then; else a new one starts.
    """
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.kernel import prestart as start_ahead
    from runbook_lib.record.place import new_run_id

    run_id, root = new_run_id(), Archive(archive)
    run = Staged(root, root.staging / run_id, run_id)
    start_ahead(
        root.root,
        run_id,
        kernel_name=kernel_name,
        env={**os.environ, **run.env},
        preload=preload,
        provisioner=provisioner,
    )


def _project(input_path: str | None) -> Path | None:
    """The folder of the project: of papermill's own `-f`, else of the working folder, else of the notebook."""
    from runbook_lib.base.project import project_root

    given = [Path(input_path)] if input_path and "://" not in input_path else []
    for start in (*_files()[-1:], Path.cwd(), *given):
        with contextlib.suppress(UsageError):
            return project_root(start.absolute())
    return None


def _archive(flat: dict[str, Any], root: Path) -> Archive:
    """The archive that the parameters name, relative to the project."""
    from runbook_lib.base.kept_at import archive_root, named
    from runbook_lib.record.archive import Archive

    with contextlib.suppress(UsageError):  # where the parameters are read, the error is reported
        return Archive(archive_root(named(flat.get("archive")), root, anyhow=True))
    return Archive(root / "archive")


def _stage(
    archive: Archive, flat: dict[str, Any], nb: Any, input_path: str | None, output_path: str | None, run_id: str | None
) -> Staged:
    """Seals what earlier runs left open, and opens the staging folder of this run.

    If the archive cannot be written, the run uses one in the temporary folder: nothing may delay a rollback.
    """
    from runbook_lib.record.archive import Archive

    def sweep() -> None:
        archive.sweep()
        scratch.sweep(archive.root)

    step = str(flat.get("rollout_step") or "")
    name = step if re.fullmatch(r"[a-z0-9_]+", step) else Path(input_path or "notebook").stem
    where = (str(flat.get("env", "")), str(flat.get("release", "")), name, "papermill")
    output = str(Path(output_path).absolute()) if output_path and "://" not in output_path else None
    root, staging, run_id, trouble = recording.staged(
        archive.root, *where, run_id=run_id or "", spare="this run", output=output, params=flat, sweep=sweep
    )
    if trouble:
        stderr(trouble)
    nb.metadata["runbook"] = {"run_id": run_id}
    uncaught.shorten()
    return Staged(Archive(root), staging, run_id, _places(_project(input_path)))


def _places(project: Path | None) -> dict[str, str]:
    """What a kernel that runs elsewhere must know: the project, and the folder of papermill's own `-f`.

    A caller of `papermill.execute_notebook` has set the folder by `RUNBOOK_PARAMS`, or has none.
    """
    from runbook_lib.base.project import PROJECT, beside
    from runbook_lib.record.place import PARAMS

    places = {PROJECT: str(project)} if project else {}
    with contextlib.suppress(UsageError):
        if files := _files():
            places[PARAMS] = str(beside(files[-1]))
    return places


def _files() -> list[Path]:
    """The parameter files that papermill's own command line was given."""
    import click

    context = click.get_current_context(silent=True)
    given = (context.params.get("parameters_file") or ()) if context else ()
    return [Path(file).absolute() for file in given if Path(file).is_file()]


def _told(error: BaseException, what: str, sentence: str = "") -> BaseException:
    """The error to raise if a run could not begin or was cut short: on papermill's command line one that click prints
    as a sentence, elsewhere the error itself.
    """
    import click

    from runbook_lib.record.kernel import NoKernel

    if click.get_current_context(silent=True) is None or not isinstance(error, (OSError, NoKernel)):
        return error
    return click.ClickException(f"{(sentence or str(error)).rstrip('.')}; {what}")


def _note_cuts(run: Staged) -> None:
    from runbook_lib.record.journal import Journal

    if run.allowance.sentence:
        Journal(run.staging).append_or_stderr("warning", text=run.allowance.sentence)


def _execute(
    manager: Any, kernel_name: str, warm: Any, run: Staged, logger: Any, log_output: bool, kwargs: dict[str, Any]
) -> None:
    """Runs the cells and always stops the kernel."""
    from nbclient.exceptions import DeadKernelError

    from runbook_lib.record import kernel as kernels

    if warm is not None and run.staging != run.archive.staging / warm.run_id:
        warm = warm.stop()
    kernel = warm or kernels.start(kernel_name, {**os.environ, **run.env}, run.run_id)
    timeout = kwargs.pop("execution_timeout", None) or kwargs.pop("timeout", None)
    try:
        kernels.Client(
            manager,
            km=kernel.manager,
            kernel_name=kernel_name,
            timeout=timeout,
            startup_timeout=kwargs.pop("start_timeout", 60),
            shutdown_kernel="immediate",
            log=logger,
            log_output=log_output,
            allowance=run.allowance,
            **kwargs,
        ).execute(cleanup_kc=True)
    except RuntimeError as error:
        if begun(manager.nb):
            raise
        said = kernel.said()
        if not said and isinstance(error, DeadKernelError):
            raise  # it was killed, and the error says so
        raise kernels.NoKernel.because(error, said) from error
    finally:
        kernel.stop()
