"""A question that gets no whole answer is given up in time, and whoever waits is told what for."""

from __future__ import annotations

import os
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base import aws as clients
from runbook_lib.base import patience, telling
from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.base.patience import Patient, Silence
from runbook_lib.base.telling import Overdue, Trouble, busy, tellers

ASKED = "https://sts.example"


def session(answer: Any) -> Any:
    return SimpleNamespace(send=answer, close=lambda: None)


def test_an_answer_and_an_error_come_through() -> None:
    assert Patient(session(lambda request: request), ASKED, 5).send("x") == "x"
    with pytest.raises(ZeroDivisionError):
        Patient(session(lambda _: 1 / 0), ASKED, 5).send("x")


def test_who_waits_is_told_once_and_only_if_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    tellers.append(told.append)
    Patient(session(lambda request: request), ASKED, 5).send("x")
    assert told == []
    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.05)
    began = time.monotonic()
    with pytest.raises(ReadTimeoutError):
        Patient(session(lambda _: time.sleep(5)), ASKED, 0.3).send("x")
    assert time.monotonic() - began < 3
    assert told == [f"waiting for {ASKED} to answer, 0 s at most ..."]


@pytest.mark.parametrize(
    ("this", "says"), [("attempt=1", 4 * 10 + 8), ("ttl=1; attempt=3", 2 * 10 + 2), ("attempt=4", 10)]
)
def test_the_line_promises_the_whole_with_all_tries(this: str, says: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    tellers.append(told.append)
    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.0)
    monkeypatch.setattr(patience, "_trouble", Trouble())
    request = SimpleNamespace(headers={"amz-sdk-request": this.encode()})
    Patient(session(lambda _: time.sleep(0.05)), ASKED, 10, tries=4).send(request)
    assert told == [f"waiting for {ASKED} to answer, {says} s at most ..."]


def test_questions_that_are_asked_again_and_again_are_told_of_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each was answered at its third try, soon: a look took 71 s without a word."""
    told: list[tuple[float, str]] = []
    clock = [0.0]
    tellers.append(lambda text: told.append((clock[0], text)))
    monkeypatch.setattr(patience, "_trouble", Trouble(lambda: clock[0]))

    def asked(until: float) -> None:
        while clock[0] < until:
            for nth in (1, 2, 3):
                request = SimpleNamespace(headers={"amz-sdk-request": f"attempt={nth}; max=4"})
                Patient(session(lambda _: "answer"), ASKED, 5, tries=4).send(request)
                clock[0] += 0.25

    asked(2.0)
    assert told == [], "one that is asked again is nothing to speak of"
    asked(24.0)
    assert [round(at) for at, _ in told] == [2, 13, 24]
    assert told[0][1].startswith(f"{ASKED} gives no good answer; asked again, try ") and "of 4" in told[0][1]
    clock[0] += 60
    asked(clock[0] + 1)
    assert len(told) == 3, "trouble that was over begins anew"


def test_long_work_is_told_of_and_short_work_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    enough = threading.Event()
    tellers.append(lambda text: (told.append(text), enough.set() if len(told) == 2 else None))
    with busy("quick work"):
        pass
    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.01)
    monkeypatch.setattr(telling, "EACH_S", 0.02)
    with busy("long work"):
        assert enough.wait(10)
    assert told[:2] == ["long work ..."] * 2


def test_work_in_short_parts_is_told_of_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """`runbook run` said nothing for seven seconds, in which none of its cells took two."""
    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.01)
    monkeypatch.setattr(telling, "EACH_S", 1000)
    told, heard, parts = list[str](), threading.Event(), ["", "one", "two", "three"]
    tellers.append(lambda text: (told.append(text), heard.set()))
    doing = [parts[0]]
    with busy(lambda: doing[0]):
        for doing[0] in parts[1:]:
            assert heard.wait(10)
            heard.clear()
    assert told == ["one ...", "two ...", "three ..."]


def test_what_is_overdue_is_told_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told, clock = list[str](), [0.0]
    tellers.append(told.append)
    overdue = Overdue(lambda: clock[0])
    for clock[0] in (0.0, 1.9, 2.0, 2.5, 11.9, 12.0, 30.0):
        overdue.tell(lambda: f"not yet at {clock[0]:g} s")
    assert told == [f"not yet at {at} s" for at in (2, 12, 30)]


@pytest.mark.parametrize(
    ("status", "content", "streams", "raises"),
    [
        (200, b" <html>", False, True),
        (200, b"Please sign in", False, True),
        (200, b'{"Messages": [{"Body": "a"}', False, True),
        (200, b"[" * 100_000, False, True),
        (200, b"\xff\xfe", False, True),
        (200, b'{"Items": []}', False, False),
        (200, b"", False, False),
        (404, b"<html>", False, False),
        (200, b"<xml of a stored object>", True, False),
    ],
)
def test_a_page_is_no_answer_of_a_service_that_speaks_json(
    status: int, content: bytes, streams: bool, raises: bool
) -> None:
    answer = SimpleNamespace(status_code=status, content=content, headers={}, url="http://x")
    request = SimpleNamespace(stream_output=streams)
    assert Patient(session(lambda _: answer), ASKED, 5).send(request) is answer, "XML is what the others speak"
    if raises:
        with pytest.raises(ResponseParserError):
            Patient(session(lambda _: answer), ASKED, 5, json=True).send(request)
    else:
        assert Patient(session(lambda _: answer), ASKED, 5, json=True).send(request) is answer


@pytest.fixture
def dripping() -> Iterator[str]:
    """An endpoint that sends a byte now and then, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip(connection: socket.socket) -> None:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.05)
            except OSError:
                return

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_an_endpoint_that_answers_byte_by_byte_ends(dripping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "WHO_S", 0.3)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    began = time.monotonic()
    with pytest.raises(AwsError, match="does not answer"):
        Aws("us-east-1", dripping).identity()
    assert time.monotonic() - began < 10


