"""Which deviations are open follows from all that was said, in its order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.incidents.deviation import Act, Deviation, Said, still_open


def _one(check: str = "a", was: int = 5, value: int = 10) -> Deviation:
    return Deviation(
        check=check,
        title=check,
        was=was,
        value=value,
        by="ana",
        at="2026-11-25T03:00:00+00:00",
        why="backlog",
        incident="rollback_2",
    )


def _said(act: Act, one: Deviation) -> Said:
    return Said(act=act, deviation=one)


def test_opened_is_open_and_closed_is_not() -> None:
    assert still_open([_said("opened", _one())]) == {"a": _one()}
    assert not still_open([_said("opened", _one()), _said("undone", _one())])
    assert not still_open([_said("opened", _one()), _said("adopted", _one())])
    assert still_open([_said("opened", _one()), _said("undone", _one()), _said("opened", _one())]) == {"a": _one()}


def test_opened_again_it_goes_back_to_what_the_code_says() -> None:
    found = still_open([_said("opened", _one()), _said("opened", _one(was=10, value=20))])
    assert (found["a"].was, found["a"].value) == (5, 20)


def test_opened_again_what_was_there_before_is_the_first_ones_and_the_rest_its_own() -> None:
    """The index's units go back with the table's; how the second one is undone otherwise is its own."""
    first = _one().model_copy(update={"facts": {"index_before": 5, "mode": "first"}})
    second = _one(was=10, value=20).model_copy(update={"facts": {"index_before": 10, "mode": "second", "more": 1}})
    found = still_open([_said("opened", first), _said("opened", second)])["a"]
    assert found == second.model_copy(update={"was": 5, "facts": {"index_before": 5, "mode": "second", "more": 1}})


def test_closing_what_is_not_open_does_no_harm() -> None:
    assert not still_open([_said("undone", _one())])


def test_its_words_say_who_when_and_why() -> None:
    assert _one().words == "ana, 2026-11-25 03:00 UTC, rollback_2: backlog"


acts = st.lists(
    st.tuples(st.sampled_from(["opened", "undone", "adopted", "withdrawn"]), st.sampled_from("abc")), max_size=20
)


@given(acts)
def test_open_is_whatever_was_opened_last(said: list[tuple[Act, str]]) -> None:
    found = still_open([_said(act, _one(check)) for act, check in said])
    last = {check: act for act, check in said}
    assert set(found) == {check for check, act in last.items() if act == "opened"}


def test_notebook_and_run_of_version_0_1_are_read_from_its_words() -> None:
    """Newer entries say them as fields of their own, which no word of `incident` changes."""
    said = _one().model_dump() | {"incident": "rollback_2_queue_backlog run 2026-01-01T00-00-00Z-ab12"}
    old = {name: value for name, value in said.items() if name not in ("notebook", "run_id")}
    read = Deviation.model_validate(old)
    assert (read.notebook, read.run_id) == ("rollback_2_queue_backlog", "2026-01-01T00-00-00Z-ab12")
    assert Deviation.model_validate(said | {"notebook": "n", "run_id": "r"}).run_id == "r"
    assert Deviation.model_validate(old | {"incident": "an incident"}).run_id == ""
    assert Deviation.model_validate(old | {"incident": "my run copy run R2"}).run_id == "R2"
    assert Deviation.model_validate(old | {"notebook": "mine"}).notebook == "mine"
