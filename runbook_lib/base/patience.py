"""The time limit of one question to AWS, and a line for the person who waits.

`read_timeout` of botocore is the time between two bytes: an endpoint that sends one per second would never time out.
"""

from __future__ import annotations

import contextvars
import io
import json
import math
import os
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from runbook_lib.base import telling
from runbook_lib.base.errors import AwsError
from runbook_lib.base.foreign import address
from runbook_lib.base.telling import Slowness, Trouble, tell

AGAIN_S, AGAIN_MOST_S = (0.2, 0.5, 1.0, 2.0), 15.0
"""Seconds until what gave no good answer is asked again, and after which it is not any more."""
_REFUSALS = 300
"""HTTP codes from which on an answer is an error or redirect, which botocore handles."""
_PAGE = 20_000
_ODD = 0.05
"""Share of the signs of a text that a person cannot read, above which it is none."""
SLOWEST_B = 100_000
"""Bytes a second in which a file of a bucket comes at least: a large one has longer than a question."""

_TRY = re.compile(r"attempt=(\d{1,3})")
"""What botocore says in a header of each question: the how many-eth try it is."""
_FORGOTTEN = 0.1
"""Part of the time after a vain wait by which it is forgotten."""
T = TypeVar("T")


class Late(Exception):
    """What was asked did not end in time."""

    def __init__(self, most_s: float) -> None:
        super().__init__(f"not done after {most_s:g} s")
        self.most_s = most_s


class _Asker:
    """A thread that asks one question after the other: starting one for each costs more than many a question does."""

    def __init__(self) -> None:
        self.questions: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="runbook-question", daemon=True).start()

    def _serve(self) -> None:
        while True:
            question, done = self.questions.get()
            question()
            _idle.append(self)  # before whoever waits goes on, and asks the next
            done.set()
            del question, done  # and with them the answer


_trouble, _slowness = Trouble(), Slowness()
_idle: deque[_Asker] = deque()
"""Those that wait for a question. One that was given up is not among them until its call has ended."""
os.register_at_fork(after_in_child=_idle.clear)  # a fork has none of its parent's threads


def _asker() -> _Asker:
    try:
        return _idle.pop()
    except IndexError:
        return _Asker()


def within(call: Callable[[], T], told: str, most_s: float) -> T:
    """What `call` gives; whoever waits is told what for (`told`; empty: nothing), and it is given up after `most_s`
    seconds.

    Raises:
        Late: it did not end in time.
    """
    done = threading.Event()
    came: list[T] = []
    failed: list[BaseException] = []
    context = contextvars.copy_context()

    def ask() -> None:
        try:
            came.append(context.run(call))
        except BaseException as error:
            failed.append(error)

    try:
        asker = _asker()
    except RuntimeError:  # the limit of threads is reached (`ulimit -u`, a container's): botocore's own limits hold
        return call()
    asker.questions.put((ask, done))
    first = min(telling.TELL_AFTER_S, most_s)
    if not done.wait(first):
        if told:
            tell(f"waiting for {told} ...")
        done.wait(most_s - first)
    if failed:
        raise failed[0]
    if came:
        return came[0]
    raise Late(most_s)


class Silent(AwsError):
    """Too much time was waited in vain; the sentence does not say yet what for."""


