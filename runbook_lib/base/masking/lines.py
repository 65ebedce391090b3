"""Lines that are masked as the one text that they are: a name stands on one line, its value on another (a table, a
manifest, a prompt). The number of lines stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from runbook_lib.base.masking.edges import places
from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.names import stemmed
from runbook_lib.base.masking.vocabulary import foreign, has

_TELLS = re.compile(
    r"passw|passphrase|passcode|secret|token|key|credential|webhook|authorization|cookies|x-amz-|[_-]auth|pwd|[_-]pass\b"
    r"|\b(?:pass|pw|psw)\b[\"']?\s*[:=]"
)
"""What a line has, in small letters, that tells of a secret on the lines around it. `12 passed` does not."""
_NEAR, _HEAD, _FAR = 20, 8, 32
"""Lines before one that are regarded; of a long table or manifest its beginning, and lines in all."""
_LONGEST = 20_000
"""Most characters of the lines before one that are regarded."""

_ASSIGN, _BEHIND = (":", "=", "：", "＝"), "\"'*_` \t"
_NAMES, _SAID = (" is", " was", " to", "pass", "password", "passwd", "passphrase", "secret", "token", "key"), 12
_OPTION = re.compile(r"(?<![\w-])--[A-Za-z][\w-]{0,80}\Z")
"""What the end of a line has that has a name and no value."""
_LOGGED = re.compile(r"[:=][ ]?(?:\\{1,2}[nr]){0,2}\"[ ]?[,}]")
"""The same in a line of JSON."""
_NAME, _BELOW, _WIDE = 200, 3, 4_000
"""Characters at the end of a line in which its name stands, lines below it, and characters of one that is searched."""
_BETWEEN = (*" \t:=,;|<", "：", "＝")
"""What a line with a form of its own has between two words."""

Mask = Callable[[str], str]


def tells(text: str) -> bool:
    """Whether a text has a name that may tell a secret on another line."""
    small = text.casefold()
    return _TELLS.search(small) is not None or foreign(small)


def mask_lines(texts: Sequence[str], mask: Mask) -> list[str]:
    """`texts`, which are lines or have several, masked as one text; each keeps its number of lines, and its end."""
    whole = "\n".join(text.removesuffix("\n") for text in texts)
    clean = mask(whole)
    if clean == whole:
        return list(texts)
    lines, at, found = _aligned(whole.split("\n"), clean.split("\n")), 0, list[str]()
    for text in texts:
        end = "\n" * text.endswith("\n")
        many = text.removesuffix("\n").count("\n") + 1
        found.append("\n".join(lines[at : at + many]) + end)
        at += many
    return found


def _aligned(before: list[str], after: list[str]) -> list[str]:
    """Lines after masking, as many as before: one mask may stand for several lines, which have one each then."""
    if len(after) > len(before):
        rest = len(before) - 1
        return [*after[:rest], " ".join(after[rest:])]
    begins, found = places(before, after), list[str]()
    for line, begin, end in zip(after, begins, [*begins[1:], len(before)], strict=True):
        indent = line[: len(line) - len(line.lstrip())]
        found += [line, *[indent + MASK] * (end - begin - 1)]
    return found


def mask_below(text: str, mask: Mask) -> str:
    """`text` with each line masked by itself that follows a name without a value: a line that has a form of its own,
    such as a command, is no value.
    """
    lines, found = text.split("\n"), dict[int, str]()
    for at, line in enumerate(lines):
        if line.startswith("{") and at + 1 < len(lines) and _LOGGED.search(line) and stemmed(line.casefold()):
            found[at + 1] = _logged(line, lines[at + 1], mask)
        head = line.rstrip(_BEHIND)
        ends = (
            head.endswith(_ASSIGN)
            or head[-_SAID:].casefold().endswith(_NAMES)
            or ("--" in head and _OPTION.search(head))
        )
        if ends and stemmed(head[-_NAME:].casefold()):
            below = next((it for it, one in enumerate(lines[at + 1 : at + 1 + _BELOW], at + 1) if one.strip()), at)
            if below > at and has(_BETWEEN, lines[below]) and len(lines[below]) <= _WIDE:
                found[below] = mask(lines[below])
    return "\n".join(found.get(at, line) for at, line in enumerate(lines)) if found else text


def _logged(one: str, two: str, mask: Mask) -> str:
    """The second of two JSON objects, each with a line of a log, masked as the line below that of the first."""
    try:
        first, second = json.loads(one), json.loads(two)
    except (ValueError, RecursionError):
        return two
    if not isinstance(first, dict) or not isinstance(second, dict):
        return two
    told = {key: item for key, item in second.items() if isinstance(item, str) and isinstance(first.get(key), str)}
    for key, item in told.items():
        name = first[key].rstrip()
        now = mask(f"{name}\n{item}").removeprefix(f"{name}\n") if name.endswith(_ASSIGN) else item
        if MASK in now:
            second[key] = now
            two = json.dumps(second, ensure_ascii=two.isascii())
    return two


class Window:
    """Masks texts as they come, each with regard to the lines before it."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._before: list[str] = []
        """The lines before, unmasked, from the first that tells of a secret."""
        self._since = 0
        """Lines since one was masked for what stands before it."""

    def __call__(self, text: str) -> str:
        """`text`, masked."""
        alone, before = self._mask(text), self._before
        if not before and not tells(text):
            return alone
        found = alone
        if before:
            found = mask_lines([*before, alone], self._mask)[-1]
        if alone != text and found == alone:  # what was masked may be the name's own place
            raw = mask_lines([*before, text], self._mask)[-1]
            found = raw if raw.count(MASK) > alone.count(MASK) else alone
        lines = text.removesuffix("\n").split("\n")
        self._since = 0 if found != alone else self._since + len(lines)
        self._keep([*before, *lines])
        return found

    def _keep(self, lines: list[str]) -> None:
        """Keeps what may tell of the lines to come: the beginning too, as long as it has told of one."""
        if self._since < _NEAR and len(lines) > _FAR:
            lines = [*lines[:_HEAD], *lines[_HEAD - _FAR :]]
        elif self._since >= _NEAR:
            lines = lines[-_NEAR:]
            first = next((at for at, line in enumerate(lines) if tells(line)), len(lines))
            lines = lines[first:]
        self._before = lines if sum(map(len, lines)) <= _LONGEST else []
