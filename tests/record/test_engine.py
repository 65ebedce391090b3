"""Real papermill runs of tiny notebooks: the record is written from outside the kernel, however the run ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from runbook_lib.base.kept_at import files_of, home_address
from runbook_lib.base.redact import MASK
from runbook_lib.record import kernel
from runbook_lib.record.allowance import CUT, Allowance
from runbook_lib.record.archive import Archive
from runbook_lib.record.ended import Terminated, cut_short, deferring_signals
from runbook_lib.record.engine import RunbookEngine, prestart
from runbook_lib.record.kernel import NoKernel
from runbook_lib.record.record import Record
from runbook_lib.record.report import headline
from tests.kernels import nursery

PARAMS = Path(__file__).parents[2] / "params"
OPEN = """import os
from runbook_lib.record.journal import Journal
journal = Journal(os.environ["RUNBOOK_STAGING"])
journal.append("opened", run_id=os.environ["RUNBOOK_RUN_ID"], notebook="tiny", origin=os.environ["RUNBOOK_ORIGIN"],
               params={"env": env, "release": release, "mode": mode})
print("run", os.environ["RUNBOOK_RUN_ID"])"""
INTENT = 'journal.append("intent", id="i", what="dial")'
OUTCOME = 'journal.append("outcome", intent="i", ok=True)'
CLOSE = 'journal.append("closed", decision="PROMOTE", reason="r", next="n")'
KILL = "import signal; os.kill(os.getpid(), signal.SIGKILL)"
WAIT = 'open("waiting", "w").close()\nimport time; time.sleep(60)'
CLOSE_ANY = "pass"
RED = 'from runbook_lib.base.errors import RedVerdict\nraise RedVerdict("HOLD", "a human is needed")'


class Project:
    """A project folder with a notebook to run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.archive = Archive(root / "archive")
        (root / "params").mkdir()
        shutil.copy(PARAMS / "gates.yaml", root / "params")

    def notebook(self, *cells: str, parameters: str = 'env = "dev"\nrelease = "r1"\nmode = "plan"') -> str:
        tagged = new_code_cell(parameters, metadata={"tags": ["parameters"]})
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nb = new_notebook(cells=[tagged, *map(new_code_cell, cells)], metadata=metadata)
        nbformat.write(nb, self.root / "tiny.ipynb")
        return str(self.root / "tiny.ipynb")

    def run(self, *cells: str, boots: bool = False, **more: Any) -> Any:
        """Runs a notebook of these cells in a kernel that is a fork, or in one that boots by itself."""
        import papermill

        if not boots and not kernel._warm:
            prestart(self.archive.root, provisioner=nursery().provisioner)
        return papermill.execute_notebook(
            self.notebook(*cells), str(self.root / "out.ipynb"), engine_name="runbook", progress_bar=False, **more
        )

    def papermill(self, *arguments: str) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-m",
            "papermill",
            "--engine",
            "runbook",
            "--no-progress-bar",
            "tiny.ipynb",
            "out.ipynb",
        ]
        return subprocess.Popen(
            [*command, *arguments], cwd=self.root, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def wait_for(self, name: str) -> None:
        deadline = time.monotonic() + 60
        while not (self.root / name).exists():
            assert time.monotonic() < deadline, "the kernel never came to it"
            time.sleep(0.05)

    def record(self) -> Record:
        """The one sealed record, verified."""
        (ref,) = self.archive.records()
        self.archive.verify(ref)
        assert list(self.archive.staging.iterdir()) == []
        return self.archive.load(ref)

    def sealed_notebook(self) -> Any:
        return json.loads((self.archive.records()[0].folder / "notebook.ipynb").read_text())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.chdir(tmp_path)
    yield Project(tmp_path)
    from runbook_lib.record.kernel import drop_warm

    drop_warm()


@pytest.mark.slow
def test_papermill_can_be_imported_from_either_end() -> None:
    for first in ("papermill", "runbook_lib.record.engine"):
        script = f"import {first}; from papermill.engines import papermill_engines as p; print(p.get_engine('runbook'))"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
        assert "RunbookEngine" in done.stdout


def test_the_engine_costs_nothing_until_it_runs() -> None:
    heavy = {"papermill", "pydantic", "jinja2", "nbclient", "psutil", "filelock"}
    script = f"import sys, runbook_lib.record.engine; print(*(set(sys.modules) & {heavy}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.kernel
def test_a_run_that_completes(project: Project) -> None:
    sealed: list[Any] = []
    nb = project.run(
        OPEN, INTENT, OUTCOME, CLOSE, parameters={"release": "r2"}, on_sealed=sealed.append, run_id="abc123"
    )
    record = project.record()
    assert (record.status, record.origin, record.release, record.run_id) == ("completed", "papermill", "r2", "abc123")
    assert (record.decision, record.error, record.open_changes) == ("PROMOTE", None, ())
    assert set(record.files) == {"journal.jsonl", "notebook.ipynb", "report.html"}
    assert sealed == project.archive.records() and nb.metadata.runbook.record == str(sealed[0].folder)
    saved = project.sealed_notebook()
    assert saved["metadata"]["runbook"]["run_id"] == "abc123" and saved["metadata"]["papermill"]["duration"] > 0
    nbformat.validate(nbformat.from_dict(saved))


@pytest.mark.kernel
def test_a_red_verdict_is_a_run_that_completed(project: Project) -> None:
    from papermill.exceptions import PapermillExecutionError

    with pytest.raises(PapermillExecutionError, match="a human is needed"):
        project.run(OPEN, CLOSE.replace("PROMOTE", "HOLD"), RED)
    record = project.record()
    assert (record.status, record.decision, record.error) == ("completed", "HOLD", None)


@pytest.mark.kernel
def test_a_cell_that_fails(project: Project) -> None:
    from papermill.exceptions import PapermillExecutionError

    key = "AK" + "IA" + "Q" * 16
    with pytest.raises(PapermillExecutionError):
        project.run(OPEN, INTENT, f'raise ValueError("AK" + "{key[2:]}")', CLOSE)
    record = project.record()
    assert (record.status, len(record.open_changes)) == ("failed", 1)
    assert record.error is not None and (record.error.type, record.error.cell) == ("ValueError", 4)
    (ref,) = project.archive.records()
    assert all(key not in path.read_text() for path in ref.folder.iterdir())
    assert key not in (project.root / "out.ipynb").read_text()


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        ('ExceptionGroup("both", [ValueError("a"), KeyError("b")])', "both (2 sub-exceptions)"),
        ('ExceptionGroup("z " * 50_000, [ValueError("a")])', "z z z"),
    ],
)
def test_the_record_says_what_ended_a_run(raised: str, sentence: str, project: Project) -> None:
    """IPython prints a group of exceptions as text: the record said that the notebook was not closed, and papermill
    ended as if all was well. A sentence of megabytes was kept and printed as it came.
    """
    from papermill.exceptions import PapermillExecutionError

    with pytest.raises(PapermillExecutionError):
        project.run(OPEN, f"raise {raised}", CLOSE)
    error = project.record().error
    assert error is not None
    assert (error.type, error.cell) == ("ExceptionGroup", 3)
    assert error.sentence.startswith(sentence)
    assert len(error.sentence) < 2100


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (['"hello"'], "the notebook ended without opening a run"),
        ([OPEN, "import sys; sys.exit(0)", CLOSE], "the notebook ended without closing the run it opened"),
    ],
)
def test_a_run_that_was_never_opened_or_closed_has_not_completed(
    project: Project, cells: list[str], sentence: str
) -> None:
    project.run(*cells)
    record = project.record()
    assert record.status == "failed" and record.error is not None and record.error.sentence == sentence


