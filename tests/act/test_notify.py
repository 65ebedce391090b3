"""People are told by every channel that is configured; whatever fails is an answer, and no address is ever shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.act.guard import Guard
from runbook_lib.act.notify import notify
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
    assert (told.ok, told.detail) == (False, f"the webhook answered {status}")
    assert len(hook.got) == 1


@pytest.mark.parametrize(
    ("secret", "refuses", "says"),
    [
        ("http://chat.example/very-secret-path", (), "holds no https address"),
        ("https://127.0.0.1:1/very-secret-path", (), "does not answer (URLError)"),
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
    assert (told.ok, told.detail.partition(": ")[2]) == (False, "ClientError")


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