def test_a_command_ends_after_some_silence_whatever_it_asks_next(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    tellers.append(told.append)
    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.0)
    silence, asked = Silence(0.5), list[str]()

    def hang(request: Any) -> None:
        asked.append(str(request))
        time.sleep(5)

    one, other = (Patient(session(hang), ASKED, 0.3, tries=4, silence=silence) for _ in range(2))
    began = time.monotonic()
    with pytest.raises(ReadTimeoutError):
        one.send("first")
    for _ in range(2):  # the second time at once
        with pytest.raises(AwsError, match=rf"^{ASKED} does not answer: 0.5 s were waited in vain; check"):
            other.send("second")
    assert asked == ["first", "second"]
    assert time.monotonic() - began < 2


def test_silence_is_counted_once_for_questions_at_the_same_time_and_is_forgotten_slowly() -> None:
    clock = [0.0]
    silence = Silence(40, lambda: clock[0])
    clock[0] = 20
    for begun in (0.0, 1.0, 5.0):
        silence.add(begun)
    assert silence.left_s == 20
    clock[0] = 70
    assert silence.left_s == 25
    clock[0] = 80
    silence.add(70)
    assert silence.left_s == 15
    clock[0] = 10_000
    assert silence.left_s == 40


def test_a_command_at_an_endpoint_that_hangs_says_so_in_time(dripping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "COMMAND_S", 0.3)
    monkeypatch.setattr(clients, "SILENT_S", 0.4)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "a")
    monkeypatch.setenv("AWS_ENDPOINT_URL", dripping)
    began = time.monotonic()
    aws = clients.connect(cast(Any, SimpleNamespace(region="us-east-1")), command=True)
    for ask in (lambda: aws.client("sqs").list_queues(), lambda: aws.client("dynamodb").list_tables()):
        with pytest.raises(AwsError, match=r"does not answer: 0\.4 s were waited in vain"):
            ask()
    with (
        pytest.raises(AwsError, match=r"^listing the queues: .* were waited in vain"),
        aws_errors("listing the queues"),
    ):
        aws.client("sqs").list_queues()
    assert time.monotonic() - began < 10


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "a")


def _version(aws: Aws) -> Any:
    return aws.client("appconfig").get_hosted_configuration_version(
        ApplicationId="abcdefg", ConfigurationProfileId="abcdefg", VersionNumber=1
    )


