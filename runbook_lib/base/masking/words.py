"""Secrets in a command line that is written as a list of its words, as Python tells the command that failed:
`['psql', '--password', 'x']`.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.commands import PROGRAMS, mask_words
from runbook_lib.base.masking.kinds import MASK, Match
from runbook_lib.base.masking.names import no_value, stemmed, telling
from runbook_lib.base.masking.vocabulary import has

_Q = r"\\{0,7}[\"'`]"
_KIND = r"(?:[bBuUrR]{1,2})?"
"""What Python writes before quotes."""
_OTHERS = r"(?:[\w.+-]{1,20}\s{0,4},\s{0,40}){0,3}"
"""What is no text between the words of a list, such as `None`."""
_FLAG = re.compile(
    rf"((?P<q>{_Q})--?(?P<name>[A-Za-z][\w-]{{0,60}})(?P=q)(?:\s{{0,4}}[,;]\s{{0,40}}{_OTHERS}|(?P<prose>\s{{1,4}})){_KIND}"
    rf"(?P<o>{_Q}))"
    r"(?P<value>(?:\\(?:\\|(?P=o))|(?!(?P=o))[^\n])+)"
)
"""A telling option as a word, and the word after it, also if its end was cut off."""
_TAGGED = re.compile(
    r"(?i)((?P<tag><[a-z]{1,10}(?:\s[^<>]{0,120})?>)\s{0,20}--?(?P<name>[A-Za-z][\w-]{0,60})\s{0,20}(?P<end></[a-z]{1,10}>)"
    r"\s{0,20}(?P=tag)\s{0,20})(?P<value>[^<>\s][^<>]{0,4000})(?=(?P=end))"
)
"""The same as items of a list in HTML."""
_ITEM = re.compile(
    rf"((?:^|\n)(?P<at>[ \t]{{0,40}}-[ \t]{{1,4}})(?P<q>{_Q})?--?(?P<name>[A-Za-z][\w-]{{0,60}})(?(q)(?P=q))"
    r"[ \t]{0,4}\r?\n(?P=at)[\"']?)(?P<value>[^\n\"']{1,4000})"
)
"""The same as items of a list in YAML."""
_FLOW = re.compile(
    r"((?<=[\[,\s])--?(?P<name>[A-Za-z][\w-]{0,60}),[ \t]{0,4})(?P<value>[^\s\"'`,\[\]{}]+)(?=[ \t]{0,4}[,\]])"
)
"""The same between the brackets of a list in YAML."""
_ENDS = re.compile(r"(?i).*(?<!by)(?<!com)(?:pass|pwd)")
"""An option that tells by its end: `--requirepass`."""
_WORD = rf"(?P<o>{_Q})(?:\\(?:\\|(?P=o))|(?!(?P=o))[^\n]){{0,2000}}(?P=o)"
_WORDS = re.compile(
    rf"(?P<q>{_Q})(?P<first>[\w./-]{{1,120}})(?P=q)(?P<more>(?:\s{{0,4}},\s{{0,40}}{_OTHERS}{_KIND}{_WORD}){{1,60}})"
)
"""Words of which one may be a program."""
_DASHES = tuple(f"{sign}-" for sign in " \t\n\r\xa0\"'`[,>")
"""What stands before an option in such a list."""
_EACH = re.compile(_WORD)


def mask_listed(text: str, small: str) -> str:
    """`text` with the secrets of such lists masked; `small`: the same text in small letters."""
    if not has(("-", "/", ","), small) or not has(("'", '"', "`", "\n", "[", "<"), small):
        return text
    if has(_DASHES, small) and stemmed(small):
        for pattern in (_FLAG, _ITEM, _FLOW, _TAGGED):
            text = pattern.sub(_option, text)
    if has(tuple(PROGRAMS), small):
        text = _WORDS.sub(_words, text)
    return text


def _option(match: Match) -> str:
    name = match["name"]
    told = (telling(name) or _ENDS.fullmatch(name)) and not no_value(match["value"])
    if told and match.groupdict().get("prose"):  # `'--token' "or a file"` is a sentence
        told = not no_value(match["value"].partition(" ")[0])
    return f"{match[1]}{MASK}" if told else match[0]


def _words(match: Match) -> str:
    found = list(_EACH.finditer(match["more"]))
    words = [match["first"], *(_bare(one) for one in found)]
    clean = mask_words(words)
    if clean is None:
        return match[0]
    rest = iter(zip(words[1:], clean[1:], strict=True))

    def put(one: Match) -> str:
        was, now = next(rest)
        return one[0] if was == now else f"{one['o']}{now}{one['o']}"

    return match[0][: match.start("more") - match.start()] + _EACH.sub(put, match["more"])


def _bare(word: Match) -> str:
    return word[0][len(word["o"]) : -len(word["o"])]
