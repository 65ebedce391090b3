"""Tables: what must be seen is there, in HTML and in text, escaped, and honest about the baseline."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.base import foreign
from runbook_lib.base.foreign import terminal
from runbook_lib.judge.model import Evidence, GateResult, Outcome
from runbook_lib.judge.terms import OF_CHECKS, Decision, Verdict, Word
from runbook_lib.show import scale, tables, verdicts
from runbook_lib.show import traffic as users
from runbook_lib.show.style import BADGES, BLACK, badge_of, rank
from runbook_lib.show.whole import KEPT

VOID = {"br", "img"}


class Strict(HTMLParser):
    """Fails on tags that do not close in order; collects text by cell."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def parsed(shown: tables.Shown) -> Strict:
    parser = Strict()
    parser.feed(shown._repr_html_())
    parser.close()
    assert parser.open == []
    return parser


def gate_rows(shown: tables.Shown) -> list[list[str]]:
    """A gate table's rows, each with the sentence that stands below it as its last cell."""
    head, *rest = parsed(shown).rows
    assert all(len(below) == 1 for below in rest[1::2])
    return [head, *([*row, *below] for row, below in zip(rest[::2], rest[1::2], strict=True))]


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_gate_table_has_one_row_a_gate_with_everything_a_reader_needs(outcome: Outcome) -> None:
    rows = gate_rows(verdicts.gate_table(outcome))
    assert rows[0] == ["Gate", "Verdict", "Value", "95 % interval", "n", "Target", "Alert", "Window"]
    assert len(rows) == 1 + len(outcome.results)
    window = "2026-11-10 03:01 to 2026-11-11 03:01 UTC (24.0 h)"
    assert rows[1][:8] == [
        "Success rate",
        "✘ FAIL",
        "97.96 %",
        "95.0-99.0 %",
        "306",
        "> 99 %",
        "< 98 %",
        window,
    ]
    assert rows[1][8].startswith("success_rate said so")
    assert "Asked: census by created_at" in rows[1][8]
    assert "2 still in flight" in rows[1][8]
    assert rows[3][1:5] == ["? INCONCLUSIVE", "88.1 s", "79.2-131 s", "1,234"]
    assert rows[2][1:5] == ["∅ NO DATA", "–", "–", "–"]
    assert "part of the window could not be seen" in rows[2][8]
    assert "the queue slept" in rows[2][8]
    assert rows[5][5] == "as the weight"
    assert "no data, and that is zero: no route" in rows[5][8]


def test_why_stands_below_its_gate_and_stays_in_sight_where_the_table_scrolls(outcome: Outcome) -> None:
    markup = verdicts.gate_table(outcome)._repr_html_()
    below = re.findall(r'<td colspan="(\d+)"[^>]*><div style="position:sticky;left:9px;', markup)
    assert below == ["8"] * len(outcome.results)


def test_a_column_without_a_name_has_no_head() -> None:
    markup = tables.table(("", "What"), [["a", "b"]])._repr_html_()
    assert markup.count("<th ") == 1 and "></td><th " in markup


def test_the_query_is_folded_away(outcome: Outcome) -> None:
    parser = parsed(verdicts.gate_table(outcome))
    assert {"details", "summary"} <= parser.tags


def test_the_tally_names_what_does_not_pass(outcome: Outcome) -> None:
    text = str(verdicts.gate_table(outcome.results))
    assert text.splitlines()[0] == (
        "2 of 5 required gates pass · FAIL: Success rate · NO DATA: DLQ depth · INCONCLUSIVE: P95 VPR generation time"
    )


def test_muted_and_advisory_gates_are_in_the_table_and_not_in_the_tally(result: Callable[..., Any]) -> None:
    shown = verdicts.gate_table(
        [
            result("cost", "FAIL", gate={"muted": "price list is old"}),
            result("dlq", "FAIL", gate={"required": False}),
            result("error_rate", "PASS"),
        ]
    )
    assert "1 of 1 required gate passes" in str(shown)
    rows = gate_rows(shown)
    assert [row[0].partition("muted")[0].partition("advisory")[0] for row in rows[1:]] == [
        "Error rate (each async route, 5xx)",
        "DLQ depth",
        "Cost per VPR",
    ]
    assert rows[2][0].endswith("advisory, does not decide") and rows[3][0].endswith("muted: price list is old")