class Silence:
    """The seconds in which good answers of AWS were waited for in vain. All clients of a command share them, so that it
    ends in time whatever it asks next, also where every second question is answered. They are forgotten slowly: a watch
    may wait in vain now and then.

    Args:
        most_s: after so many no question is asked any more.
    """

    def __init__(self, most_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.most_s = most_s
        self._monotonic = monotonic
        self._lost_s, self._until = 0.0, monotonic()

    @property
    def left_s(self) -> float:
        """Seconds that may still be waited in vain."""
        return self.most_s - self._at(self._monotonic())

    def add(self, begun: float) -> None:
        """Adds the time since `begun`; what questions at the same time waited together counts once."""
        now = self._monotonic()
        self._lost_s = self._at(begun) + max(0.0, now - max(begun, self._until))
        self._until = now

    def _at(self, time_s: float) -> float:
        return max(0.0, self._lost_s - max(0.0, time_s - self._until) * _FORGOTTEN)


def again(
    ask: Callable[[], T], if_: Callable[[Exception], bool] = lambda _: True, lost: Silence | None = None, told: str = ""
) -> T:
    """What `ask` gives; after an error for which `if_` holds it is asked again, for `AGAIN_MOST_S` at most, or as long
    as `lost` allows.

    Args:
        told: what is wrong with the answers, for the person who waits.
    """
    lost = lost or Silence(AGAIN_MOST_S, time.monotonic)
    for nth, pause in enumerate((*AGAIN_S, math.inf), 2):
        begun = time.monotonic()
        try:
            return ask()
        except Exception as error:
            lost.add(begun)
            if pause > lost.left_s or not if_(error):
                raise
        if told:
            _trouble.again(told, nth, len(AGAIN_S) + 1, pause)
        begun = time.monotonic()
        time.sleep(pause)
        lost.add(begun)
    raise AssertionError("unreachable")


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _length(answer: Any) -> int:
    with suppress(KeyError, ValueError, TypeError):
        return int(answer.headers["content-length"])
    return 0


def _take(answer: Any) -> None:
    """Reads the body that botocore would leave to whoever asked: it may come slowly, without end, or half.

    Raises:
        ConnectionClosedError: the body ended early; botocore asks again.
    """
    from botocore.exceptions import ConnectionClosedError
    from urllib3.exceptions import HTTPError

    try:
        answer.raw = io.BytesIO(answer.content)
    except (HTTPError, OSError) as error:
        raise ConnectionClosedError(error=error, endpoint_url=address(answer.url)) from None
    if answer.status_code < _REFUSALS and len(answer.content) < _length(answer):
        raise ConnectionClosedError(error="half an answer", endpoint_url=address(answer.url))


class Patient:
    """The HTTP session of a client, which gives up a question without a whole answer after `most_s` seconds.

    Args:
        session: botocore's own session.
        asked: name of the service that is asked, for the line that says so.
        most_s: seconds for connection and answer together.
        json: whether the service answers in JSON.
        tries: how often botocore asks at most.
        silence: of the command that asks, if it ends after some silence.
    """

    def __init__(
        self,
        session: Any,
        asked: str,
        most_s: float,
        *,
        json: bool = False,
        tries: int = 1,
        silence: Silence | None = None,
    ) -> None:
        self._session = session
        self._silence = silence or Silence(math.inf)
        self._asked = asked
        self._most_s = most_s
        self._json = json
        self._tries = tries

    def send(self, request: Any) -> Any:
        """See botocore's session.

        Raises:
            ReadTimeoutError: no whole answer came in time.
            ResponseParserError: the answer is not from AWS.
            Silent: too much time was waited in vain; botocore does not ask again.
        """
        this = _TRY.search(_text(getattr(request, "headers", {}).get("amz-sdk-request", "")))
        nth = int(this[1]) if this else 1
        more = max(0, self._tries - nth) if this else 0
        if nth > 1:
            _trouble.again(f"{self._asked} gives no good answer", nth, max(nth, self._tries))
        pauses = 2**more if more else 0  # botocore's, at most
        left = self._silence.left_s
        if left <= 0:
            raise self._given_up()
        told = f"{self._asked} to answer, {min(left, self._most_s * (more + 1)) + pauses:.0f} s at most"
        begun = time.monotonic()
        try:
            answer = within(lambda: self._session.send(request), told, min(left, self._most_s))
            if getattr(request, "stream_output", False):
                most_s = self._most_s + _length(answer) / SLOWEST_B
                within(lambda: _take(answer), told, min(self._silence.left_s, most_s))
        except Late:
            self._silence.add(begun)
        except Exception:  # no connection, for example
            self._silence.add(begun)
            raise
        else:
            _slowness.answered(self._asked, time.monotonic() - begun)
            return self._checked(request, answer)
        if self._silence.left_s <= 0:
            raise self._given_up()
        from botocore.exceptions import ReadTimeoutError

        raise ReadTimeoutError(endpoint_url=self._asked)

    def _given_up(self) -> Silent:
        return Silent(
            f"{self._asked} does not answer: {self._silence.most_s:g} s were waited in vain; check the network, "
            "AWS_ENDPOINT_URL and HTTPS_PROXY"
        )

    def _checked(self, request: Any, answer: Any) -> Any:
        """The answer, unless it is a web page, a text, a list or half an answer.

        botocore takes what is no JSON for an answer that says nothing: a queue with dead letters was said to be empty.
        """
        streams = getattr(request, "stream_output", False)
        if streams or not self._json or answer.status_code >= _REFUSALS or not answer.content:
            return answer
        with suppress(ValueError, RecursionError):
            if isinstance(json.loads(answer.content), dict):
                return answer
        from botocore.parsers import ResponseParserError

        raise ResponseParserError(_page(answer.content))

    def close(self) -> None:
        """See botocore's session."""
        self._session.close()


def _page(content: bytes) -> str:
    """The beginning of what came in place of an answer, if a person can read it."""
    text = content[:_PAGE].decode("utf-8", "replace")
    odd = sum(one == "\ufffd" or not (one.isprintable() or one.isspace()) for one in text)
    return text if odd <= len(text) * _ODD else f"{len(content):,} bytes that are no text"
