"""The limit of size of an answer that botocore reads: whatever it asks, a service of AWS or one with credentials.

Its limits are of time. What answers in place of AWS (a portal, a proxy) may send without end and quickly, and all of it
was kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore import awsrequest
from urllib3.exceptions import ProtocolError

MOST_B = 32_000_000
"""Bytes of an answer; no question has a larger one."""
FILE_B = 512_000_000
"""Bytes of an answer that says how long it is: it may be a file of a bucket."""
_PART_B = 1_000_000


def joined(parts: Iterable[bytes], most: int) -> bytes:
    """All parts of a body.

    Raises:
        ProtocolError: they are more than `most` bytes; botocore takes it for half an answer.
    """
    found, size = list[bytes](), 0
    for part in parts:
        found.append(part)
        size += len(part)
        if size > most:
            raise ProtocolError(f"the answer has more than {most:,} bytes")
    return b"".join(found)


class Answer(awsrequest.AWSResponse):  # type: ignore[misc]
    """botocore's, with a limit."""

    _content: Any

    @property
    def content(self) -> Any:
        """See botocore's."""
        if self._content is None:
            try:
                most = FILE_B if "content-length" in self.headers else MOST_B
                self._content = joined(self.raw.stream(amt=_PART_B), most)
            except ProtocolError:
                self.raw.close()
                raise
        return self._content


def install() -> None:
    """For every answer from now on."""
    awsrequest.AWSResponse = Answer