@pytest.mark.parametrize("interim", [False, True])
def test_the_table_has_the_gates_in_the_order_of_the_figure(result: Callable[..., Any], interim: bool) -> None:
    names, said = ("cost", "dlq", "error_rate", "queue_depth"), ("INCONCLUSIVE", "PASS", "FAIL", "NO_DATA")
    found = [
        result(name, verdict, gate={"severity": at % 3 + 1, "required": at != 2})
        for at, (name, verdict) in enumerate(zip(names, said, strict=True))
    ]
    figure = [one.gate.title for one in scale.failing_first(found, interim)]
    rows = gate_rows(verdicts.gate_table(found, interim=interim))
    assert [row[0].partition("advisory")[0] for row in rows[1:]] == figure


def test_no_gates_is_said() -> None:
    assert "No gate was judged" in str(verdicts.gate_table([]))
    assert "nothing to show" in verdicts.gate_table([])._repr_html_()


def test_a_one_sided_interval_shows_the_side_it_has(result: Callable[..., Any]) -> None:
    shown = verdicts.gate_table([result("error_rate", "PASS", high=0.02), result("success_rate", "PASS", low=0.98)])
    rows = gate_rows(shown)
    assert {rows[1][3], rows[2][3]} == {"<= 2.0 %", ">= 98.0 %"}


def test_a_window_that_is_no_time_is_shown_as_it_is(result: Callable[..., Any], rate: Callable[..., Evidence]) -> None:
    odd = rate(0, 1).model_copy(update={"start": "", "end": "now"})
    assert " to now" in str(verdicts.gate_table([result("dlq", "PASS", evidence=odd)]))


def test_everything_is_escaped(outcome: Outcome) -> None:
    for shown in (
        verdicts.gate_table(outcome),
        verdicts.verdict_banner(outcome),
        verdicts.closing_note("r", outcome, "<i>"),
    ):
        assert "script" not in parsed(shown).tags
        assert "i" not in parsed(shown).tags


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40, deadline=None
)
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=60), max_size=4))
def test_any_text_survives_as_text(facts: dict[str, str]) -> None:
    rows = parsed(tables.where_table(facts)).rows
    assert [row[0] for row in rows] == [
        terminal(name.replace("\r\n", "\n").replace("\r", "\n")) for name in facts
    ] or "\r" in "".join([*facts, *facts.values()])


def test_the_banner_says_why_next_and_which_runbook(outcome: Outcome) -> None:
    text = str(verdicts.verdict_banner(outcome))
    assert text.startswith("↩ ROLLBACK\n  Why: Success is low")
    assert "Next: Run rollback_1." in text
    assert "Come back: 2026-11-11 04:00 UTC" in text, "in UTC, whatever zone it came in"
    assert "notebooks/rollback_1" in text
    assert parsed(verdicts.verdict_banner(outcome)).tags >= {"div"}


def test_the_banner_shows_commands_as_commands(outcome: Outcome) -> None:
    told = outcome.model_copy(update={"next": "Run `runbook status` <now>."})
    assert "<code>runbook status</code> &lt;now&gt;." in verdicts.verdict_banner(told)._repr_html_()


def test_a_run_that_goes_on_to_act_shows_no_plan_as_its_decision() -> None:
    plan = Outcome(decision=Decision.PLANNED, reason="3 alarms differ", next="Apply.")
    assert "PLANNED" in str(verdicts.verdict_banner(plan))
    before = verdicts.verdict_banner(plan, acts=True)
    assert "PLANNED" not in before._repr_html_() and str(before).startswith("Before the action: 3 alarms differ.")
    held = Outcome(decision=Decision.HOLD, reason="an approval is missing", next="Ask.")
    assert "HOLD" in str(verdicts.verdict_banner(held, acts=True)), "what ends the run stands out"


def test_a_complete_rollback_reads_done(outcome: Outcome) -> None:
    done = outcome.model_copy(
        update={"decision": Decision.PROMOTE, "said": Word.DONE, "reason": "the rollback is complete"}
    )
    assert str(verdicts.verdict_banner(done)).startswith("✔ DONE\n  Why: The rollback is complete.")
    assert "✔ DONE. Next: " in str(verdicts.closing_note("r1", done, None))


