"""A witness that is told by HTTP and cannot be asked: `webhook:https://host/path`, or `webhook:env:VARIABLE` where the
address holds a secret.

The body of the request is the checkpoint, byte for byte: what the receiver stores is a file for `--witness`.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.https import is_secure, sent
from runbook_lib.record.log.witness import Witness

TIMEOUT_S = 5.0
"""Seconds after which a receiver without an answer counts as not reached: a seal waits for it."""
VARIABLE = "env:"


class WebhookWitness(Witness):
    """An address that takes each checkpoint as the body of a POST."""

    readable = False

    def __init__(self, name: str) -> None:
        self._variable = name.removeprefix(VARIABLE) if name.startswith(VARIABLE) else ""
        self._address = os.environ.get(self._variable, "") if self._variable else name
        self.name = f"webhook:{VARIABLE}{self._variable}" if self._variable else f"webhook:{self._host()}"

    def _host(self) -> str:
        """Where the address leads; empty: nowhere. The rest of it may be a secret."""
        try:
            parts = urlsplit(self._address)
            return f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""
        except ValueError:
            return ""

    def read(self) -> bytes | None:
        """Returns None: a webhook can only be told.

        Raises:
            ArchiveError: it cannot be told either, for want of an address. Who verifies has no need of one.
        """
        if not self._host() or not is_secure(self._address):
            where = f"the variable {self._variable}" if self._variable else self.name
            raise ArchiveError(f"{where} holds no https address")
        return None

    def write(self, text: bytes) -> None:
        """Sends the checkpoint, and expects an answer of 2xx."""
        self.read()
        request = urllib.request.Request(  # noqa: S310 (https or loopback: see above)
            self._address, data=text, headers={"Content-Type": "text/plain; charset=utf-8"}, method="POST"
        )
        try:
            sent(request, f"the witness {self.name}", TIMEOUT_S)
            return
        except urllib.error.HTTPError as error:
            why = f"it answered {error.code}"
        except Exception as error:  # a broken answer is no OSError; its text could hold the address
            why = f"it does not answer ({type(error).__name__})"
        raise ArchiveError(why)
