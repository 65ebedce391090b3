"""Tells people about the changes in an incident: through the alarms' SNS topic, and a webhook if one is configured.

Nobody waits for a message: a failure is part of the result, not an error. A message whose answer is lost or spoilt is
sent again: people hear of a rollback twice rather than not at all. If no attempt gets a good answer, it is not known
whether they were told. The webhook's address is a secret (most have their key in the path): it comes from Parameter
Store or an environment variable, and is shown nowhere.
"""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from runbook_lib.act.guard import Guard
from runbook_lib.base import foreign
from runbook_lib.base.answers import PORTAL
from runbook_lib.base.aws_errors import code_of, perhaps_done, sentence, spoilt
from runbook_lib.base.foreign import one_line
from runbook_lib.base.https import is_secure, no_answer, perhaps_sent, sent
from runbook_lib.base.patience import again
from runbook_lib.params.alarms import topic_arn
from runbook_lib.params.load import Params
from runbook_lib.record.redact_notebook import redact_text

TIMEOUT_S = 5.0
"""Seconds after which a webhook without an answer counts as not reached."""
MAX_TEXT = 20_000
"""Most characters of a message."""
MAX_SUBJECT = 100
"""Most ASCII characters of a subject that SNS accepts."""
_MORE = " ..."


@dataclass(frozen=True)
class Told:
    """Whether one channel accepted the message."""

    channel: str
    ok: bool
    detail: str
    known: bool = True
    """Whether it is known; else the message was sent, and no good answer came."""


def notify(
    aws: Any, guard: Guard, params: Params, subject: str, text: str, *, key: str = "", known: Collection[str] = ()
) -> list[Told]:
    """Sends `text`, redacted, to every configured channel.

    Args:
        key: names what is told, in the record: a run may end before it notes that people know it.
        known: channels that an earlier run has told so.

    Raises:
        Refused, UsageError: the run may not change anything, so it tells nobody that it did.
    """
    guard.authorise(raises=False)
    subject, text = _fit(subject, text)
    sends: dict[str, Callable[[], str]] = {"SNS topic": lambda: _publish(aws, params, subject, text)}
    if params.service.notify.webhook:
        sends["webhook"] = lambda: _post(aws, params, subject, text)
    return [
        Told(name, True, f"the {name} was told by an earlier run") if name in known else _sent(guard, name, send, key)
        for name, send in sends.items()
    ]


def without_aws(params: Params, subject: str, text: str) -> Told | None:
    """Tells the webhook whose address is in an environment variable, the one channel that works if AWS does not
    answer; None if there is none.
    """
    if not params.service.notify.webhook_env:
        return None
    try:
        return Told("webhook", True, _post(None, params, *_fit(subject, text)))
    except _NotSent as error:
        return Told("webhook", False, str(error), error.known)


def _fit(subject: str, text: str) -> tuple[str, str]:
    """What channels take of a message, without secrets: SNS refuses one of 256 KB, and a chat shows some thousands."""
    return foreign.message(redact_text(subject)), foreign.message(foreign.head(text, MAX_TEXT))


def _sent(guard: Guard, channel: str, send: Callable[[], str], key: str) -> Told:
    answers: list[str] = []
    try:
        guard.change(
            f"notify people by the {channel}",
            before={"sent": False},
            after={"sent": True},
            undo="none: a message cannot be taken back",
            facts={"told": key, "channel": channel} if key else {},
            do=lambda: answers.append(send()),
            read_back=lambda: {"sent": True if answers else None},
            raises=False,
        )
    except _NotSent as error:
        return Told(channel, False, str(error), error.known)
    return Told(channel, True, answers[0])


class _NotSent(Exception):
    """Why a message was not sent, or (not `known`) why nobody knows whether it was; without secrets."""

    def __init__(self, told: str, *, known: bool = True) -> None:
        super().__init__(told)
        self.known = known


def _send(who: str, send: Callable[[], str], perhaps: Callable[[Exception], bool], why: Callable[..., str]) -> str:
    """What `send` gives. It is called again while `perhaps` somebody was told: a second message is better than none.

    Raises:
        _NotSent: no attempt had a good answer.
    """
    doubts: list[Exception] = []

    def attempt() -> str:
        try:
            return send()
        except Exception as error:
            doubts.extend([error] if perhaps(error) else [])
            raise

    try:
        return again(attempt, perhaps)
    except Exception as error:  # on any error the next channel must still be told
        if doubts:  # an attempt may have told them, whatever came of the next
            raise _NotSent(f"it is NOT known whether {who} was told: {why(doubts[-1])}", known=False) from None
        raise _NotSent(f"{who} was not told: {why(error)}") from None


def _subject(text: str) -> str:
    """A subject as SNS takes it: ASCII on one line, cut between two words where it is too long.

    >>> _subject("[prod] async is off – now")
    '[prod] async is off - now'
    """
    line = " ".join(re.sub(r"[^\x20-\x7e]", "-", text).split())
    if len(line) <= MAX_SUBJECT:
        return line
    most = MAX_SUBJECT - len(_MORE)
    words = line[: most + 1].rpartition(" ")[0].rstrip(" ,;:(")
    return (words or line[:most]) + _MORE


def _publish(aws: Any, params: Params, subject: str, text: str) -> str:
    topic, fits = params.name("topic"), _subject(subject)

    def publish() -> str:
        aws.client("sns").publish(TopicArn=topic_arn(params), Subject=fits, Message=text)
        return f"{topic} was told"

    return _send(topic, publish, perhaps_done, lambda error: sentence(error) or one_line(error))


def _post(aws: Any, params: Params, subject: str, text: str) -> str:
    address = _address(aws, params)

    def post() -> str:
        request = urllib.request.Request(  # noqa: S310 (https or loopback: see _address)
            address,
            data=json.dumps({"text": f"{subject}\n{text}"}).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        return f"the webhook answered {sent(request, 'the webhook', TIMEOUT_S)[0]}"

    return _send("the webhook", post, perhaps_sent, no_answer)


def unresolved(aws: Any, params: Params) -> str:
    """Why the webhook's address is unavailable, as a sentence; empty if it is available, or if none is configured.
    Nothing is sent.
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
            ssm = aws.client("ssm")
            found = ssm.get_parameter(Name=where, WithDecryption=True)["Parameter"]["Value"]
        except Exception as error:
            raise _NotSent(f"the webhook's address cannot be read from {where}: {_unquoted(error)}") from None
        value = str(found)
    if not is_secure(value):
        raise _NotSent(f"{where} (service.yaml, notify) holds no https address; put the webhook's there")
    return value


def _unquoted(error: Exception) -> str:
    """Why a parameter cannot be read, without the words of an answer, which could contain the address."""
    if isinstance(error, ClientError):
        return code_of(error) or f"the answer is not from AWS; {PORTAL}"
    if isinstance(error, LookupError) or spoilt(error):
        return f"the answer is not from AWS; {PORTAL}"
    return sentence(error) or one_line(error)