@pytest.mark.kernel
def test_a_bad_parameter_leaves_a_record_too(project: Project) -> None:
    from papermill.exceptions import PapermillExecutionError

    with pytest.raises(PapermillExecutionError):
        project.run(
            "from runbook_lib.base.errors import UsageError\nraise UsageError(\"env is '../x'\")",
            parameters={"env": "../x"},
        )
    record = project.record()
    assert record.error is not None and record.error.sentence == "env is '../x'"
    assert (record.env, record.notebook) == ("../x", "tiny")


@pytest.mark.kernel
def test_a_kernel_that_is_killed_leaves_a_record_that_says_so_and_running_again_works(project: Project) -> None:
    from nbclient.exceptions import DeadKernelError

    with pytest.raises(DeadKernelError):
        project.run(OPEN, INTENT, KILL, CLOSE)
    record = project.record()
    assert (record.status, len(record.open_changes)) == ("died", 1)
    assert record.error is not None and record.error.sentence == "the kernel died while code cell 4 of 5 ran"
    told = "the kernel died while code cell 4 of 5 ran; begun and not read back: dial"
    assert headline(record).reason == f"The run died: {told}."
    cells = project.sealed_notebook()["cells"]
    assert [cell["metadata"]["papermill"]["status"] for cell in cells] == ["completed"] * 3 + ["failed", "pending"]
    project.run(OPEN, CLOSE)
    refs = project.archive.records()
    project.archive.verify(refs[-1])
    assert project.archive.load(refs[-1]).previous == record.hash


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("number", "code", "word", "outcome", "how"),
    [
        (signal.SIGTERM, 143, "SIGTERM", "", "begun and not read back: dial"),
        (signal.SIGINT, None, "SIGINT", OUTCOME, "changed before that: dial"),
    ],
)
def test_papermill_that_is_terminated_stops_its_kernel_and_seals(
    project: Project, number: signal.Signals, code: int | None, word: str, outcome: str, how: str
) -> None:
    project.notebook(OPEN, f"{INTENT}\n{outcome}", f'print(os.getpid(), file=open("pid", "w"))\n{WAIT}', CLOSE)
    process = project.papermill()
    project.wait_for("waiting")
    process.send_signal(number)
    time.sleep(0.05)
    process.send_signal(number)  # impatience does not break the seal
    process.communicate(timeout=30)
    assert process.returncode == code if code is not None else process.returncode != 0
    record = project.record()
    assert (record.status, len(record.changes)) == ("cancelled", 1)
    assert record.error is not None and f"({word}) while code cell 4 of 5 ran" in record.error.sentence
    assert headline(record).reason.endswith(f"({word}) while code cell 4 of 5 ran; {how}.")
    with pytest.raises(ProcessLookupError):
        os.kill(int((project.root / "pid").read_text()), 0)


