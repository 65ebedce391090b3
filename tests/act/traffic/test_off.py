"""What is turned off is called what it is: async, a version, the canary."""

from __future__ import annotations

from types import SimpleNamespace

from runbook_lib.act.traffic.off import AFTER, after_off, new_side, then_off


def test_a_release_of_a_version_speaks_of_versions_and_not_of_a_synchronous_endpoint() -> None:
    alias = SimpleNamespace(kind="lambda-alias", version="7", stable="6")
    assert new_side(alias) == "version 7"
    assert "version 6 is what is called now" in after_off(alias)
    assert "`runbook release`" in then_off(alias) and "dev" not in then_off(alias)
    for said in (after_off(alias), then_off(alias)):
        assert "synchronous" not in said and "async" not in said


def test_the_other_homes_speak_as_ever() -> None:
    for kind in ("appconfig", "ssm"):
        home = SimpleNamespace(kind=kind)
        assert (new_side(home), after_off(home)) == ("async", AFTER)
    assert new_side(SimpleNamespace(kind="rest-canary")) == "the canary"
