"""Lines made alike for those who search them. What ends a line (CRLF, CR alone) and what a program writes before each
line (the sign of a diff, `> ` of a quotation, `web-1  | `) hide what is recognised by lines: a manifest, a table, a
value below its name. A text is searched without them, and has them again in each line that is not masked.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from runbook_lib.base.masking.fronts import Stretch, alike
from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.names import stemmed

_OTHERS = "\r\x0b\x0c\x85\u2028\u2029"
"""What ends a line, too (Unicode, section 5.8)."""
_BREAK = re.compile(rf"(\r{{0,3}}\n|[{_OTHERS}])")
"""A terminal makes CRLF of LF, also where a program has written CRLF already."""
_FRONT = re.compile(
    r"(?P<sign>[+-])"
    r"|(?P<quote>>[ \t]?)"
    r"|(?P<old><(?:[ \t]|\Z))"
    r"|(?P<bar>[|│┃][ ]?)"
    r"|(?P<comment>(?:#|//|\*)[ ]?)"
    r"|(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.,]{0,12}(?:Z|[+-]\d\d:?\d\d)?[ \t])"
    r"|(?P<label>(?:[\w.-]{1,60}(?:[ ]{1,30}[|│]|:)|\[[^\]]{1,80}\])(?:[ ]|\Z))"
)
"""What a program writes before each line; a label is the same in all of them."""
_TITLE = re.compile(r"[^:\n]{1,200}:[ ]{1,4}(?=\S)")
"""What an error's sentence begins with, before the text of another program."""
_FAR = 200
"""Most lines that one mask stands for, if the line behind it has another."""
_SENTENCE = 20_000
"""Most characters of a text whose title is looked for."""
_CONTEXT = re.compile(r"(?P<context>[ ]|(?=@@)|\Z)")
"""Lines among those of a diff."""


def breaks_alike(text: str, mask: Callable[[str], str]) -> str:
    """`mask` of a text as if LF ended each of its lines; what stays has its own breaks."""
    if not any(sign in text for sign in _OTHERS):
        return mask(text)
    pieces = _BREAK.split(text)
    lines, ends = pieces[::2], [*pieces[1::2], ""]
    alike = "\n".join(lines)
    masked = mask(alike)
    if masked == alike:
        return text
    now = masked.split("\n")
    lasts = [place - 1 for place in places(lines, now)[1:]]  # a line that is masked may have been several
    return "".join(line + ends[max(last, 0)] for line, last in zip(now, lasts, strict=False)) + now[-1]


def without_fronts(text: str, mask: Callable[[str], str], *, first: bool = True) -> str:
    """A text with `mask` of its stretches of lines that begin alike, as if they did not; what stays has its own
    beginning. `first`: no other beginning was taken away.
    """
    if "\n" not in text:
        return text
    lines = text.split("\n")
    if first:
        lines = _within(lines, alike(lines), mask)
    stretches = list(_stretches(lines))
    title = _TITLE.match(text) if len(text) <= _SENTENCE and not (stretches and stretches[0][0] == 0) else None
    if title and not stemmed(title[0].casefold()):
        stretches = [(0, len(lines), [title.end(), *[0] * (len(lines) - 1)])]
    return "\n".join(_within(lines, stretches, mask))


def _within(lines: list[str], stretches: Iterable[Stretch], mask: Callable[[str], str]) -> list[str]:
    """Lines with `mask` of the stretches among them, which are in order."""
    kept, at = list[str](), 0
    for begin, end, fronts in stretches:
        bare = [line[front:] for line, front in zip(lines[begin:end], fronts, strict=True)]
        text = "\n".join(bare)
        told = any(MASK in line[:front] for line, front in zip(lines[begin:end], fronts, strict=True))  # cells
        masked = mask(text) if stemmed(text.casefold()) and not told else text
        if masked != text:
            now = masked.split("\n")
            begun = zip(now, places(bare, now), strict=True)
            kept += [*lines[at:begin], *(f"{lines[begin + it][: fronts[it]]}{line}" for line, it in begun)]
            at = end
    return [*kept, *lines[at:]] if at else lines


def _stretches(lines: Sequence[str]) -> Iterator[Stretch]:
    """Lines that begin with the same sign or label."""
    kind, begin, fronts, signed = "", 0, list[int](), False
    for at, line in enumerate(lines):
        found = _FRONT.match(line) or _CONTEXT.match(line)
        this = "" if found is None else str(found["label"] if found.lastgroup == "label" else found.lastgroup)
        sign = this == "sign"
        if this == "context":
            this = "sign"
        if this != kind:
            if kind and len(fronts) > 1 and (kind != "sign" or signed):
                yield begin, at, fronts
            kind, begin, fronts, signed = this, at, [], False
        signed = signed or sign
        fronts.append(found.end() if found else 0)
    if kind and len(fronts) > 1 and (kind != "sign" or signed):
        yield begin, len(lines), fronts


def places(was: Sequence[str], now: Sequence[str]) -> Sequence[int]:
    """For each line of a masked text, in order, the line in which it began. A mask takes lines away and adds none."""
    fewer = len(was) - len(now)
    if fewer <= 0:
        return [min(at, len(was) - 1) for at in range(len(now))]
    where = defaultdict[str, list[int]](list)
    for at, line in enumerate(was):
        where[line].append(at)
    found, at = list[int](), 0
    for number, line in enumerate(now):
        same = where.get(line, [])
        next_, last = bisect_left(same, at), number + fewer
        if next_ < len(same) and same[next_] <= last:
            at = same[next_]
        elif (head := line.partition(MASK)[0]).strip() and head != line:
            at = next((it for it in range(at, min(last, at + _FAR) + 1) if was[it].startswith(head)), at)
        found.append(min(at, last))
        at = found[-1] + 1
    return found