@pytest.mark.kernel
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_a_run_in_apply_that_is_stopped_before_it_was_opened_says_apply(project: Project, kill: signal.Signals) -> None:
    secret = "zebra" + "stripe"
    project.notebook(
        WAIT, OPEN, CLOSE, parameters=f'env = "dev"\nrelease = "r1"\nmode = "apply"\nreason = "pass{"word"}={secret}"'
    )
    process = project.papermill()
    project.wait_for("waiting")
    process.send_signal(kill)
    process.communicate(timeout=30)
    if kill == signal.SIGKILL:
        project.archive.sweep()
    record = project.record()
    assert (record.mode, record.status) == ("apply", "cancelled" if kill == signal.SIGINT else "died")
    assert secret not in record.model_dump_json()


@pytest.mark.kernel
def test_papermill_that_is_killed_leaves_its_journal_and_the_next_run_closes_it_as_died(project: Project) -> None:
    project.notebook(OPEN, INTENT, WAIT, CLOSE)
    process = project.papermill()
    project.wait_for("waiting")
    process.kill()
    process.communicate(timeout=30)
    assert project.archive.records() == [] and len(list(project.archive.staging.iterdir())) == 1
    project.run(OPEN, CLOSE)
    died, completed = map(project.archive.load, project.archive.records())
    assert (died.status, len(died.open_changes), completed.status) == ("died", 1, "completed")
    assert "notebook.ipynb" in died.files and completed.previous == died.hash
    project.archive.verify(project.archive.records()[-1])