@pytest.mark.parametrize("word", [*Word, *Verdict, *Decision])
def test_every_verdict_and_decision_has_icon_word_and_readable_colours(word: str) -> None:
    icon, colour = badge_of(word)
    light, dark = sorted((luminance(colour), luminance(BLACK)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 4.5
    assert icon.strip()


def test_icons_tell_verdicts_apart_without_colour() -> None:
    assert len({badge_of(verdict).icon for verdict in Verdict}) == len(Verdict)


def test_every_word_has_its_badge_and_stands_in_the_table_of_the_docs() -> None:
    assert set(BADGES) == set(Word)
    page = (Path(__file__).parents[2] / "docs" / "verdicts.md").read_text()
    table = page.partition("## Words")[2].partition("\n## ")[0]
    assert re.findall(r"^\| \*\*([A-Z ]+)\*\*", table, re.MULTILINE) == [str(word) for word in Word]


def test_fail_is_first_in_every_order() -> None:
    assert sorted(OF_CHECKS, key=rank) == list(OF_CHECKS) and OF_CHECKS[0] is Word.FAIL and OF_CHECKS[-1] is Word.PASS
    assert all(rank(verdict) == rank(verdict.replace("_", " ")) for verdict in Verdict)


def test_a_table_does_not_set_its_own_paper_or_ink(outcome: Outcome) -> None:
    """In a dark theme the text must take the theme's colour."""
    markup = verdicts.gate_table(outcome)._repr_html_()
    assert "color:inherit" in markup
    assert "background:white" not in markup
    assert "<style" not in markup


def test_ipython_and_a_terminal_see_the_same(outcome: Outcome) -> None:
    shown = verdicts.gate_table(outcome)
    seen: list[str] = []
    shown._repr_pretty_(SimpleNamespace(text=seen.append), False)
    shown._repr_pretty_(SimpleNamespace(text=seen.append), True)
    assert seen == [str(shown), "(…)"]
    assert repr(shown) == str(shown)
    assert max(len(line) for line in str(shown).splitlines()) <= tables.WIDTH


def plan(**kwargs: Any) -> Any:
    step = SimpleNamespace(action="deploy", before=0, after=10, strategy="soak", why="because")
    return SimpleNamespace(
        **{"before": 0, "percent": 10, "steps": (step,), "notes": (), "blockers": (), "undo": "off", **kwargs}
    )


def test_a_plan_shows_steps_blockers_and_the_way_back() -> None:
    shown = users.plan_table(plan(blockers=("the switch is <off>",), notes=("renew it",)))
    text = str(shown)
    assert "Dial 0 % → 10 %" in text
    assert "0 % → 10 %" in parsed(shown).rows[1][2]
    assert "✘ Blocked: the switch is <off>" in text
    assert "Note: renew it" in text
    assert text.endswith("Undo: off")
    assert "off" not in parsed(shown).tags


def test_a_plan_without_steps_says_so() -> None:
    assert "Dial at 0 %: nothing to do" in str(users.plan_table(plan(steps=())))


def test_findings_put_the_bad_first_and_count() -> None:
    shown = verdicts.findings_table(
        [
            {"alarm": "a", "ok": True, "sentence": "fine"},
            SimpleNamespace(resource="b", ok=False, sentence="broken"),
            {"name": "c", "ok": None, "text": "who knows"},
        ],
        "Guards",
    )
    rows = parsed(shown).rows
    assert [row[1] for row in rows[1:]] == ["b", "c", "a"]
    assert [row[0] for row in rows[1:]] == ["✘ no", "? unknown", "✔ ok"]
    assert str(shown).startswith("Guards: 1 of 3 in order")
    assert "nothing to show" in str(verdicts.findings_table([]))


def test_predecessors() -> None:
    assert "requires no predecessor" in str(verdicts.predecessors_table([], "06"))
    text = str(verdicts.predecessors_table([{"requires": "01@dev", "ok": False, "sentence": "no record"}], "06"))
    assert "Predecessors of 06: 0 of 1 in order" in text
    assert "01@dev" in text


def test_the_closing_note_says_where_the_record_is(outcome: Outcome) -> None:
    assert "Record r1 sealed: archive/x" in str(verdicts.closing_note("r1", outcome, "archive/x"))
    assert "sealed by the engine" in str(verdicts.closing_note("r1", outcome, None))


@pytest.mark.parametrize(
    ("canary", "baseline", "said"),
    [
        ((1, 300), (2650, 2700), "A rollback stops new harm from async; it does not restore service."),
        ((200, 300), (3, 3000), "The baseline is the better side (99.9 %)"),
        ((1, 100), (2, 100), "cannot be told apart at this sample size"),
        ((1, 100), (0, 0), "baseline cannot be seen"),
        ((None, None), (50, 100), "serves 50.0 % of its requests; the canary cannot be seen"),
    ],
)
def test_the_baseline_is_told_honestly(rate: Callable[..., Evidence], canary: Any, baseline: Any, said: str) -> None:
    shown = users.baseline_table(rate(*canary), rate(*baseline))
    assert said in str(shown).replace("\n", " ")
    assert [row[0] for row in parsed(shown).rows[1:]] == ["Async (canary)", "Sync (baseline)"]


def test_the_baseline_shows_success_beside_success(rate: Callable[..., Evidence]) -> None:
    rows = parsed(users.baseline_table(rate(1, 300), rate(2650, 2700))).rows
    assert rows[1][1:4] == ["99.7 %", "98.2-100.0 %", "300"]
    assert rows[2][1:4] == ["1.9 %", "1.4-2.4 %", "2,700"]


def segment(**kwargs: Any) -> Any:
    given = {"completed": 288, "late": 1, "failed": 16, "lost": 1, "in_flight": 2, "probes": 0, "read_units": 12.5}
    window = {
        "start": dt.datetime(2026, 11, 10, 3, tzinfo=dt.UTC),
        "end_settled": dt.datetime(2026, 11, 11, tzinfo=dt.UTC),
    }
    return SimpleNamespace(**{**given, **window, "errors": {}, **kwargs})


def test_the_census_counts_settled_jobs_only() -> None:
    shown = users.census_table(segment(probes=4, probes_bad=1, errors={"quota <x>": 15, "other": 1}), "READY", "BROKEN")
    text, rows = str(shown), parsed(shown).rows
    assert "Census of 306 settled jobs created 2026-11-10 03:00 to 2026-11-11 00:00 UTC" in text
    assert [row[1] for row in rows[1:7]] == ["288", "1", "16", "1", "2", "4"]
    assert rows[1][2] == "94.1 %"
    assert [row[3].partition(" while")[0] for row in (rows[1], rows[3])] == ["READY", "marked BROKEN by the worker"]
    assert rows[5][2] == "–", "in flight is in no rate"
    assert "The scan of the jobs table took 12.5 read units." in text
    assert text.index("quota <x>") < text.index("other")


def test_an_almost_perfect_census_is_not_shown_as_100_percent() -> None:
    rows = parsed(users.census_table(segment(completed=99_999, late=0, failed=1, lost=0), "READY", "BROKEN")).rows
    assert rows[1][2] != "100.0 %"


def test_an_empty_census_divides_by_nothing() -> None:
    rows = parsed(users.census_table(segment(completed=0, late=0, failed=0, lost=0), "READY", "BROKEN")).rows
    assert rows[1][2] == "–"


def test_the_traffic_table_names_the_weight_and_the_last_deployments() -> None:
    deployment = SimpleNamespace(
        number=2,
        state="BAKING",
        percent=10.0,
        description="run=a",
        started_at="2026-11-10T03:00:00Z",
        events=(SimpleNamespace(type="BAKE_TIME_STARTED", triggered_by="APPCONFIG", description="begun"),),
    )
    bare = SimpleNamespace(number=1, state="COMPLETE", percent=None, description="", started_at=None, events=())
    state = SimpleNamespace(weight=0.0, dial_percent=10.0, switch_on=False, under_way=(), history=(deployment, bare))
    text = str(users.traffic_table(state))
    assert "0 % of requests go to async" in text
    assert "off" in text
    assert "begun" in text and "BAKE_TIME_STARTED" not in text
    rows = parsed(users.traffic_table(state)).rows
    assert rows[-2][:4] == ["2", "2026-11-10 03:00 UTC", "10 %", "BAKING"]
    assert rows[-1] == ["1", "–", "–", "COMPLETE", "–", ""]
    many = SimpleNamespace(**{**vars(state), "history": (deployment,) * 20})
    assert len(parsed(users.traffic_table(many)).rows) == len(rows) - 2 + users.RECENT


def test_a_deployment_says_who_made_it_and_what_was_not_the_ordinary_course() -> None:
    ours = "runbook release=r notebook=06_phase1_10_percent attempt=1 run=61e8 until=2026-11-06T03:54:04Z step=2/2"
    alarm = SimpleNamespace(type="ROLLBACK_STARTED", triggered_by="CLOUDWATCH_ALARM", description="arn:alarm")
    one = SimpleNamespace(
        number=2, state="ROLLED_BACK", percent=10.0, description=ours, started_at=None, events=(alarm,)
    )
    rows = parsed(
        users.traffic_table(SimpleNamespace(weight=0.0, dial_percent=0.0, switch_on=True, under_way=(), history=(one,)))
    ).rows
    assert rows[-1][4:] == [
        "06_phase1_10_percent, attempt 1, run 61e8, step 2/2",
        "ROLLBACK_STARTED by CLOUDWATCH_ALARM: arn:alarm",
    ]


def test_a_gate_that_soaks_in_order_is_calm_and_keeps_its_numbers(result: Callable[..., Any]) -> None:
    told = {"reason": "soaking: 100.0 % so far, in order"}
    calm = result("success_rate", "INCONCLUSIVE", value=1.0, low=0.987, high=1.0, n=287, **told)
    short = result("success_rate", "INCONCLUSIVE", value=0.985, low=0.97, high=0.99, n=287)
    rows = gate_rows(verdicts.gate_table([calm, short], interim=True))
    assert [row[1] for row in rows[1:]] == ["? INCONCLUSIVE", "◔ WATCH"]
    assert rows[2][8].startswith("In order so far.") and told["reason"] in rows[2][8]
    assert [row[1] for row in gate_rows(verdicts.gate_table([calm]))[1:]] == ["? INCONCLUSIVE"]


def test_an_interval_without_width_is_not_shown(result: Callable[..., Any]) -> None:
    rows = parsed(verdicts.gate_table([result("dlq", "PASS", value=0, low=0, high=0, n=286)])).rows
    assert rows[1][3] == "–"


def test_a_finding_does_not_repeat_the_name_beside_it() -> None:
    found = [{"ok": True, "alarm": "dlq-alarm", "sentence": "dlq-alarm: can protect a shift"}]
    assert parsed(verdicts.findings_table(found)).rows[1][1:] == ["dlq-alarm", "can protect a shift"]


def test_a_note_shows_commands_as_commands() -> None:
    shown = tables.table(("a",), [["b"]], note="`runbook <x>` opens it")
    assert "<code>runbook &lt;x&gt;</code> opens it" in shown._repr_html_()


def test_the_banner_names_a_time_once(outcome: Outcome) -> None:
    at = "2026-11-11T04:00:06Z"
    said = outcome.model_copy(update={"next": "Run again at 2026-11-11 04:01 UTC.", "come_back_at": at})
    assert "Come back" not in str(verdicts.verdict_banner(said))


@given(st.lists(st.sampled_from(["runbook", "--set", "--params", "params/prod.yaml", "a=b<c", "-f"]), min_size=1))
def test_a_command_is_set_apart_and_no_line_ends_within_an_option(words: list[str]) -> None:
    found = tables.inline(f"Run it: `{' '.join(words)}` now; mind --this")
    assert re.sub(r"<[^>]+>", "", found) == foreign.html(f"Run it: {' '.join(words)} now; mind --this")
    inside = found[found.index("<code>") : found.index("</code>")]
    kept = re.findall(f"{KEPT}(.*?)</span>", inside)
    assert kept == [word for word in words if word.startswith("--")]
    assert found.endswith(f"</code> now; mind {KEPT}--this</span>"), "an option outside a command, too"


def test_the_last_line_of_a_run_sets_its_command_apart() -> None:
    outcome = Outcome(decision="HOLD", reason="why", next="Do it. The command: `runbook run 06`")
    markup = verdicts.closing_note("4f1c9a7be210", outcome, None)._repr_html_()
    assert "<code>runbook run 06</code>" in markup and "`" not in markup


def test_a_table_that_is_wider_than_a_telephone_knows_its_columns_in_every_cell() -> None:
    """A report stacks such a table on a narrow page, each value behind its column's name; a small one stays a table."""
    wide = tables.table(
        ("", "What", "Finding"), [[tables.mark(True), "05_staging@staging", "says PROMOTE, sealed some days ago"]]
    )
    assert '<table class="stacks"' in wide._repr_html_()
    assert [f'data-name="{name}"' in wide._repr_html_() for name in ("", "What", "Finding")] == [True] * 3
    small = tables.table(("Job", "Count", "Share"), [["completed", 284, "100.0 %"], ["failed", 0, "0.0 %"]])
    assert "stacks" not in small._repr_html_() and "data-name" not in small._repr_html_()
    below = tables.table(("Gate", "Value", "Window", "Why"), [["a" * 20, "b" * 20, "c" * 20, "d"]], last_below=True)
    assert below._repr_html_().count("data-name") == 3 and "stacks" in below._repr_html_()
    assert "stacks" not in tables.table(("", ""), [["Release", "x" * 90]])._repr_html_(), (
        "names and values are no columns"
    )


def test_a_column_that_may_not_wrap_counts_with_all_its_letters() -> None:
    """Whether a table stacks on a telephone: a name in one line makes its column as wide as it is."""
    name = "every 6 hours from day 1, 24 h on"
    rows = [[tables.Cell(name, nowrap=True), "2026-11-14 05:17", "done"]]
    assert "stacks" in tables.table(("Look", "Due", "State"), rows)._repr_html_()
    assert "stacks" not in tables.table(("Look", "Due", "State"), [[name, "05:17", "done"]])._repr_html_()


def test_on_paper_a_number_keeps_its_unit_and_a_window_takes_two_lines_at_most() -> None:
    """A printed report wraps cells, but for those of class `whole`: `> 5 %` stood on two lines, a window on five."""
    row = [tables.Cell("> 5 %", nowrap=True), tables.Cell("a sentence that is long", nowrap=True)]
    kept, long = re.findall(r"<td[^>]*>", tables.table(("n", "why"), [row])._repr_html_())[-2:]
    assert 'class="whole"' in kept and 'class="whole"' not in long
    window = tables.between("2026-11-12T04:48:00Z", "2026-11-14T04:48:00Z").html
    assert re.sub("<[^>]+>", "", window) == "2026-11-12 04:48 to 2026-11-14 04:48 UTC" and window.count("nowrap") == 2


def test_a_column_that_says_nothing_is_left_out_and_no_row_has_an_empty_line_below() -> None:
    head, rows = ("Gate", "Value", "Note"), [["a", "1", ""], ["b", "2", ""]]
    silent = tables.table(head, rows, last_below=True)
    assert "Note" not in silent._repr_html_() and "Note" not in str(silent)
    assert silent._repr_html_().count("<tr") == 3 and "colspan" not in silent._repr_html_()
    one = tables.table(head, [rows[0], ["b", "2", "because"]], last_below=True)._repr_html_()
    assert one.count("<tr") == 4 and one.count("colspan") == 1
    assert "Window" in tables.table(("", "Window"), [["a", "1"]])._repr_html_()


def test_a_short_word_is_on_one_line_and_asks_for_no_wide_column_on_a_telephone() -> None:
    head = ("Look", "Due from", "State")
    shown = tables.table(head, [["day 1", tables.Cell("2026-11-14 09:13 UTC", nowrap=True), "✔ done"]])._repr_html_()
    assert shown.count(';white-space:nowrap">day 1<') == 1
    assert re.findall(r'<td[^>]* class="whole" style="[^"]*">([^<]+)', shown) == ["day 1", "✔ done"]
    assert f"{KEPT}2026-11-14 09:13 UTC</span>" in shown, "on paper cells wrap, and what is one stays on one line"


@given(st.text("ab`;: ", max_size=400))
def test_a_long_reason_has_its_first_clause_and_nothing_is_lost(text: str) -> None:
    first, rest = tables.lead(text)
    assert (f"{first} {rest}" if rest else first) == text
    assert not rest or first.count("`") % 2 == 0
    assert tables.lead("It is so: as it is.") == ("It is so: as it is.", "")
    told = "P95 VPR generation time 238 s (n = 26) is above the alert limit 120 s: " + "since then; " * 20
    assert tables.lead(told)[0].endswith("120 s:")


def test_what_is_in_doubt_stands_before_what_is_only_watched(result: Callable[..., GateResult]) -> None:
    fine = result("cost", "INCONCLUSIVE", value=0.001)
    doubt = result("success_rate", "INCONCLUSIVE", value=0.9)
    text = str(verdicts.gate_table([fine, doubt], interim=True))
    assert text.index("INCONCLUSIVE") < text.index("WATCH")
    assert [one.gate.id for one in scale.failing_first([fine, doubt], True)] == ["success_rate", "cost"]
