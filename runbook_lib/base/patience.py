"""The time limit of one question to AWS, and a line for the person who waits.

`read_timeout` of botocore is the time between two bytes: an endpoint that sends one per second would never time out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

TELL_AFTER_S = 2.0
"""Seconds of silence after which the person at the terminal is told what takes so long."""

_REFUSALS = 300
"""HTTP codes from which on an answer is an error or redirect, which botocore handles."""
_PAGE = 20_000

tellers: list[Callable[[str], None]] = []
"""Functions that show a line to the person who waits: the command line adds one, a notebook's kernel does not."""


def tell(text: str) -> None:
    """Shows a line to the person who waits at a terminal."""
    for one in tellers:
        one(text)


class Overdue:
    """Tells the person who waits, once, that something is not done after `TELL_AFTER_S` seconds of trying."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._due: float | None = monotonic() + TELL_AFTER_S

    def tell(self, text: Callable[[], str]) -> None:
        """Shows `text()`, if it is time and it was not shown before."""
        if self._due is not None and self._monotonic() >= self._due:
            self._due = None
            tell(text())


class Patient:
    """The HTTP session of a client, which gives up a question without a whole answer after `most_s` seconds.

    Args:
        session: botocore's own session.
        asked: name of the service that is asked, for the line that says so.
        most_s: seconds for connection and answer together.
        json: whether the service answers in JSON.
    """

    def __init__(self, session: Any, asked: str, most_s: float, *, json: bool = False) -> None:
        self._session = session
        self._asked = asked
        self._most_s = most_s
        self._json = json

    def send(self, request: Any) -> Any:
        """See botocore's session.

        Raises:
            ReadTimeoutError: no whole answer came in time.
            ResponseParserError: the answer is not from AWS.
        """
        done = threading.Event()
        came: list[Any] = []
        failed: list[BaseException] = []

        def ask() -> None:
            try:
                came.append(self._session.send(request))
            except BaseException as error:
                failed.append(error)
            finally:
                done.set()

        threading.Thread(target=ask, name="runbook-question", daemon=True).start()
        first = min(TELL_AFTER_S, self._most_s)
        if not done.wait(first):
            tell(f"waiting for {self._asked} to answer, {self._most_s:.0f} s at most ...")
            done.wait(self._most_s - first)
        if failed:
            raise failed[0]
        if came:
            return self._checked(request, came[0])
        from botocore.exceptions import ReadTimeoutError

        raise ReadTimeoutError(endpoint_url=self._asked)

    def _checked(self, request: Any, answer: Any) -> Any:
        """The answer, unless it is a web page: botocore takes text that is not JSON for an empty answer."""
        streams = getattr(request, "stream_output", False)
        if streams or not self._json or answer.status_code >= _REFUSALS or answer.content.lstrip()[:1] != b"<":
            return answer
        from botocore.parsers import ResponseParserError

        raise ResponseParserError(answer.content[:_PAGE].decode("utf-8", "replace"))

    def close(self) -> None:
        """See botocore's session."""
        self._session.close()
