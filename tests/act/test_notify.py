"""People are told by every channel that is configured; whatever fails is an answer, and no address is ever shown."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from hypothesis import example, given
from hypothesis import strategies as st

from runbook_lib.act import notify as notifying
from runbook_lib.act.guard import Guard
from runbook_lib.act.notify import notify
from runbook_lib.base import patience
from runbook_lib.base.aws import Aws as RealAws
from runbook_lib.base.errors import Refused
from tests.served import served

TEXT = "async is off in prod"


class Hook(HTTPServer):
    """A webhook on loopback that keeps what it was sent."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/very-secret-path"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", self.server.url + "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    with served(Hook()) as made:
        yield made


class Aws:
    """SNS and Parameter Store, as far as they are needed."""

    def __init__(self, secret: str = "", refuses: tuple[str, ...] = ()) -> None:
        self.secret, self.refuses = secret, refuses
        self.published: list[dict[str, str]] = []

    def client(self, service: str) -> Any:
        if service in self.refuses:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": self.secret}}, "Any")
        return self

    def publish(self, **request: str) -> None:
        self.published.append(request)

    def get_parameter(self, **_: Any) -> dict[str, Any]:
        return {"Parameter": {"Value": self.secret}}


@pytest.fixture
def configured(make_guard: Callable[..., Guard]) -> Callable[..., Guard]:
    """A guard whose service has these channels."""

    def make(mode: str = "apply", **channels: str) -> Guard:
        guard = make_guard(mode=mode)
        params = guard.params
        told = params.service.notify.model_copy(update=channels)
        guard.params = params.model_copy(update={"service": params.service.model_copy(update={"notify": told})})
        return guard

    return make


def test_the_topic_is_told_and_the_message_is_in_the_journal_as_a_change(configured: Any, journal: Any) -> None:
    aws, guard = Aws(), configured()
    (told,) = notify(aws, guard, guard.params, "[prod] async is off – now", TEXT)
    assert told.ok
    (sent,) = aws.published
    assert sent["Subject"] == "[prod] async is off - now"  # SNS takes ASCII only
    assert (sent["Message"], sent["TopicArn"].rpartition(":")[2]) == (TEXT, guard.params.name("topic"))
    assert [entry["event"] for entry in journal.events] == ["intent", "outcome"]


def test_a_webhook_by_variable(configured: Any, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT", hook.url)
    guard = configured(webhook_env="CHAT", webhook_ssm="/ignored")
    told = notify(Aws(), guard, guard.params, "subject", TEXT)
    assert [one.ok for one in told] == [True, True]
    assert hook.got == [{"text": f"subject\n{TEXT}"}]


def test_a_webhook_by_parameter(configured: Any, hook: Hook) -> None:
    guard = configured(webhook_ssm="/chat/hook")
    told = notify(Aws(secret=hook.url), guard, guard.params, "subject", TEXT)
    assert (told[1].ok, len(hook.got)) == (True, 1)


@pytest.mark.parametrize("status", [500, 302])
def test_a_webhook_that_refuses_or_points_elsewhere_is_an_answer(configured: Any, hook: Hook, status: int) -> None:
    hook.status = status
    guard = configured(webhook_ssm="/chat/hook")
    told = notify(Aws(secret=hook.url), guard, guard.params, "subject", TEXT)[1]
    assert (told.ok, told.known, told.detail) == (False, True, f"the webhook was not told: it answered {status}")
    assert len(hook.got) == 1


@pytest.mark.parametrize(
    ("secret", "refuses", "says"),
    [
        ("http://chat.example/very-secret-path", (), "holds no https address"),
        ("https://127.0.0.1:1/very-secret-path", (), "was not told: it does not answer (Connection refused)"),
        ("https://[::1/very-secret-path", (), "holds no https address"),
        ("very-secret-path", ("ssm",), "cannot be read from /chat/hook: AccessDenied"),
    ],
)
def test_no_address_is_ever_shown(
    configured: Any, journal: Any, secret: str, refuses: tuple[str, ...], says: str
) -> None:
    guard = configured(webhook_ssm="/chat/hook")
    told = notify(Aws(secret, refuses), guard, guard.params, "subject", TEXT)
    assert says in told[1].detail
    assert "very-secret" not in json.dumps([str(told), journal.events], default=str)


def test_a_topic_that_refuses_is_an_answer(configured: Any) -> None:
    guard = configured()
    (told,) = notify(Aws(refuses=("sns",)), guard, guard.params, "subject", TEXT)
    assert (told.ok, "AccessDenied" in told.detail) == (False, True)


def test_a_channel_that_knows_is_not_told_again_and_the_record_names_what_was_told(
    configured: Any, journal: Any, hook: Hook
) -> None:
    aws, guard = Aws(secret=hook.url), configured(webhook_ssm="/chat/hook")
    told = notify(aws, guard, guard.params, "subject", TEXT, key="7: off", known={"SNS topic"})
    assert ([one.ok for one in told], len(aws.published), len(hook.got)) == ([True, True], 0, 1)
    assert told[0].detail == "the SNS topic was told by an earlier run"
    assert [(one["told"], one["channel"]) for one in journal.events[:1]] == [("7: off", "webhook")]


def test_a_refusal_without_a_code_is_an_answer(configured: Any) -> None:
    class Portal(Aws):
        def publish(self, **_: str) -> None:
            raise ClientError({}, "Publish")

    guard = configured()
    (told,) = notify(Portal(), guard, guard.params, "subject", TEXT)
    assert (told.ok, told.known) == (False, False)
    assert "what answers Publish is not AWS" in told.detail


class Lost(HTTPServer):
    """Takes every message; the first `bad` answers are not what AWS or a webhook says."""

    def __init__(self, answer: bytes, bad: int) -> None:
        self.answer, self.bad, self.got = answer, bad, 0
        super().__init__(("127.0.0.1", 0), _Losing)


class _Losing(BaseHTTPRequestHandler):
    server: Lost

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got += 1
        answer = self.server.answer if self.server.got <= self.server.bad else TAKEN
        if answer == SILENCE:
            time.sleep(0.5)
        self.wfile.write(answer)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


def page(body: bytes, status: bytes = b"200 OK", length: int = 0) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, length or len(body), body)


