"""A leaf is read the short way to what it is read to the long way, whatever stands in its line."""

from __future__ import annotations

import json
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st

from runbook_lib.record.log import leaf as module
from runbook_lib.record.log.leaf import Leaf, read_leaf

_TEXTS = st.text(max_size=8) | st.sampled_from(["a\u2028", "\x7f", 'a"b', "\\", "é", "\ud800", "\x1f", "😀"])


class _Never:
    def fullmatch(self, _line: str) -> None:
        return None


def _read(line: bytes) -> Leaf | None:
    try:
        return read_leaf(line)
    except ValueError:
        return None


@given(
    st.fixed_dictionaries(
        {"kind": _TEXTS, "path": _TEXTS, "sealed_at": _TEXTS, "hash": _TEXTS, "file": _TEXTS},
        optional={
            "schema": st.sampled_from([1, 2, "1", True]),
            "how": st.sampled_from(["sealed", "taken_in", "none"]),
            "attachments": st.lists(_TEXTS, max_size=1),
            "more": st.just(1),
        },
    ),
    st.sampled_from([0, 1, 10, -1, 1.0, True, "1", 2**80]),
    st.booleans(),
    st.sampled_from([b"", b" ", b"\n", b"}"]),
)
@example({"kind": "run", "path": "a", "sealed_at": "b", "hash": "c", "file": "d"}, 3, False, b"")
@example({"kind": "run", "path": "a", "sealed_at": "b", "hash": "c", "file": "d"}, 2**80, False, b"")
def test_the_short_way_reads_what_the_long_way_reads(
    said: dict[str, object], index: object, ascii_: bool, behind: bytes
) -> None:
    whole = {"schema": 1, "how": "sealed", "attachments": [], "index": index, **said}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_)
    line = text.encode("utf-8", "surrogatepass") + behind
    with patch.object(module, "_PLAIN", _Never()):
        long = _read(line)
    short = _read(line)
    assert short == long
    assert short is None or (short.model_dump() == long.model_dump() and short.line() == long.line() == line)  # type: ignore[union-attr]
