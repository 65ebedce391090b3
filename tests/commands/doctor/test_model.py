"""The doctor's lines: each check by itself; what needs another that is wrong is not asked, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import AwsError, Exit
from runbook_lib.commands.doctor.model import Findings, Found, Ground, Probe, examined, note, ok, wrong

GROUND = Ground(Path("params/prod.yaml"), {})


def _raises(error: Exception) -> Found:
    raise error


def _two(_: Ground) -> Iterator[Found]:
    yield ok("one")
    yield wrong("two", "mend two")


WAYS = {
    "OK": lambda _: ok("fine"),
    "WRONG": lambda _: wrong("bad", "mend it"),
    "NOTE": lambda _: note("so so"),
    "error": lambda _: _raises(AwsError("AWS is away")),
    "breaks": lambda _: _raises(KeyError("x")),
    "two": _two,
}
CODES = st.sampled_from([Exit.ERROR, Exit.USAGE, Exit.HOLD])


@given(st.lists(st.tuples(st.sampled_from(sorted(WAYS)), CODES, st.sets(st.integers(0, 9))), min_size=1, max_size=10))
def test_every_probe_has_a_line_whatever_the_others_do(drawn: list[tuple[str, Exit, set[int]]]) -> None:
    probes = [
        Probe(str(place), "", WAYS[way], "mend", code, tuple(str(one) for one in needs if one < place))
        for place, (way, code, needs) in enumerate(drawn)
    ]
    findings = Findings()
    assert list(examined(probes, GROUND, findings)) == findings.found
    bad: set[str] = set()
    first = Exit.OK
    for probe, (way, code, _) in zip(probes, drawn, strict=True):
        mine = [one for one in findings.found if one.id == probe.id]
        if bad & set(probe.needs):
            assert [one.state for one in mine] == ["not asked"]
        else:
            expected = {"error": ["WRONG"], "breaks": ["WRONG"], "two": ["OK", "WRONG"]}.get(way, [way])
            assert [one.state for one in mine] == expected
        if any(one.state == "WRONG" for one in mine) and first is Exit.OK:
            first = code
        if any(one.state in ("WRONG", "not asked") for one in mine):
            bad.add(probe.id)
        assert all(one.mend for one in mine if one.state == "WRONG")
    assert findings.code is first


def test_what_was_not_asked_names_what_has_to_be_right_first() -> None:
    probes = (
        Probe("a", "A", WAYS["error"], "mend", Exit.ERROR),
        Probe("b", "B", WAYS["OK"], "mend", Exit.ERROR, ("a",)),
    )
    first, second = examined(probes, GROUND, Findings())
    assert (first.said, first.mend) == ("AWS is away", "mend")
    assert second.said == "'a' has to be right first"
