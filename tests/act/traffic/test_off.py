"""What is turned off is called what it is: async, a version, the canary."""

from __future__ import annotations

from types import SimpleNamespace

from runbook_lib.act.traffic.off import AFTER, after_off, is_not_off, is_off, new_side, then_off
from runbook_lib.act.traffic.switch import Turned


def test_a_release_of_a_version_speaks_of_versions_and_not_of_a_synchronous_endpoint() -> None:
    alias = SimpleNamespace(kind="lambda-alias", version="7", stable="6")
    assert new_side(alias) == "version 7"
    assert "version 6 is what is called now" in after_off(alias)
    assert "`runbook release`" in then_off(alias) and "dev" not in then_off(alias)
    assert is_off(alias) == "version 7 is off; version 6 is what is called"
    for said in (after_off(alias), then_off(alias), is_off(alias), is_not_off(alias)):
        assert "synchronous" not in said and "async" not in said


def test_the_other_homes_speak_as_ever() -> None:
    for kind in ("appconfig", "ssm"):
        home = SimpleNamespace(kind=kind)
        assert (new_side(home), after_off(home)) == ("async", AFTER)
    assert new_side(SimpleNamespace(kind="rest-canary")) == "the canary"
    canary = is_off(SimpleNamespace(kind="rest-canary"))
    assert canary == "the canary is off; the stage's own deployment serves all requests"


def test_what_was_turned_off_has_a_name_even_where_no_step_could_be_written() -> None:
    """It had none: nobody was told of a new side that was off, where the step was refused."""
    assert Turned(True, "", 7).key("a run") == Turned(False, "", 7).key("another") == "7"
    assert Turned(True, "", 0).key("a run") == "a run"
    assert Turned(False, "", 0).key("a run") == ""