SILENCE = b""
TAKEN = page(b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>")
SPOILT = {
    "cut": b"HTTP/1.1 200",
    "half": page(b"<PublishResponse><Publ", length=500),
    "no XML": page(b"it works!"),
    "a web page": page(b"<!doctype html><html><head><title>Sign in</title><p>hello"),
    "a gateway": page(b"<html>Bad gateway</html>", b"502 Bad Gateway"),
    "another protocol": b"220 smtp ready\r\n\r\n",
    "hangs": SILENCE,
    "closed": b"\0",
}
NO_CLASS = re.compile(r"[A-Z][a-z]+[A-Z]\w*(?:Error|Exception)|\bError\b")
"""Names of Python's classes, which mean nothing to the reader."""


@pytest.fixture
def by_wire(configured: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int, bool], Any]:
    """What one channel says, and how many messages arrived, where its first `bad` answers are spoilt."""
    monkeypatch.setattr(patience, "AGAIN_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(notifying, "TIMEOUT_S", 0.2)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")

    def tell(answer: str, bad: int, hook: bool) -> Any:
        with served(Lost(SPOILT[answer], bad)) as server:
            url = f"http://127.0.0.1:{server.server_port}"
            if hook:
                monkeypatch.setenv("CHAT", f"{url}/very-secret-path")
                guard = configured(webhook_env="CHAT")
                told = notify(Aws(), guard, guard.params, "subject", TEXT)[1]
            else:
                guard = configured()
                aws = RealAws("eu-west-1", url, answer_s=0.2, tries=1)
                (told,) = notify(aws, guard, guard.params, "subject", TEXT)
            return told, server.got

    return tell


HOOK_TAKES = ("no XML", "a web page", "half", "cut")
"""A webhook's own status is enough."""


@pytest.mark.parametrize("answer", SPOILT)
@pytest.mark.parametrize("hook", [False, True], ids=["topic", "webhook"])
def test_a_message_whose_answer_is_spoilt_is_sent_again(by_wire: Any, answer: str, hook: bool) -> None:
    """It said "was not told: ResponseParserError" of a topic that had told everybody."""
    told, got = by_wire(answer, 1, hook)
    assert told.ok and (got == 1 if hook and answer in HOOK_TAKES else got > 1), told