@pytest.mark.kernel
def test_an_archive_that_cannot_be_written_does_not_hold_up_the_run(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (project.root / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sealed: list[Any] = []
    project.run(OPEN, CLOSE, parameters={"archive": "file/archive"}, on_sealed=sealed.append)
    assert "the record of this run is in" in capsys.readouterr().err
    assert Archive(sealed[0].folder.parents[3]).load(sealed[0]).status == "completed"


@pytest.mark.kernel
def test_a_record_that_cannot_be_sealed_is_an_error_and_the_journal_stays(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbclient.exceptions import DeadKernelError

    import runbook_lib.record.sealing as module
    from runbook_lib.base.errors import ArchiveError

    def full(*_: object, **__: object) -> None:
        raise ArchiveError("no room")

    monkeypatch.setattr(module, "seal_staged", full)
    with pytest.raises(
        ArchiveError, match=r"could not be sealed: no room; the record is kept in .*the next run seals it"
    ):
        project.run(OPEN, CLOSE)
    assert "no room" not in capsys.readouterr().err, "said once"
    assert len(list(project.archive.staging.glob("*/journal.jsonl"))) == 1
    with pytest.raises(DeadKernelError):
        project.run(OPEN, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert "no room" in capsys.readouterr().err, "beside what ended it"


@pytest.mark.kernel
def test_a_kernel_started_ahead_is_used_once_and_only_where_everything_is_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    prestart(project.archive.root, preload="import builtins; builtins.ahead = True")
    project.run(OPEN, CLOSE, 'print("ahead", "ahead" in globals() or "ahead" in dir(__builtins__))')
    assert "ahead True" in str(project.sealed_notebook()["cells"][-1]["outputs"])
    assert project.record().status == "completed"
    prestart(project.archive.root, preload="import builtins; builtins.ahead = True")
    monkeypatch.setenv("SOMETHING", "else")
    project.run(OPEN, CLOSE, 'print("ahead", "ahead" in globals() or "ahead" in dir(__builtins__))')
    nb = json.loads((project.archive.records()[-1].folder / "notebook.ipynb").read_text())
    assert "ahead False" in str(nb["cells"][-1]["outputs"])


@pytest.mark.kernel
def test_a_kernel_started_ahead_that_died_is_replaced(project: Project) -> None:
    prestart(project.archive.root)
    provisioner = kernel._warm[0].manager.provisioner
    provisioner.process.kill()
    provisioner.process.wait(10)
    project.run(OPEN, CLOSE)
    assert project.record().status == "completed"


@pytest.mark.kernel
def test_a_run_in_a_thread(project: Project) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            project.run(OPEN, CLOSE)
        except BaseException as error:  # told to the test below
            failures.append(error)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert failures == [] and project.record().status == "completed"
    assert signal.getsignal(signal.SIGTERM) is before


def _signalled(number: signal.Signals, armed: bool) -> Callable[[], None]:
    def act() -> None:
        with deferring_signals() as interruptible:
            if armed:
                with interruptible():
                    signal.raise_signal(number)
                    pytest.fail("the signal did not interrupt")
            signal.raise_signal(number)
            done.append("sealed")

    done: list[str] = []
    act.__dict__["done"] = done
    return act


@pytest.mark.parametrize(
    ("number", "error"),
    [(signal.SIGTERM, Terminated), (signal.SIGHUP, Terminated), (signal.SIGINT, KeyboardInterrupt)],
)
def test_signals_interrupt_cells_and_wait_for_the_seal(number: signal.Signals, error: type[BaseException]) -> None:
    before = signal.getsignal(number)
    with pytest.raises(error):
        _signalled(number, armed=True)()
    late = _signalled(number, armed=False)
    with pytest.raises(error):
        late()
    assert late.__dict__["done"] == ["sealed"]
    assert signal.getsignal(number) is before


def test_an_ending_by_any_other_cause_is_a_failure() -> None:
    status, problem = cut_short(new_notebook(cells=[]), TimeoutError())
    assert (status, problem.type, problem.sentence) == (
        "failed",
        "TimeoutError",
        "papermill stopped before the first cell ran",
    )


def test_names_come_from_papermill() -> None:
    nb = new_notebook(metadata={"kernelspec": {"name": "k", "display_name": "K"}, "language_info": {"name": "python"}})
    assert (RunbookEngine.nb_kernel_name(nb), RunbookEngine.nb_language(nb)) == ("k", "python")


@pytest.mark.kernel
def test_a_missing_output_folder_leaves_no_record_of_a_run_that_died(project: Project) -> None:
    import papermill

    notebook = project.notebook(OPEN, CLOSE)
    with pytest.raises(OSError, match="nowhere"):
        papermill.execute_notebook(
            notebook, str(project.root / "nowhere" / "out.ipynb"), engine_name="runbook", progress_bar=False
        )
    assert list(project.archive.staging.iterdir()) == []
    project.run(OPEN, CLOSE)
    assert project.record().status == "completed", "and the next run finds nothing to close"


def _kernel(project: Project, monkeypatch: pytest.MonkeyPatch, name: str, argv: list[str]) -> Path:
    """The kernel spec of this name, which Jupyter finds from now on."""
    spec = project.root / "share" / "kernels" / name / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": argv, "display_name": name, "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(project.root / "share"))
    return spec


@pytest.mark.kernel
def test_a_kernel_that_cannot_start_says_why_in_one_sentence(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    _kernel(project, monkeypatch, "broken", [sys.executable, "-m", "ipykernel_lawncher", "-f", "{connection_file}"])
    with pytest.raises(RuntimeError, match=r"could not start: .*No module named ipykernel_lawncher"):
        project.run(OPEN, CLOSE, kernel_name="broken")
    record = project.record()
    assert record.status == "failed" and record.error is not None
    assert record.error.sentence.startswith("the kernel could not start: ")
    assert record.error.sentence.endswith("No module named ipykernel_lawncher")
    assert capfd.readouterr().err.count("\n") <= 1


@pytest.mark.kernel
def test_a_command_that_a_kernel_spec_names_and_is_not_there_is_a_kernel_that_cannot_start(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = _kernel(project, monkeypatch, "nobody", ["/no/such/python", "-f", "{connection_file}"])
    for text in (spec.read_text(), "{"):
        spec.write_text(text)
        with pytest.raises(NoKernel, match="the kernel could not start: "):
            project.run(OPEN, CLOSE, kernel_name="nobody")
    found = [project.archive.load(ref) for ref in project.archive.records()]
    assert [(one.status, one.error and one.error.type) for one in found] == [("failed", "NoKernel")] * 2


@pytest.mark.kernel
def test_what_fails_behind_the_first_cell_is_no_kernel_that_could_not_start(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the kernel said last: the cells ran."""
    execute = kernel.Client.execute

    def then_trouble(client: Any, **how: Any) -> None:
        execute(client, **how)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(kernel.Client, "execute", then_trouble)
    warned = "import os; os.write(2, b'a library warns')"
    with pytest.raises(RuntimeError, match="can't start new thread"):
        project.run(OPEN, warned, CLOSE)
    record = project.record()
    assert record.error is not None
    assert (record.status, record.error.type, record.error.sentence) == (
        "failed",
        "RuntimeError",
        "can't start new thread",
    )


@pytest.mark.kernel
def test_a_kernel_that_does_not_answer_says_so_beside_its_last_word(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import signal, sys, time; signal.signal(2, signal.SIG_IGN)\n"
        "print('a debugger warns', file=sys.stderr, flush=True); time.sleep(60)"
    )
    _kernel(project, monkeypatch, "silent", [sys.executable, "-c", code, "{connection_file}"])
    with pytest.raises(NoKernel, match=r"could not start: .*did not answer in 3 s; a debugger warns"):
        project.run(OPEN, CLOSE, kernel_name="silent", start_timeout=3)


@pytest.mark.kernel
def test_secrets_that_a_cell_prints_in_pieces_are_never_on_disk(project: Project) -> None:
    begin, end, body, word = (
        *(f"-----{at} PRIVATE {'KEY'}-----" for at in ("BEGIN", "END")),
        "zebra" + "0stripe",
        "wallaby",
    )
    # Each piece is a message of its own, and the notebook is saved between them.
    cell = f"""import sys, time
for piece in ({begin!r}, 'ze' 'bra0stripe', {end!r}, "pass" + "word=", 'wal' 'laby'):
    print(piece, end="" if piece.endswith("=") else chr(10), flush=True); time.sleep(0.3)
time.sleep(0.5); open("seen", "w").write(open("out.ipynb").read())"""
    project.run("print(1)", f"import os; os.chdir({str(project.root)!r})", cell, CLOSE_ANY, autosave_cell_every=0.1)
    for path in project.root.rglob("*"):
        if path.is_file() and path.suffix in (".ipynb", ".json", ".jsonl", ".html", "") and path.name != "tiny.ipynb":
            text = path.read_text()
            assert body not in text, path
            assert word not in text, path
    assert "[redacted]" in (project.root / "seen").read_text()


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("words", "says", "records"),
    [
        (["tiny.ipynb", "nowhere/out.ipynb"], "doesn't exist; nothing was run, and there is no record of it", 0),
        (["tiny.ipynb", "out.ipynb", "-k", "nokernel"], "there is no kernel 'nokernel'; there are: python3", 1),
    ],
)
def test_papermills_own_command_line_says_in_a_sentence_why_a_run_could_not_begin(
    project: Project, words: list[str], says: str, records: int
) -> None:
    project.notebook("print(1)")
    command = [sys.executable, "-m", "papermill", "--engine", "runbook", "--no-progress-bar", *words]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1 and "Traceback" not in done.stderr + done.stdout
    assert done.stderr.splitlines()[-1].startswith("Error: ") and says in done.stderr.splitlines()[-1]
    found = project.archive.records()
    assert len(found) == records
    for ref in found:
        assert project.archive.load(ref).status == "failed", "it never began: it did not die"


def test_papermill_stages_a_run_for_an_archive_in_a_bucket_in_its_copy_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runbook_lib.record.engine import _archive

    monkeypatch.chdir(tmp_path)
    for written in ("s3://records/team", "archive"):
        archive = _archive({"archive": written}, tmp_path)
        assert archive.root == files_of(written, tmp_path) and home_address(archive.root) in ("", written)
    assert home_address(files_of("s3://records/team", tmp_path)) == "s3://records/team"


@pytest.mark.parametrize("written", [True, -1, 1.5, ["a"], {"a": 1}, None, ""])
def test_an_archive_that_is_no_text_makes_no_folder_of_its_name(tmp_path: Path, written: object) -> None:
    """The record that says so lay in `True/`."""
    from runbook_lib.record.engine import _archive

    assert _archive({"archive": written}, tmp_path).root == tmp_path / "archive"


@pytest.mark.kernel
def test_what_a_program_prints_is_in_the_cell_and_not_on_the_console(
    project: Project, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """ipykernel writes it to the kernel's own output, too: `--json` would be none, and a secret would be shown."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # with it ipykernel does not look at what programs print
    told = 'import os; os.system("echo PASS" + "WORD=zebrastripes; echo PASS" + "WORD=lionsmane >&2")'
    project.run(OPEN, CLOSE, told, boots=True)
    assert f"PASSWORD={MASK}" in str(project.sealed_notebook()["cells"][-1]["outputs"])
    shown = capfd.readouterr()
    assert "zebrastripes" not in shown.out
    assert "lionsmane" not in shown.out + shown.err


@pytest.mark.kernel
def test_a_teams_own_module_in_the_working_folder_is_no_library(project: Project) -> None:
    """IPython puts the working folder before the libraries: a run ended with the error of a team's `scipy.py`."""
    (project.root / "webencodings.py").write_text("raise RuntimeError('the team has its own')")
    project.run(OPEN, "import webencodings; webencodings.UTF8", CLOSE, boots=True)
    assert project.record().status == "completed"


@pytest.mark.kernel
def test_a_cell_that_prints_megabytes_leaves_a_record_that_says_so(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Allowance.__init__, "__defaults__", (100_000, 20_000))
    project.run(OPEN, 'for _ in range(50): print("y" * 10_000)\n1/1', CLOSE)
    record = project.record()
    assert (record.status, record.decision) == ("completed", "PROMOTE")
    assert any("characters of code cell 3 are left out" in one for one in record.warnings)
    assert CUT in str(project.sealed_notebook()["cells"][2]["outputs"])
    assert sum(path.stat().st_size for path in project.archive.records()[0].folder.iterdir()) < 400_000


@pytest.mark.kernel
@pytest.mark.parametrize("room", [20_000, 20_530])
def test_the_cut_leaves_no_half_of_a_secret_that_comes_in_pieces(
    project: Project, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Of two such limits one lies between the two pieces of a token."""
    monkeypatch.setattr(Allowance.__init__, "__defaults__", (room, 1_000))
    cell = """import time
token = "gh" + "p_" + "".join(chr(65 + at * 7 % 26) for at in range(36))
for _ in range(60):
    print(token[:20], end="", flush=True); time.sleep(0.01); print(token[20:], flush=True); time.sleep(0.01)"""
    project.run(OPEN, cell, CLOSE)
    half = "".join(chr(65 + at * 7 % 26) for at in range(12))
    assert CUT in str(project.sealed_notebook()["cells"][2]["outputs"])
    for path in project.root.rglob("*"):
        assert not path.is_file() or half not in path.read_text(errors="replace"), path


def test_a_connection_file_that_cannot_be_kept_from_others_is_a_kernel_that_cannot_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a umask of 707 papermill ended with the traceback of its own libraries."""

    async def refused(*_: object, **__: object) -> None:
        raise RuntimeError("Permissions assignment failed for secure file")

    monkeypatch.setattr(kernel.AsyncKernelManager, "start_kernel", refused)
    with pytest.raises(NoKernel, match="Permissions assignment failed"):
        kernel.start("python3", {}, "r1")


@pytest.mark.kernel
@pytest.mark.skipif(sys.platform == "darwin", reason="there a name is always text")
def test_a_folder_whose_name_is_no_text_costs_no_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record was sealed; then papermill ended with a UnicodeEncodeError and an empty notebook."""
    (folder := tmp_path / os.fsdecode(b"bad\xff")).mkdir()
    monkeypatch.chdir(folder)
    project = Project(Path())
    project.run(OPEN, CLOSE)
    assert project.record().status == "completed"
    assert json.loads((folder / "out.ipynb").read_text())["metadata"]["runbook"]["record"]


@pytest.mark.kernel
def test_code_that_is_too_deep_to_compile_is_a_run_that_failed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel was done and gave no answer: the run stood for ever."""
    monkeypatch.setattr(kernel, "ANSWERS_S", 0.5)
    with pytest.raises(kernel.NoAnswer, match="gave no answer"):
        project.run(OPEN, f"x = {'1 + ' * 5_000}1", CLOSE)
    record = project.record()
    assert (record.status, record.error and record.error.cell) == ("failed", 3)


@pytest.mark.kernel
def test_a_display_of_an_earlier_cell_is_redacted_when_it_is_saved_not_at_each_update(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of updates of a long text took minutes."""
    calls = list[int]()
    redact = kernel.redact_output
    monkeypatch.setattr(kernel, "redact_output", lambda *given: (calls.append(1), redact(*given)))
    shown = "from IPython.display import display; h = display('begun', display_id='bar')"
    update = f"for n in range(400): h.update(f'pass{'word'}=hunter2x {{n}}')"
    project.run(OPEN, shown, update, CLOSE)
    told = json.dumps(project.sealed_notebook()) + (project.root / "out.ipynb").read_text()
    assert "[redacted] 399" in told and "hunter2x" not in told and len(calls) < 20


@pytest.mark.kernel
@pytest.mark.parametrize("there", [True, False])
def test_this_users_own_ipython_is_no_part_of_a_run(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of theirs ran before the notebook, and stood in no record."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("IPYTHONDIR", raising=False)
    if there:
        (startup := home / ".ipython" / "profile_default" / "startup").mkdir(parents=True)
        (startup / "00.py").write_text("print('their own'); theirs = 1")
        (home / "startup.py").write_text("raise SystemExit(3)")
        monkeypatch.setenv("PYTHONSTARTUP", str(home / "startup.py"))
        monkeypatch.setenv("MPLBACKEND", "none of them")
    monkeypatch.chdir(tmp_path)
    project = Project(Path())
    project.run(OPEN, "import matplotlib.pyplot; print('theirs' in globals())", CLOSE)
    assert project.record().status == "completed"
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    said = "".join("".join(one.get("text", "")) for cell in cells for one in cell.get("outputs", ()))
    assert "False" in said and "their own" not in said