def test_a_file_that_comes_slowly_is_given_up_too(dripping: str, known: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore leaves the body of a file to whoever asked: `rollback 1` waited for it without end, and async was on."""
    monkeypatch.setattr(patience, "SLOWEST_B", 1e9)
    began = time.monotonic()
    for ask in (_version, lambda aws: aws.client("s3").get_object(Bucket="b" * 3, Key="k")):
        with pytest.raises(ReadTimeoutError):
            ask(Aws("us-east-1", dripping, answer_s=0.3, tries=2))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("length", [b"Content-Length: 5000\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_half_a_file_is_asked_for_again(length: bytes, known: None) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nVersion-Number: 1\r\n\r\nfull"
    answers = [b"HTTP/1.1 200 OK\r\n" + length + b"\r\n" + b"400\r\nha", whole]
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        found = _version(Aws("us-east-1", f"http://127.0.0.1:{server.getsockname()[1]}", answer_s=5, tries=2))
    assert found["Content"].read() == b"full"


def test_one_thread_asks_one_question_after_the_other() -> None:
    assert len({patience.within(threading.get_ident, "x", 5) for _ in range(20)}) == 1


def test_a_question_that_was_given_up_keeps_nobody_else_waiting() -> None:
    go_on = threading.Event()
    with pytest.raises(patience.Late):
        patience.within(go_on.wait, "x", 0.01)
    assert patience.within(lambda: "y", "x", 5) == "y"
    go_on.set()


def test_questions_at_the_same_time_have_a_thread_each_and_each_its_own_answer() -> None:
    together = threading.Barrier(8, timeout=10)

    def ask(number: int) -> tuple[int, int]:
        return number, patience.within(lambda: (together.wait(), number)[1], "x", 10)

    with ThreadPoolExecutor(8) as pool:
        assert [asked == answered for asked, answered in pool.map(ask, range(8))] == [True] * 8


def test_the_answer_goes_when_nobody_holds_it_any_more() -> None:
    """A report read from a bucket is not kept until the next question."""

    class Answer: ...

    seen = weakref.ref(patience.within(Answer, "x", 5))
    end = time.monotonic() + 10
    while seen() is not None and time.monotonic() < end:
        time.sleep(0.001)
    assert seen() is None


def test_a_fork_asks_by_threads_of_its_own() -> None:
    patience.within(lambda: None, "x", 5)
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(patience.within(lambda: 7, "x", 5))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_where_no_thread_can_be_had_the_question_is_asked_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's limit of processes is reached: a way back must go on all the same."""

    def full(*_: Any, **__: Any) -> Any:
        raise RuntimeError("can't start new thread")

    patience._idle.clear()
    monkeypatch.setattr(patience.threading, "Thread", full)
    with telling.busy("waiting"):
        assert patience.within(lambda: 3, "an answer", 5) == 3


def test_what_gives_no_good_answer_is_asked_again_and_not_for_ever() -> None:
    """Four times at most; an error that asking again does not mend is raised at once."""
    for good_at, times in ((1, 1), (4, 4), (5, 4)):
        asked = list[int]()

        def ask(asked: list[int] = asked, good_at: int = good_at) -> str:
            asked.append(1)
            if len(asked) < good_at:
                raise TimeoutError("no answer")
            return "good"

        if good_at > times:
            with pytest.raises(TimeoutError):
                patience.again(ask)
        else:
            assert patience.again(ask) == "good"
        assert len(asked) == times
    asked = []
    with pytest.raises(TimeoutError):
        patience.again(lambda: ask(asked, 2), lambda _: False)
    assert len(asked) == 1


def test_what_took_long_to_fail_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = [0.0], list[int]()
    monkeypatch.setattr(patience, "AGAIN_S", (0.5, 1.0, 2.0))
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def ask() -> None:
        asked.append(1)
        clock[0] += 18
        raise TimeoutError("no answer")

    with pytest.raises(TimeoutError):
        patience.again(ask)
    assert len(asked) == 1


@given(st.binary(min_size=40, max_size=400))
def test_what_a_person_cannot_read_is_told_by_its_length(noise: bytes) -> None:
    """Hundreds of signs of a packed page stood in the sentence."""
    assert patience._page(b"\xff\x00" * 300 + noise) == f"{600 + len(noise):,} bytes that are no text"
    for page in ("<html>Anmeldung nötig</html>", "Connexion requise : é\r\n", "[]", "null"):
        assert patience._page(page.encode()) == page
    assert patience._page("<html>Anmeldung nötig, bitte</html>".encode("latin-1")).startswith("<html>")
