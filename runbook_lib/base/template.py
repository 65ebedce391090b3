"""Templates of names: `{env}` in a text means a value. All templates use this grammar.

A placeholder is a plain name in braces, without conversion, width or index (`{env!r}`, `{env:>9}`, `{env.x}` are none);
a literal brace is written twice. Light: the kill switch fills names in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from runbook_lib.base.nearest import close

_TOKEN = re.compile(r"\{\{|\}\}|\{([a-z][a-z0-9_]*)\}")


def fields(text: str) -> tuple[str, ...]:
    """Names of the placeholders, in order.

    >>> fields("shop-{env}-{stage}")
    ('env', 'stage')
    """
    return tuple(found[1] for found in _TOKEN.finditer(text) if found[1])


def fault(text: str, known: Collection[str]) -> str:
    """The mistake in a template whose placeholders may be `known`, as the end of a sentence; empty: none.

    >>> fault("shop-{env}", ("env", "stage"))
    ''
    >>> fault("shop-{evn}", ("env", "stage"))
    "'{evn}' is not a placeholder that is known here; did you mean '{env}'?"
    >>> fault("shop-{env!r}", ("env",))
    "'{env!r}' is not a placeholder: there is {env}, as it stands here"
    """
    there = [f"{{{name}}}" for name in sorted(known)]
    listed = f"there {'is' if len(there) == 1 else 'are'} {', '.join(there)}"
    left = _TOKEN.sub("", text)
    if "{" in left or "}" in left:
        wrong = next(iter(re.findall(r"\{[^{}]*\}?|\}", left)), left)
        return f"'{wrong}' is not a placeholder" + (f": {listed}, as it stands here" if there else "")
    for name in fields(text):
        if name not in known:
            if not there:
                return f"'{{{name}}}' is a placeholder, and none is filled in here"
            return f"'{{{name}}}' is not a placeholder that is known here; {close(f'{{{name}}}', there) or listed}"
    return ""


def filled(text: str, values: Mapping[str, object]) -> str:
    """The text with each placeholder replaced by its value; a value is never read as a template.

    Raises:
        KeyError: a placeholder has no value.

    >>> filled("shop-{env}-{{x}}", {"env": "prod"})
    'shop-prod-{x}'
    """
    return _TOKEN.sub(lambda found: str(values[found[1]]) if found[1] else found[0][0], text)


def partly(text: str, values: Mapping[str, object]) -> str:
    """The template with some placeholders replaced; it stays a template: the braces of a value are
    written twice.

    >>> partly("{key} {uuid} {{x}}", {"key": "a{b"})
    'a{{b {uuid} {{x}}'
    """

    def one(found: re.Match[str]) -> str:
        if found[1] not in values:
            return found[0]
        return str(values[found[1]]).replace("{", "{{").replace("}", "}}")

    return _TOKEN.sub(one, text)
