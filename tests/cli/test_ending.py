"""Every command ends in a sentence and its exit code, whatever AWS or what stands for it answers."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from runbook_lib.act.guard import begun
from runbook_lib.act.traffic import switch
from runbook_lib.base import machine
from runbook_lib.base.errors import ArchiveError, AwsError, Refused, RunbookError, UsageError
from runbook_lib.base.project import GONE
from runbook_lib.cli import ending as ending_of
from runbook_lib.cli import entry
from runbook_lib.cli.app import app
from runbook_lib.cli.guarded import guarded
from runbook_lib.record.ended import deferring_signals
from tests.base.test_aws_errors import KINDS, PAGE, made
from tests.project import own_project

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {
    "status": ["status"],
    "rollback 1": ["rollback", "1"],
    "rollback 1 --apply": ["rollback", "1", "--apply", "--confirm", "prod"],
    "watch": ["watch", "06", "--once"],
    "probe": ["probe", "5"],
    "dlq list": ["dlq", "list"],
    "dlq redrive": ["dlq", "redrive", "--apply", "--confirm", "prod"],
    "dlq export": ["dlq", "export", "--out", "dead.jsonl"],
    "cost": ["cost"],
    "note": ["note", "a note", "--by", "Ana"],
    "attest": ["attest", "--list"],
}
IDENTITY = (
    "<GetCallerIdentityResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><GetCallerIdentityResult>"
    "<Arn>arn:aws:iam::{account}:user/ana</Arn><UserId>A</UserId><Account>{account}</Account>"
    "</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
)
GARBAGE: dict[str, tuple[int, bytes]] = {
    "a login page": (200, PAGE.encode()),
    "a login page that refuses": (511, PAGE.encode()),
    "a page of a gateway": (502, b"<html><head><title>502 Bad Gateway</title></head></html>"),
    "nothing": (200, b""),
    "nothing, and 500": (500, b""),
    "a list": (200, b"[]"),
    "null": (200, b"null"),
    "an empty object": (200, b"{}"),
    "half an answer": (200, b"<GetCallerIdentityResponse><GetCallerId"),
    "another answer": (200, b"<a><b/></a>"),
    "no text": (200, bytes(range(256))),
    "a redirect": (302, b""),
}
ASKS_MORE = ("status", "rollback 1", "watch", "dlq list")
"""Commands that ask AWS more than who the caller is, and cannot do without the answer."""
CASES = [
    (garbage, name, signed_in)
    for at, garbage in enumerate(GARBAGE)
    for name in ("status", *[*COMMANDS, *COMMANDS][at % 10 + 1 : at % 10 + 4])
    for signed_in in ((False, True) if name in ASKS_MORE else (False,))
]
"""Each kind of garbage through some commands, through `status` all."""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = own_project(tmp_path)
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    (tmp_path / "params" / "load.yaml").write_text((ROOT / "params" / "load.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    return path


def ends(name: str, file: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What the command says on standard error; it must be a sentence that tells what was changed, and exit with 1."""
    monkeypatch.setattr(sys, "argv", ["runbook", *COMMANDS[name], "--params", str(file)])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    out, err = capfd.readouterr()
    assert ended.value.code == 1, err
    assert "Traceback" not in out + err and "a fault of the runbook" not in err, err
    assert "ERROR" not in out
    (line,) = (one for one in err.strip().splitlines() if not one.endswith("..."))  # who waits is told what for
    assert line.startswith("runbook: ") and "nothing was changed" in line
    assert len(line) < (1000 if "rollback 1" in name else 700)  # with the command that does it by hand
    assert not (file.parent.parent / "dead.jsonl").exists()
    return line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"),
    [pytest.param(*pair, id=f"{pair[0].__name__}-{pair[1]}") for pair in zip(KINDS, itertools.cycle(COMMANDS))],
)
def test_every_error_of_botocore_through_the_commands(
    kind: type[Exception],
    name: str,
    file: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = kind({}, "GetCallerIdentity") if issubclass(kind, ClientError) else made(kind)

    def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr(BaseClient, "_make_api_call", fails)
    ends(name, file, capfd, monkeypatch)


class Garbage(BaseHTTPRequestHandler):
    """Answers `answer` to all, or to all but STS."""

    answer: ClassVar[tuple[int, bytes]] = (200, b"")
    account: ClassVar[str] = ""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body = self.answer
        if self.account and b"GetCallerIdentity" in asked:
            status, body = 200, IDENTITY.format(account=self.account).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Garbage) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{one.server_port}"
        one.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize(("garbage", "name", "signed_in"), CASES)
