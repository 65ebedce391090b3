"""Asks GitHub, as one of its jobs: JSON over https, within seconds, without following a redirect."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from runbook_lib.base.errors import Refused
from runbook_lib.base.foreign import head
from runbook_lib.base.https import is_secure, sent

WAIT_S = 10.0
LARGEST = 1_000_000
"""Most bytes of an answer."""


def given(environ: Mapping[str, str], names: tuple[str, ...], what: str, mend: str) -> list[str]:
    """The variables that a job of GitHub has, in this order.

    Args:
        what: what cannot be asked without them.
        mend: what gives them to the job.

    Raises:
        Refused: one is not set.
    """
    if lacking := [name for name in names if not environ.get(name)]:
        raise Refused(f"{what} cannot be asked: {', '.join(lacking)} is not set; {mend}", nothing_changed=True)
    return [environ[name] for name in names]


def get(address: str, token: str, what: str, mend: str) -> Any:
    """The JSON at an address.

    Args:
        token: sent with the question; empty: none.
        what: what is asked for.
        mend: what allows the question where GitHub forbids it.

    Raises:
        Refused: it is no https address, or does not answer so.
    """
    if not is_secure(address):
        raise Refused(f"{what} cannot be asked: '{head(address, 80)}' is no https address", nothing_changed=True)
    headers = {"Accept": "application/vnd.github+json, application/json", "X-GitHub-Api-Version": "2022-11-28"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    try:
        request = urllib.request.Request(address, headers=headers)  # noqa: S310 (https or loopback: see above)
        return json.loads(sent(request, what, WAIT_S, LARGEST)[1])
    except urllib.error.HTTPError as error:
        why = f"it answered {error.code}" + (f"; {mend}" if error.code in (401, 403, 404) else "")
    except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
        why = f"it does not answer with JSON ({type(error).__name__})"
    raise Refused(f"{what} cannot be asked of GitHub: {why}", nothing_changed=True)
