"""Secrets in a command line that is written as a list of its words, as Python tells the command that failed:
`['psql', '--password', 'x']`.
"""

from __future__ import annotations

import re

from runbook_lib.base.secret_commands import PROGRAMS, mask_words
from runbook_lib.base.secret_kinds import MASK, Match
from runbook_lib.base.secret_names import harmless, has, stemmed, telling

_Q = r"\\{0,7}[\"']"
_FLAG = re.compile(
    rf"((?P<q>{_Q})--?(?P<name>[A-Za-z][\w-]{{0,60}})(?P=q)(?:\s{{0,4}},\s{{0,40}}|\s{{1,4}})b?(?P<o>{_Q}))"
    r"(?P<value>(?:(?!(?P=o))[^\n]){1,4000})(?=(?P=o))"
)
"""A telling option as a word, and the word after it."""
_ITEM = re.compile(
    rf"((?:^|\n)(?P<at>[ \t]{{0,40}}-[ \t]{{1,4}})(?P<q>{_Q})?--?(?P<name>[A-Za-z][\w-]{{0,60}})(?(q)(?P=q))"
    r"[ \t]{0,4}\r?\n(?P=at)[\"']?)(?P<value>[^\n\"']{1,4000})"
)
"""The same as items of a list in YAML."""
_WORDS = re.compile(
    rf"(?P<q>{_Q})(?P<first>[\w./-]{{1,120}})(?P=q)(?P<more>(?:\s{{0,4}},\s{{0,40}}b?(?P=q)[^\"'\\\n]{{1,400}}(?P=q)){{1,60}})"
)
"""Words in one kind of quotes, of which the first may be a program."""


def mask_listed(text: str, small: str) -> str:
    """`text` with the secrets of such lists masked; `small`: the same text in small letters."""
    if "-" not in small or ('"' not in small and "'" not in small and "\n" not in small):
        return text
    if stemmed(small) or "pass" in small:
        text = _ITEM.sub(_option, _FLAG.sub(_option, text))
    if has(tuple(PROGRAMS), small):
        text = _WORDS.sub(_words, text)
    return text


def _option(match: Match) -> str:
    value = match["value"]
    return match[0] if not telling(match["name"]) or harmless(value) else f"{match[1]}{MASK}"


def _words(match: Match) -> str:
    quote = re.escape(match["q"])
    words = [match["first"], *re.findall(rf"{quote}(.*?){quote}", match["more"])]
    clean = mask_words(words)
    if clean is None:
        return match[0]
    rest = iter(clean[1:])
    quoted = match["q"]
    return f"{quoted}{clean[0]}{quoted}" + re.sub(
        rf"{quote}.*?{quote}", lambda _: f"{quoted}{next(rest)}{quoted}", match["more"]
    )