def test_garbage_for_an_answer_through_the_commands(
    garbage: str,
    name: str,
    signed_in: bool,
    server: str,
    file: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setattr(Garbage, "answer", GARBAGE[garbage])
    monkeypatch.setattr(Garbage, "account", "000000000000" if signed_in else "")
    ends(name, file, capfd, monkeypatch)


def test_where_the_switch_cannot_be_reached_it_says_what_was_begun_and_the_way_by_hand(
    server: str, file: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setattr(Garbage, "answer", GARBAGE["a page of a gateway"])
    monkeypatch.setattr(Garbage, "account", "000000000000")
    monkeypatch.setattr(switch, "PATIENCE_S", 0.5)  # that it goes on trying is in `tests/act/traffic`
    monkeypatch.setattr(sys, "argv", ["runbook", *COMMANDS["rollback 1 --apply"], "--params", str(file)])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    err = capfd.readouterr().err
    assert ended.value.code == 1 and "Traceback" not in err
    assert "to take async off by hand: " in err and "begun before that: switch off" in err
    assert "nothing was changed" not in err


@pytest.mark.parametrize("kind", [Refused, UsageError, AwsError])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("begun", [[], ["dial 10 %"]])
def test_what_was_changed_is_said_once_and_is_what_was_begun(
    kind: type[RunbookError], known: bool, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending_of, "begun", begun)
    told, code = ending_of.ending(kind("no such thing", nothing_changed=known))
    assert code == kind.exit_code and told.startswith("runbook: no such thing")
    assert told.count("; begun before that: dial 10 %") == len(begun)
    assert told.count("nothing was changed") == (not begun)


def test_a_notebook_shows_it_too() -> None:
    assert Refused("no", nothing_changed=True)._render_traceback_() == ["Refused: no; nothing was changed"]
    assert Refused("no")._render_traceback_() == ["Refused: no"] and str(Refused("no", nothing_changed=True)) == "no"


def test_ctrl_c_says_what_was_begun_and_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from runbook_lib.act.guard import begun
    from runbook_lib.cli.app import app
    from runbook_lib.cli.guarded import guarded
    from runbook_lib.run import launch

    def stopped(*_: Any, **__: Any) -> None:
        begun.append("dial 0 -> 10 %")
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "launch", stopped)
    monkeypatch.setattr(sys, "argv", ["runbook", "run", "06", "--params", str(ROOT / "params" / "prod.yaml")])
    try:
        with pytest.raises(SystemExit) as ended:
            guarded(lambda: app(standalone_mode=True))
    finally:
        begun.clear()
    said = capsys.readouterr().err
    assert ended.value.code == 130
    assert "runbook: interrupted; begun before that: dial 0 -> 10 %" in said and "Traceback" not in said


@pytest.mark.parametrize("error", [UsageError("a: wrong"), Refused("no"), RunbookError("x")])
def test_every_sentence_says_whether_something_was_changed(error: Exception) -> None:
    said, _ = ending_of.ending(error)
    assert said.endswith("; nothing was changed") and said.count("nothing was changed") == 1


@pytest.fixture
def signals() -> Iterator[None]:
    """Handlers that a command sets are those of its process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("did", [[], ["set the dial to 10 %"]])
@pytest.mark.parametrize("sealing", [True, False])
def test_who_is_asked_to_end_says_what_was_begun(
    signals: None, capsys: pytest.CaptureFixture[str], number: signal.Signals, did: list[str], sealing: bool
) -> None:
    """By a job that is cancelled, or a connection that is lost; before papermill's engine has a say, and in it."""
    done = []

    def command() -> int:
        begun.extend(did)
        try:
            with deferring_signals() if sealing else nullcontext(nullcontext) as interruptible, interruptible():
                os.kill(os.getpid(), number)
        finally:
            done.append("sealed")
        raise AssertionError("it went on")

    ending_of.answering()
    with pytest.raises(SystemExit) as ended:
        guarded(command)
    assert done == ["sealed"] and ended.value.code == 128 + number
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1 and (did[0] if did else "nothing was changed") in told
    assert number.name in told or not sealing


@pytest.mark.parametrize("busy_s", [0, 0.1])
@pytest.mark.parametrize("sealing", [True, False])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_that_comes_in_a_finalizer_is_not_lost(
    signals: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    sealing: bool,
    busy_s: float,
) -> None:
    """Each client of botocore has some; two of twenty-five signals to a rollback 1 came in one. On a busy machine the
    signal came again while the error of the first was still being dropped.
    """
    start = threading.Timer.start

    def late(timer: threading.Timer) -> None:
        start(timer)
        time.sleep(busy_s)

    monkeypatch.setattr(threading.Timer, "start", late)

    class Finalized:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)
            len("the error is raised here")

    def command() -> int:
        with deferring_signals() if sealing else nullcontext(nullcontext) as interruptible, interruptible():
            one = Finalized()
            del one
            end = time.monotonic() + 20
            while time.monotonic() < end:
                time.sleep(0.01)
        raise AssertionError("it went on")

    ending_of.answering()
    with pytest.raises(SystemExit) as ended:
        guarded(command)
    told = capsys.readouterr().err
    assert ended.value.code == 128 + number
    assert len(told.splitlines()) == 1 and "nothing was changed" in told


