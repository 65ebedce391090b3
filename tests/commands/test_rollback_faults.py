"""Faults of the way back itself: AWS throttles, breaks, refuses, loses the answer; a kill at every step; a full disk.

After each: AWS is in the state that the record's last line claims, running again completes, and no record is lost or
doubled.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as bc
from botocore.client import BaseClient
from botocore.parsers import ResponseParserError

from runbook_lib.act.traffic import flag_store, switch
from runbook_lib.base import telling
from runbook_lib.base.errors import AwsError
from runbook_lib.commands.rollback import NOTEBOOK, rollback_1
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.record import journal, seal
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rollout.open_changes import dead
from tests.benchmarks import bench_rollback as bench
from tests.project import own_project

pytestmark = pytest.mark.emulator
ROOT = Path(__file__).resolve().parents[2]
APPLY = {"mode": "apply", "confirm": "prod"}


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as embedded, only(embedded.env):
        deploy(embedded, load_file(ROOT / "params" / "prod.yaml", read_yaml(ROOT / "params" / "rehearsal.yaml")))
        yield embedded


@pytest.fixture
def file(tmp_path: Path, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, with async on; and a patience of hundredths."""
    path = own_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    for module in (switch, flag_store):
        monkeypatch.setattr(module, "PAUSE_S", 0.005)
        monkeypatch.setattr(module, "PATIENCE_S", 1.0)
    bench.switch_on(aws, load_file(path))
    return path


def on(aws: EmbeddedAws, file: Path) -> bool:
    return traffic.read_state(aws.client("appconfig"), load_file(file)).switch_on


def records(file: Path) -> list[Record]:
    """All of the chain, each verified; nothing is left unsealed."""
    archive = Archive(file.parents[1] / "archive")
    refs = archive.records(notebook=NOTEBOOK)
    for ref in refs:
        archive.verify(ref)
    assert [path.name for path in archive.staging.glob("*")] == []
    return [archive.load(ref) for ref in refs]


def switched(record: Record) -> list[Any]:
    """Its changes but for people being told of them."""
    return [one for one in record.changes if not one.intent["what"].startswith("notify ")]


def claims(record: Record) -> bool | None:
    """What the record's last line about the switch says: on or off; None: nobody knows, ask AWS."""
    if not switched(record):
        return True
    change = switched(record)[-1]
    if change.open:
        return None
    return not (change.outcome or {})["ok"]


def client_error(code: str, status: int) -> Callable[[str], Exception]:
    """A refusal, with the number of its request as AWS gives one."""

    def make(operation: str) -> Exception:
        answer = {"HTTPStatusCode": status, "RequestId": "0"}
        return bc.ClientError({"Error": {"Code": code, "Message": "injected"}, "ResponseMetadata": answer}, operation)

    return make


FAULTS: dict[str, Callable[[str], Exception]] = {
    "throttled": client_error("ThrottlingException", 429),
    "internal error": client_error("InternalServerException", 500),
    "timeout": lambda _: bc.ReadTimeoutError(endpoint_url="http://127.0.0.1:9"),
    "unreached": lambda _: bc.ConnectTimeoutError(endpoint_url="http://127.0.0.1:9"),
    "connection lost": lambda _: bc.ConnectionClosedError(endpoint_url="http://127.0.0.1:9"),
    "denied": client_error("AccessDeniedException", 403),
    "a page": lambda _: ResponseParserError("<html>sign in</html>"),
    "redirected": client_error("307", 307),
}
PASSING = ("throttled", "internal error", "timeout", "unreached", "connection lost")