@pytest.mark.parametrize("answer", SPOILT)
@pytest.mark.parametrize("hook", [False, True], ids=["topic", "webhook"])
def test_nobody_knows_of_one_without_any_good_answer(by_wire: Any, journal: Any, answer: str, hook: bool) -> None:
    told, got = by_wire(answer, 99, hook)
    if hook and answer in HOOK_TAKES:
        assert told.ok
        return
    assert (told.ok, told.known) == (False, False) and got > 1
    assert told.detail.startswith("it is NOT known whether ") and not NO_CLASS.search(told.detail), told.detail
    assert "very-secret" not in json.dumps([str(told), journal.events], default=str)
    (outcome,) = [one for one in journal.of("outcome") if one["read_back"] != {"sent": True}]
    assert outcome["read_back"] == {"sent": None}


def test_what_was_refused_after_a_doubt_is_not_known(configured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first message may have arrived, whatever AWS says to the second."""
    monkeypatch.setattr(patience, "AGAIN_S", (0.0,))
    answers = [ResponseParserError("it works!"), ClientError({"Error": {"Code": "AccessDenied"}}, "Publish")]

    class Changing(Aws):
        def publish(self, **_: str) -> None:
            raise answers.pop(0)

    guard = configured()
    (told,) = notify(Changing(), guard, guard.params, "subject", TEXT)
    assert (told.known, answers) == (False, [])
    assert "the answer is not from AWS" in told.detail


def test_an_address_whose_answer_was_spoilt_is_not_quoted(configured: Any, hook: Hook) -> None:
    class Spoiling(Aws):
        def get_parameter(self, **given: Any) -> dict[str, Any]:
            raise ResponseParserError("very-secret-path")

    guard = configured(webhook_ssm="/chat/hook")
    told = notify(Spoiling(secret=hook.url), guard, guard.params, "subject", TEXT)[1]
    assert "cannot be read from /chat/hook: the answer is not from AWS" in told.detail
    assert "very-secret" not in told.detail


def test_nobody_is_told_by_a_plan(configured: Any) -> None:
    aws, guard = Aws(), configured(mode="plan")
    with pytest.raises(Refused):
        notify(aws, guard, guard.params, "subject", TEXT)
    assert aws.published == []


def test_what_is_secret_in_a_reason_is_not_sent(configured: Any) -> None:
    aws, guard = Aws(), configured()
    notify(aws, guard, guard.params, "subject", "failing with password=hunter2hunter2 since noon")
    assert "hunter2" not in aws.published[0]["Message"]


def test_a_message_that_no_channel_would_take_is_told_all_the_same(configured: Any, hook: Hook) -> None:
    """What went wrong is AWS's sentence, the reason a person's: half a character was "not told", 256 KB, too."""
    aws, guard = Aws(secret=hook.url), configured(webhook_ssm="/chat/hook")
    text = "<!channel> \ud800 [ok](http://127.0.0.1/x) p < 0.05 " + f"pass{'word'}=hunter2x " + "x" * 400_000
    told = notify(aws, guard, guard.params, "half \udcff", text)
    assert [one.ok for one in told] == [True, True]
    for sent in (aws.published[0]["Message"], hook.got[0]["text"]):
        assert "< !channel> \\ud800 [ok] (http://127.0.0.1/x) p < 0.05 " in sent
        assert "hunter2x" not in sent and len(sent.encode()) < 25_000


@given(st.text(min_size=1, max_size=250))
@example("[dev] Scenario 1: async endpoint failing: it is NOT known whether async is off; a person is needed now")
@example("x" * 250)
@example(" \n")
def test_a_subject_is_cut_between_two_words(text: str) -> None:
    """It ended "a person is needed n"."""
    words = " ".join("".join(char if " " <= char <= "~" else "-" for char in text).split()).split()
    subject = notifying._subject(text)
    assert len(subject) <= notifying.MAX_SUBJECT and subject.isascii() and (subject.isprintable() or not subject)
    if subject.split() != words:
        assert subject.endswith("...") and len(" ".join(words)) > notifying.MAX_SUBJECT
        kept = subject.removesuffix("...").split()
        if len(words[0]) < notifying.MAX_SUBJECT - len(" ..."):
            assert [one.rstrip(",;:(") for one in kept] == [one.rstrip(",;:(") for one in words[: len(kept)]]