def test_what_runs_without_its_terminal_goes_on(signals: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` starts it
    ending_of.answering()
    with deferring_signals() as interruptible, interruptible():
        os.kill(os.getpid(), signal.SIGHUP)


@pytest.mark.parametrize("number", sorted(machine._OF_A_FILE))
def test_what_this_machine_says_of_a_file_is_no_fault_of_the_runbook(number: int) -> None:
    told, code = ending_of.ending(OSError(number, os.strerror(number), "/a\nb/" + "c" * 5000))
    assert code == 1 and "\n" not in told and len(told) < 600 and os.strerror(number) in told
    assert "RUNBOOK_TRACEBACK" not in told and told.endswith("; nothing was changed")


@pytest.mark.parametrize("kind", [UsageError, AwsError, Refused])
def test_a_name_that_fills_the_screen_is_told_by_its_ends(kind: type[RunbookError]) -> None:
    error = kind(f"the path is 'begin{'x' * 5000}end', which is not there")
    told, code = ending_of.ending(error)
    assert len(told) < 500 and "begin" in told and "end', which is not there" in told and "characters" in told
    assert code == error.exit_code and len(error._render_traceback_()[0]) < 500


def numpy_says(why: str) -> ImportError:
    """numpy's own page of advice, over what the loader said."""
    try:
        try:
            raise ImportError(why, name="numpy._core._multiarray_umath")
        except ImportError as error:
            raise ImportError("\n\nIMPORTANT: PLEASE READ THIS FOR ADVICE\n" * 5) from error
    except ImportError as error:
        return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "this machine has no memory left for it"),
        (numpy_says("libblas.so: failed to map segment"), "cannot be loaded: libblas.so: failed to map segment"),
        (ModuleNotFoundError("No module named 'duckdb'", name="duckdb"), "cannot be loaded: No module named 'duckdb'"),
    ],
)
def test_a_library_or_memory_that_is_missing_is_no_fault_of_the_runbook(error: Exception, told: str) -> None:
    said, code = ending_of.ending(error)
    assert said.endswith(f"{told}; nothing was changed") and said.count("\n") == 0 and code == 1


def test_a_compiled_module_that_is_cut_off_is_no_fault_of_the_runbook_and_no_lost_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python writes half of one on a full disk, and `runbook rollback 1` said "nobody answered"."""
    cut = EOFError("marshal data too short")
    assert "remove its __pycache__ folders" in ending_of.ending(cut)[0]

    def loads(*_: Any, **__: Any) -> Any:
        raise cut

    monkeypatch.setattr("runbook_lib.commands.status.rollout_status", loads)
    done = CliRunner().invoke(app, ["status", "--env", "prod"])
    assert done.exception is cut


def test_a_module_of_our_own_that_is_missing_is_a_fault_of_the_runbook() -> None:
    with pytest.raises(ImportError) as raised:
        raise ImportError("cannot import name 'x' from 'runbook_lib.judge'", name="runbook_lib.judge")
    error = raised.value
    assert "a fault of the runbook itself: ImportError: cannot import name 'x'" in ending_of.ending(error)[0]


@pytest.mark.parametrize("kind", [UsageError, Refused, AwsError, ValueError, OSError, KeyboardInterrupt, MemoryError])
def test_a_secret_that_was_typed_is_in_no_sentence(kind: type[BaseException]) -> None:
    """`--set db_password=x` of a parameter that does not exist repeated it, and a CI job's log keeps that."""
    with pytest.raises(kind) as raised:
        raise kind("--set db_password=Zq7vK2mXw9LpR4tB: no parameter 'db_password'")
    told, _ = ending_of.ending(raised.value)
    assert "Zq7vK2mXw9LpR4tB" not in told and told.startswith("runbook: ")


def test_nor_in_that_of_a_file() -> None:
    with pytest.raises(OSError, match="directory") as raised:
        Path("password=Zq7vK2mXw9LpR4tB").stat()
    told, _ = ending_of.ending(raised.value)
    assert "Zq7vK2mXw9LpR4tB" not in told


NO_PLACE = ["archive list", "archive verify", "archive show x", "verify x --key y", "replay x"]


@pytest.mark.parametrize("command", NO_PLACE)
def test_a_working_folder_that_is_gone_is_told_by_each_command(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr(sys, "argv", ["runbook", *command.split()])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 2
    assert capfd.readouterr().err == f"runbook: {GONE}; nothing was changed\n"


def test_a_loop_of_links_that_somebody_named_is_no_fault_of_the_runbook(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises((RuntimeError, OSError)) as raised:
        (tmp_path / "loop").resolve(strict=True)
    said, code = ending_of.ending(raised.value)
    assert code == 1 and f"{tmp_path}/loop" in said and "Too many levels of symbolic links" in said
    assert "a fault of the runbook" not in said


def test_pythons_number_of_an_error_is_not_told() -> None:
    denied = PermissionError(13, "Permission denied", "a.csv")
    said, _ = ending_of.ending(ArchiveError(f"a.csv cannot be written ({denied})"))
    assert said == "runbook: a.csv cannot be written (Permission denied: 'a.csv'); nothing was changed"
