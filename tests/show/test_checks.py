"""The table of checks: what does not hold is seen first, nothing is said twice, and a plan does not cry FAIL."""

from __future__ import annotations

from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.show.checks import checks_table


def made(*, ok: bool | None = True, mends: bool = False, required: bool = True, reason: str = "why") -> Check:
    return check("a.b", "Unit tests", ok, reason, required=required, expected="x", found="exit 0", mends=mends)


def test_what_applying_makes_hold_is_to_do_and_not_a_failure() -> None:
    text = str(checks_table([made(ok=False, mends=True), made()], "Alarms"))
    assert text.splitlines()[0] == "Alarms: 1 of 2 required checks pass · 1 to be made by applying"
    assert "TO DO" in text and "FAIL" not in text
    alone = str(checks_table([made(ok=False, mends=True), made(ok=False, required=False)], "Alarms"))
    assert alone.splitlines()[0] == "Alarms: 1 required check to be made by applying · 1 advisory to look at"
    assert "FAIL" in str(checks_table([made(ok=False)]))


def test_a_reason_does_not_repeat_its_title_and_finding() -> None:
    markup = checks_table([made(reason="unit tests: all 7 passed")])._repr_html_()
    assert "unit tests:" not in markup and "all 7 passed" in markup
    assert str(checks_table([made(reason="unit tests: exit 0")])).count("exit 0") == 1


def test_what_passes_can_be_folded_away() -> None:
    shown = checks_table([made(), made(), made(ok=False)], "All checks", fold=True)
    table, _, rest = shown._repr_html_().partition("<details")
    assert "✘ FAIL" in table and "✔ PASS" not in table
    assert "✔ 2 checks that pass" in rest and rest.count("✔ PASS") == 2
    assert "2 of 3 required checks pass" in str(shown)


def test_all_in_order_is_a_line_that_unfolds() -> None:
    markup = checks_table([made()], "All checks", fold=True)._repr_html_()
    assert markup.index("All checks: 1 of 1 required check passes") < markup.index("✔ 1 check that passes")


def test_nothing_passes_and_nothing_is_folded() -> None:
    assert "<details" not in checks_table([made(ok=None)], fold=True)._repr_html_()


def test_an_expectation_never_stands_beside_a_dash() -> None:
    found = [check(f"a.{ok}", "Dial", ok, "why", expected="0 %") for ok in (True, False, None)]
    told = str(checks_table(found))
    assert "–" not in told
    assert all(said in told for said in ("as expected", "not so", "not seen"))


def test_the_counts_above_and_below_are_of_the_same_checks() -> None:
    found = [check("a", "A", True, ""), check("b", "B", False, "")]
    found += [check(f"c{place}", "C", True, "", required=False) for place in range(15)]
    told = str(checks_table(found, fold=True))
    assert "1 of 2 required checks pass" in told
    assert "✔ 16 checks that pass, 15 of them advisory" in told
    assert "1 of 1 required check passes" in str(checks_table([found[0]]))


def test_what_is_to_do_is_folded_with_what_passes_and_what_a_person_must_look_at_is_not() -> None:
    found = [made(), made(ok=False, mends=True), made(ok=None, mends=True), made(ok=False)]
    top, _, rest = checks_table(found, "Checks", fold=True)._repr_html_().partition("<details")
    assert "✘ FAIL" in top and "TO DO" not in top and "✔ PASS" not in top
    assert "✎ 2 checks to be made by applying" in rest and rest.count("TO DO") == 2
    assert "1 of 4 required checks pass · 2 to be made by applying" in top
    assert "TO DO" in checks_table(found, "Checks")._repr_html_().partition("<details")[0]


def test_advice_is_folded_where_the_sections_above_have_shown_it_and_what_a_check_lacks_is_no_dash() -> None:
    found = [made(), made(ok=None, required=False), check("c", "Drill", True, "Drill: heard, `runbook status` says so")]
    top, _, rest = checks_table(found, "Checks", fold=True)._repr_html_().partition("<details")
    assert "NO DATA" not in top and "! 1 advisory check to look at" in rest and rest.count("NO DATA") == 1
    alone = checks_table(found[2:])._repr_html_()
    assert "Expected" not in alone and "–" not in alone and "Drill: heard" not in alone
    assert "<code>runbook status</code>" in alone
    assert "widget" not in checks_table([made(reason="widget 'Unit tests': gone")])._repr_html_()
