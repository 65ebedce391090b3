"""The user and password in the address of a proxy or an endpoint, as people write it: its scheme may be missing or
misspelt, its port wrong, and its password may have any sign. Its place tells that it is an address.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from runbook_lib.base.masking.kinds import MASK

_SCHEME = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]{0,20}:/{1,3}|(?:https?|socks\w?)[:/]{1,3}|/{2})?", re.IGNORECASE)
_PATH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[A-Za-z0-9.-]{1,253}(?::\d{1,5})?/")
"""A whole address up to its path, in which a sign such as `@` says nothing."""


def is_address(name: str) -> bool:
    """Whether an environment variable of this name holds the address of a proxy or of an endpoint of AWS."""
    large = name.upper()
    return (large.endswith("_PROXY") and large != "NO_PROXY") or large.startswith("AWS_ENDPOINT_URL")


def without_login(address: str) -> str:
    """An address without user and password: nobody needs them to find the host."""
    before, at, host = address.rpartition("@")
    if at and _PATH.match(address):
        return address
    return f"{_scheme(before)}{MASK}@{host}" if at else address


def _scheme(text: str) -> str:
    found = _SCHEME.match(text)
    return found[0] if found else ""


def passwords() -> Iterator[str]:
    """What this process's environment has of them: `user:password`, and the password alone if it is no plain word,
    which other texts may have.
    """
    for name, value in os.environ.items():
        before, at, _ = value.rpartition("@")
        login = before[len(_scheme(before)) :]
        if at and ":" in login and is_address(name):
            yield login
            password = login.partition(":")[2]
            if not password.isalpha():
                yield password
