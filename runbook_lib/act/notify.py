"""Tells people what was done in an incident: the alarms' SNS topic, and a webhook where one is configured.

A message is never a reason to wait: whatever fails is an answer, not an error. The webhook's address is a secret (most
carry their key in the path): it is read from Parameter Store or from an environment variable, and goes nowhere else.
"""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from runbook_lib.act.guard import Guard
from runbook_lib.observe.names import topic_arn
from runbook_lib.params.load import Params
from runbook_lib.record.redact_notebook import redact_text

TIMEOUT_S = 5.0
"""A webhook that does not answer by then is one that was not reached."""
MAX_SUBJECT = 100
"""SNS takes a subject of this many ASCII characters."""
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)(:\d+)?(/|$)")


@dataclass(frozen=True)
class Told:
    """Whether one channel took the message."""

    channel: str
    ok: bool
    detail: str


def notify(aws: Any, guard: Guard, params: Params, subject: str, text: str) -> list[Told]:
    """Sends `text` to every channel that is configured; secrets are taken out of it first.

    Raises:
        Refused, UsageError: the run may not change anything: then nobody is told that it did.
    """
    guard.authorise(raises=False)
    subject, text = redact_text(subject), redact_text(text)
    told = [_sent(guard, "SNS topic", lambda: _publish(aws, params, subject, text))]
    if params.service.notify.webhook:
        told.append(_sent(guard, "webhook", lambda: _post(aws, params, subject, text)))
    return told


def without_aws(params: Params, subject: str, text: str) -> Told | None:
    """Tells the webhook whose address an environment variable holds, the one channel that is left where AWS cannot be
    asked; None where there is none.
    """
    if not params.service.notify.webhook_env:
        return None
    try:
        return Told("webhook", True, _post(None, params, redact_text(subject), redact_text(text)))
    except _NotSent as error:
        return Told("webhook", False, str(error))


def _sent(guard: Guard, channel: str, send: Callable[[], str]) -> Told:
    answers: list[str] = []
    try:
        guard.change(
            f"notify people by the {channel}",
            before={"sent": False},
            after={"sent": True},
            undo="none: a message cannot be taken back",
            do=lambda: answers.append(send()),
            read_back=lambda: {"sent": bool(answers)},
            raises=False,
        )
    except _NotSent as error:
        return Told(channel, False, str(error))
    return Told(channel, True, answers[0])


class _NotSent(Exception):
    """Why, with nothing secret in it."""


def _publish(aws: Any, params: Params, subject: str, text: str) -> str:
    try:
        ascii_only = re.sub(r"[^\x20-\x7e]", "-", subject)[:MAX_SUBJECT]
        aws.client("sns").publish(TopicArn=topic_arn(params), Subject=ascii_only, Message=text)
    except Exception as error:  # whatever it is: the webhook is still to be told
        raise _NotSent(f"{params.name('topic')} was not told: {_code(error)}") from None
    return f"{params.name('topic')} was told"


def _post(aws: Any, params: Params, subject: str, text: str) -> str:
    request = urllib.request.Request(  # noqa: S310 (https or loopback: see _address)
        _address(aws, params),
        data=json.dumps({"text": f"{subject}\n{text}"}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=TIMEOUT_S) as answer:
            return f"the webhook answered {answer.status}"
    except urllib.error.HTTPError as error:
        raise _NotSent(f"the webhook answered {error.code}") from None
    except Exception as error:  # half an answer is no OSError
        raise _NotSent(f"the webhook does not answer ({type(error).__name__})") from None


class _Stay(urllib.request.HTTPRedirectHandler):
    """A webhook that points elsewhere is not followed: the message is for the one that was configured."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def unresolved(aws: Any, params: Params) -> str:
    """Why the webhook's address cannot be had, as a sentence; empty where it can, or none is configured. Nothing is
    sent.
    """
    if not params.service.notify.webhook:
        return ""
    try:
        _address(aws, params)
    except _NotSent as error:
        return str(error)
    return ""


def _address(aws: Any, params: Params) -> str:
    configured = params.service.notify
    if configured.webhook_env:
        where, value = f"the variable {configured.webhook_env}", os.environ.get(configured.webhook_env, "")
    else:
        where = configured.webhook_ssm
        try:
            found = aws.client("ssm").get_parameter(Name=where, WithDecryption=True)
            value = str(found["Parameter"]["Value"])
        except Exception as error:  # its words could hold the address
            raise _NotSent(f"the webhook's address cannot be read from {where}: {_code(error)}") from None
    if not value.startswith("https://") and not _LOOPBACK.match(value):
        raise _NotSent(f"{where} (service.yaml, notify) holds no https address; put the webhook's there")
    return value


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__