@pytest.fixture
def inject(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Has an operation fail before or after it was really made, the first `times` it is called."""
    real = BaseClient._make_api_call

    def arm(operation: str, fault: str, *, after: bool, times: int = 1, skip: int = 0) -> list[str]:
        calls: list[str] = []

        def call(self: Any, name: str, arguments: Any) -> Any:
            if name != operation:
                return real(self, name, arguments)
            calls.append(name)
            hit = skip < len(calls) <= skip + times
            if hit and not after:
                raise FAULTS[fault](name)
            answer = real(self, name, arguments)
            if hit:
                raise FAULTS[fault](name)
            return answer

        monkeypatch.setattr(BaseClient, "_make_api_call", call)
        return calls

    return arm


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
def test_a_fault_that_passes_is_outlasted(aws: EmbeddedAws, file: Path, inject: Any, fault: str, after: bool) -> None:
    calls = inject("StartDeployment", fault, after=after)
    done = rollback_1(file, APPLY)
    assert "async is off" in done.sentence and calls
    assert on(aws, file) is False
    (record,) = records(file)
    assert (record.status, claims(record)) == ("completed", False)
    assert len(switched(record)) == 1
    assert "already" in rollback_1(file, APPLY).sentence
    assert [len(switched(one)) for one in records(file)] == [1, 0]


@pytest.mark.parametrize(
    "operation", ["ListApplications", "ListDeployments", "GetHostedConfigurationVersion", "GetDeployment"]
)
@pytest.mark.parametrize("fault", PASSING)
def test_a_question_that_fails_once_holds_nothing_up(
    aws: EmbeddedAws, file: Path, inject: Any, operation: str, fault: str
) -> None:
    inject(operation, fault, after=False)
    rollback_1(file, APPLY)
    assert on(aws, file) is False
    assert [claims(one) for one in records(file)] == [False]


QUESTIONS = (
    *("ListApplications", "ListConfigurationProfiles", "ListEnvironments", "ListDeploymentStrategies"),
    *("ListDeployments", "ListHostedConfigurationVersions", "GetHostedConfigurationVersion", "GetDeployment"),
)


@pytest.mark.parametrize("operation", QUESTIONS)
@pytest.mark.parametrize("fault", ["throttled", "a page", "redirected"])
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_nor_does_one_that_fails_three_times_wherever_that_is(
    aws: EmbeddedAws, file: Path, inject: Any, operation: str, fault: str, skip: int
) -> None:
    """A writing was tried for a minute, a question once: three bad answers of a proxy, and async stayed on; one at the
    end, and what was off was told as a failure.
    """
    calls = inject(operation, fault, after=False, times=3, skip=skip)
    assert "async is off" in rollback_1(file, APPLY).sentence
    calls += [operation] * 6  # AWS is well again
    assert on(aws, file) is False
    assert [claims(one) for one in records(file)] == [False]


@pytest.mark.parametrize("fault", ["a page", "redirected", "connection lost"])
def test_nor_does_one_about_who_asks(aws: EmbeddedAws, file: Path, inject: Any, fault: str) -> None:
    """One page in place of an answer ended the rollback before it had begun."""
    inject("GetCallerIdentity", fault, after=False, times=3)
    assert "async is off" in rollback_1(file, APPLY).sentence
    assert on(aws, file) is False


def test_who_is_refused_hears_so_at_once(file: Path, inject: Any) -> None:
    asked = inject("GetCallerIdentity", "denied", after=False, times=9)
    with pytest.raises(AwsError, match="AccessDeniedException"):
        rollback_1(file, APPLY)
    assert len(asked) <= 2, "the second time to tell people"


@pytest.mark.parametrize("operation", ["ListHostedConfigurationVersions", "GetHostedConfigurationVersion"])
@pytest.mark.parametrize("fault", ["denied", "a page", "timeout"])
def test_which_versions_there_are_need_not_be_known(
    aws: EmbeddedAws, file: Path, inject: Any, operation: str, fault: str
) -> None:
    calls = inject(operation, fault, after=False, times=1_000)
    with contextlib.suppress(AwsError):  # what a version says cannot be read back either
        rollback_1(file, APPLY)
    calls += [operation] * 1_001
    assert on(aws, file) is False


def test_a_silent_aws_is_asked_again_within_seconds(
    aws: EmbeddedAws, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Off was set, and nobody answered: the default of 60 s for an answer would be a fifth of the limit, each time."""
    from botocore.exceptions import ReadTimeoutError
    from botocore.httpsession import URLLib3Session

    real, silent, patience = URLLib3Session.send, [True], set[float]()

    def send(self: Any, request: Any) -> Any:
        if "/applications" in request.url:
            patience.add(self._timeout.read_timeout)
        answer = real(self, request)
        if silent[0] and request.method == "POST" and request.url.endswith("/deployments"):
            silent[0] = False
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer

    monkeypatch.setattr(URLLib3Session, "send", send)
    rollback_1(file, APPLY)
    assert not silent[0]
    assert patience and max(patience) <= 10
    assert on(aws, file) is False
    assert [claims(one) for one in records(file)] == [False]


@pytest.mark.parametrize("status", [200, 307, 403])
def test_who_waits_reads_within_seconds_that_it_is_not_off_and_how_to_do_it_by_hand(
    aws: EmbeddedAws, file: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """A web page answers every change: it is tried for a minute, of which nobody knew."""
    from botocore.awsrequest import AWSResponse
    from botocore.httpsession import URLLib3Session

    real, told = URLLib3Session.send, list[tuple[float, str]]()
    began = time.monotonic()
    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.2)
    telling.tellers.append(lambda text: told.append((time.monotonic() - began, text)))

    def send(self: Any, request: Any) -> Any:
        if request.method != "POST" or not request.url.endswith("/deployments"):
            return real(self, request)
        page = AWSResponse(request.url, status, {"content-type": "text/html", "location": "http://127.0.0.1:9/"}, None)
        page._content = b"<html>sign in first</html>"
        return page

    monkeypatch.setattr(URLLib3Session, "send", send)
    with pytest.raises(AwsError, match="aws appconfig start-deployment"):
        rollback_1(file, APPLY)
    said = [(at, text) for at, text in told if "has NOT worked yet" in text]
    assert len(said) == 1
    assert "switching async off has NOT worked yet" in said[0][1] and "aws appconfig start-deployment" in said[0][1]
    monkeypatch.setattr(URLLib3Session, "send", real)
    assert on(aws, file) is True


def test_without_aws_clock_it_acts_by_its_own_and_says_so(
    aws: EmbeddedAws, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.httpsession import URLLib3Session

    real = URLLib3Session.send

    def send(self: Any, request: Any) -> Any:
        answer = real(self, request)
        answer.headers.pop("date", None)
        return answer

    told = list[str]()
    telling.tellers.append(told.append)

    monkeypatch.setattr(URLLib3Session, "send", send)
    done = rollback_1(file, APPLY)
    assert on(aws, file) is False and "async is off" in done.sentence
    (record,) = records(file)
    assert any("carries no Date" in text and "this machine's" in text for text in record.warnings)
    assert len([text for text in told if "this machine's" in text]) == 1


def test_denied_says_how_to_do_it_by_hand_and_running_again_completes(
    aws: EmbeddedAws, file: Path, inject: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject("StartDeployment", "denied", after=False, times=99)
    with pytest.raises(AwsError, match=r"AccessDeniedException.*aws appconfig start-deployment"):
        rollback_1(file, APPLY)
    inject("StartDeployment", "denied", after=False, times=0)
    assert on(aws, file) is True
    (record,) = records(file)
    assert (record.status, claims(record)) == ("failed", True)
    assert record.error is not None and "start-deployment" in record.error.sentence
    rollback_1(file, APPLY)
    assert on(aws, file) is False
    assert [(one.status, claims(one)) for one in records(file)] == [("failed", True), ("completed", False)]


def test_denied_in_the_middle_leaves_an_open_change_that_the_next_run_answers(
    aws: EmbeddedAws, file: Path, inject: Any
) -> None:
    """Off was set, and then not even reading back is allowed any more."""
    inject("GetDeployment", "denied", after=False, times=99, skip=1)
    with pytest.raises(AwsError, match="AccessDenied"):
        rollback_1(file, APPLY)
    inject("GetDeployment", "denied", after=False, times=0)
    (record,) = records(file)
    assert (record.status, claims(record)) == ("failed", None)
    assert on(aws, file) is False
    assert "already" in rollback_1(file, APPLY).sentence
    assert len(records(file)) == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from runbook_lib.commands import rollback, kill_switch
from runbook_lib.act.traffic.flag_store import FlagStore
from runbook_lib.record import journal, seal, staging
from runbook_lib.record.home import folder

step, file = sys.argv[1], Path(sys.argv[2])

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

kind, _, name = step.partition(" ")
if kind == "after":
    real = journal.Journal.append_or_stderr
    def append(self, event, **data):
        entry = real(self, event, **data)
        if event == name:
            die()
        return entry
    journal.Journal.append_or_stderr = append
elif step == "before the call":
    FlagStore.start = die
elif step == "behind the call":
    start = FlagStore.start
    FlagStore.start = lambda *a, **k: (start(*a, **k), die())
elif step == "before the seal":
    folder.write_folder = die
elif step == "behind the seal":
    write = folder.Folder.write
    folder.Folder.write = lambda self, path, content: die() if path.endswith('/HEAD') else write(self, path, content)
elif step == "before it is tidied up":
    staging.remove = die
rollback.rollback_1(file, {"mode": "apply", "confirm": "prod"})
"""
STEPS = {
    "after opened": True,
    "after caller": True,
    "after incident": True,
    "after intent": None,
    "before the call": None,
    "behind the call": None,
    "after outcome": False,
    "after loaded": False,
    "after note": False,
    "before the seal": False,
    "behind the seal": False,
    "before it is tidied up": False,
}
"""Where the process is killed, and what the record's last line then claims: on, off, or nobody knows."""


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_step_between_intent_and_record(aws: EmbeddedAws, file: Path, step: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), step, str(file)],
        env={**os.environ, **aws.env},
        cwd=file.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    claimed, left = STEPS[step], on(aws, file)

    again = rollback_1(file, APPLY)
    assert on(aws, file) is False
    died = records(file)[0]
    assert claims(died) is claimed
    assert died.status == ("completed" if step in ("behind the seal", "before it is tidied up") else "died")
    assert claimed is None or left is claimed
    assert ("already" in again.sentence) is (not claimed if claimed is not None else step == "behind the call")
    assert [one.run_id for one in records(file)] == [died.run_id, again.run_id]
    assert records(file)[-1].previous == died.hash


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], contextlib.ExitStack]:
    """No space left on the archive's disk, from `when` on."""
    write, folder = journal._write, seal.write_folder

    def fill(when: str) -> contextlib.ExitStack:
        def no_line(path: Path, text: str) -> None:
            if "archive" in path.parts and (when in ("always", "to the end") or f'"{when}"' in text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write(path, text)

        def no_folder(final: Path, *given: Any) -> None:
            if when in ("seal", "to the end") and ".staging" not in final.parts:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            folder(final, *given)

        stack = contextlib.ExitStack()
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(journal, "_write", no_line)
        for module in ("runbook_lib.record.home.folder", "runbook_lib.record.staging"):
            patch.setattr(f"{module}.write_folder", no_folder)
        return stack

    return fill


@pytest.mark.parametrize("spare", [True, False], ids=["a temporary folder", "no room anywhere"])
def test_a_rollback_whose_record_found_no_room_did_not_die(
    aws: EmbeddedAws, file: Path, full: Any, monkeypatch: pytest.MonkeyPatch, *, spare: bool
) -> None:
    """`runbook archive list` said later that it had died before it changed anything."""
    with full("to the end") as disk:
        for module in ("runbook_lib.record.staging", "runbook_lib.record.seal"):
            disk.enter_context(pytest.MonkeyPatch.context()).setattr(f"{module}.replace_file", no_room)
        if not spare:
            disk.enter_context(pytest.MonkeyPatch.context()).setattr(journal.tempfile, "gettempdir", no_room)
        done = rollback_1(file, APPLY)
    assert "async is off" in done.sentence and done.record is None
    archive = Archive(file.parents[1] / "archive")
    monkeypatch.setattr("runbook_lib.record.staging.alive", lambda *_: False)
    (seen,) = dead(load_file(file, {}), archive)
    assert seen.status == "completed"
    archive.sweep()
    (record,) = records(file)
    assert record.status == "completed"
    if spare:
        assert claims(record) is False and record.warnings == ()
    else:
        assert journal.LOST in record.warnings, "what it did, nobody knows here, and it says so"


def no_room(*_: object) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("when", ["always", "intent", "outcome", "seal"])
def test_a_full_disk_is_no_reason_to_wait_and_nothing_that_was_done_goes_unsaid(
    aws: EmbeddedAws, file: Path, full: Any, capsys: pytest.CaptureFixture[str], when: str
) -> None:
    with full(when):
        done = rollback_1(file, APPLY)
    assert "async is off" in done.sentence
    assert on(aws, file) is False
    said = capsys.readouterr().err
    if when == "seal":
        assert "No space left" in said and done.record is None
        # The journal stayed; who owned it is this process, which lives: the next process closes it.
        (staged,) = Archive(file.parents[1] / "archive").staging.glob("*")
        assert "switch off" in (staged / "journal.jsonl").read_text()
        return
    assert '"what":"switch off"' in said or when == "outcome"
    (record,) = records(file)
    assert any("the journal" in one and "cannot be written" in one for one in record.warnings)
    assert "already" in rollback_1(file, APPLY).sentence
