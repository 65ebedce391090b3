"""botocore without what it computes anew for each question, though the arguments are the same or the answer is plain.

A test asks the embedded AWS some hundreds of questions, and botocore's half of each costs more than the emulator's. In
the tests' own processes and the kernels forked for them; what a user runs, and what the kernels run that boot by
themselves, is botocore as it is.
"""

from __future__ import annotations

import functools
import http.client
from collections.abc import Callable
from typing import Any

from botocore import hooks, useragent
from botocore.session import EVENT_ALIASES


def install() -> None:
    """From here on, in this process and its forks."""
    kept = functools.lru_cache(maxsize=None)
    useragent.sanitize_user_agent_string_component = kept(useragent.sanitize_user_agent_string_component)
    http.client.parse_headers = _parse_headers  # type: ignore[assignment]
    hooks.EventAliaser._alias_event_name = _aliased(hooks.EventAliaser._alias_event_name)


def _aliased(alias: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    """The names of events as all emitters know them that have botocore's own aliases; each begins with none known."""
    known: dict[str, str] = {}

    def answer(emitter: Any, name: str) -> str:
        if emitter._alias_name_cache is not known:
            if emitter._event_aliases != EVENT_ALIASES:
                return alias(emitter, name)
            emitter._alias_name_cache = known
        return known[name] if name in known else alias(emitter, name)

    return answer


def _parse_headers(fp: Any, _class: Any = http.client.HTTPMessage) -> Any:
    """As `http.client.parse_headers`: headers of one line each are taken as they are, others go to the mail parser."""
    lines = http.client._read_headers(fp)  # type: ignore[attr-defined]
    text = b"".join(lines).decode("iso-8859-1")
    found = _class()
    for line in text.split("\n")[:-1]:
        name, colon, value = line.removesuffix("\r").partition(":")
        if not name and not colon:
            break
        if not colon or not name.isascii() or not name.replace("-", "").isalnum() or "\r" in value:
            return http.client.email.parser.Parser(_class=_class).parsestr(text)  # type: ignore[attr-defined]
        found._headers.append((name, value.lstrip(" \t")))
    found.set_payload("")
    return found
