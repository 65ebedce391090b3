"""Text of others comes out of each medium as it went in, and as text."""

from __future__ import annotations

import ast
import html
import json
import os
import re
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path

import mistune
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from runbook_lib.base import foreign
from runbook_lib.base.foreign import one_line
from runbook_lib.show.page import within
from tests.secrets import BREAKS, BY_LINES

MARKUP = r"[/x] [bold] [link=a] \\ ` ``` <img/src=x/onerror=y> </td> &lt; &amp; &#60; | ~~ ** __ _ $x$ <!-- --- ===|"
MORE = "[a](javascript:b)|![a](b)|a_b|[x]:/y|<script>|http://a.b/|:-|*|1.|# |- |1. |> |+ |2) |\n|\r|\t"
STEERING = ["\x1b[2J", "\x1b]0;x\x07", "\u202e", "\x9b1m"]
LIVE = (
    r"${A_B} $5 $$ \( \) \[ \] \$ \\ \begin{a} \end{a} \ref{x} @octocat @acme/x a@b.invalid #12 acme/x#3 GH-7 :rocket: "
    r":+1: :100: :8ball: http://evil.invalid https://evil.invalid ftp://a.b www.evil.invalid "
    r"WWW.evil.invalid @@0@@ arn:aws:x::1:r"
)
PIECES = [*MARKUP.split(), *MORE.split("|"), *STEERING]


def texts(pieces: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces) | st.text(st.characters(), max_size=6), max_size=8).map("".join)


TEXT, ALIVE_TEXT = texts(PIECES), texts(PIECES + LIVE.split())
RENDER = mistune.create_markdown(
    escape=False, plugins=["table", "strikethrough", "task_lists", "footnotes", "math", "url"]
)
# What JupyterLab (MathJax) and GitHub look for in each text between two tags, after Markdown was read.
ALIVE = re.compile(
    r"\$|\\[(\[\\]|\\begin|\\(?:eq)?ref|@\w|#[0-9]|\bGH-[0-9]|://|www\.|"
    r":(?:[A-Za-z_+-][\w+-]*|[0-9]+[A-Za-z_]\w*|100|1234):",
    re.I,
)


def seen(text: str) -> str:
    return " ".join(text.split())


@given(TEXT)
def test_a_terminal_is_not_steered(text: str) -> None:
    shown = foreign.terminal(text)
    assert not re.search("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]", shown)
    shown.encode()
    assert foreign.terminal(shown) == shown
    assert not set("\t\n\r\x85\u2028") & set(foreign.field(text))


HIDDEN = ["\u3164", "\u115f", "\u034f", "\ufe0f", "\u200b", "\x1b[31m", "\x1b]8;;x\x07", "\x85", "\u2028"]
BLANK = [" ", "\t", "\n", "\r\n", "\u00a0", "\u2800", "\u3000"]
SIGNS = [*"=+-@\uff1d\uff0b\uff0d\uff20", "a"]


@given(
    st.lists(st.sampled_from(HIDDEN + BLANK), max_size=3).map("".join),
    st.sampled_from(SIGNS),
    TEXT,
)
def test_a_cell_of_csv_steers_nothing_and_is_no_formula(before: str, sign: str, text: str) -> None:
    """A note with an escape, a link and U+202E lay in people.csv as it was typed."""
    for told in (f"{before}{sign}{text}", text):
        shown = foreign.cell(told)
        assert len(shown.splitlines()) <= 1 and shown.removeprefix("'") == foreign.terminal(shown.removeprefix("'"))
        seen = unicodedata.normalize("NFKC", shown).lstrip(" \t\u2800")
        assert not seen.startswith(("=", "+", "-", "@"))
        assert foreign.cell("plain; text") == "plain; text"


@given(TEXT)
def test_a_name_stays_on_its_line_and_loses_nothing_else(text: str) -> None:
    shown = foreign.line(text)
    assert len(shown.splitlines()) <= 1 and "\t" not in shown
    assert shown == foreign.terminal(text).replace("\n", "\\n").replace("\t", "\\t")


@given(TEXT)
def test_html_reads_it_as_text(text: str) -> None:
    shown = foreign.html(text)
    assert not set("<>\"'") & set(shown)
    assert html.unescape(shown) == foreign.terminal(text)


@given(ALIVE_TEXT)
@example("1. a\n2. b")
@example("\\\\`<b>`")
@example("&")
def test_markdown_reads_it_as_text(text: str) -> None:
    shown, plain = foreign.markdown(text), foreign.field(text)
    assert "\n" not in shown
    for page in (shown, str(within(shown))):
        drawn = RENDER(f"{page}\n").strip()
        assert drawn in ("", f"<p>{drawn[3:-4]}</p>")
        assert read(drawn[3:-4]) == plain
    table = RENDER(f"| A | B |\n|---|---|\n| x | {shown} |\n")
    cells = re.findall("<td>(.*?)</td>", table, re.S)
    assert (len(cells), read(cells[1])) == (2, plain)


def read(markup: str) -> str:
    """The text of a line's markup, which has no tag but those around single signs, and nothing alive between two."""
    parts = re.split("</?span>", markup)
    for place, part in enumerate(parts):
        assert "<" not in part, "another tag"
        text = html.unescape(part)
        assert len(text) == 1 if place % 2 else not ALIVE.search(text)
    return seen(html.unescape("".join(parts)))


@given(ALIVE_TEXT)
def test_no_formula_begins_in_the_source_of_markdown(text: str) -> None:
    """JupyterLab takes formulas out of the source before it reads Markdown."""
    assert not re.search(r"\$|\\\\|\\(?:begin|end)|@@[0-9]+@@", foreign.markdown(text))


@given(ALIVE_TEXT)
@example("04:01:30 and 2026-11-09T04:01:30Z, 06: #, 5 % @ prod, a.b")
def test_what_is_alive_nowhere_is_spelt_as_it_is(text: str) -> None:
    if not re.search(r"[$\\@#<>&:]|www\.|GH-", foreign.field(text), re.I):
        assert "<span>" not in foreign.markdown(text)
    assert "<span>" not in foreign.markdown("04:01:30 and 2026-11-09T04:01:30Z, 06: #, 5 % @ prod, a.b")


@given(TEXT)
def test_rich_reads_it_as_text(text: str) -> None:
    console = Console(width=10_000, color_system=None, force_terminal=False)
    with console.capture() as taken:
        console.print(foreign.markup(foreign.field(text)), emoji=False, highlight=False)
    assert taken.get().rstrip("\n").rstrip() == foreign.field(text).rstrip()


@given(st.lists(st.sampled_from(["\\", "[", "]", "b", "/", "#1", " ", "1"]), max_size=12).map("".join))
def test_rich_reads_backslashes_and_brackets_as_they_are(text: str) -> None:
    console = Console(width=10_000, color_system=None, force_terminal=False)
    with console.capture() as taken:
        console.print(foreign.markup(text), emoji=False, highlight=False, soft_wrap=True)
    assert taken.get().removesuffix("\n") == text


TURNS = "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"


@pytest.mark.parametrize("medium", [foreign.terminal, foreign.field, foreign.html, foreign.markdown, foreign.markup])
@given(st.lists(st.sampled_from([*TURNS, "a", " ", "<", "*"]), min_size=1).map("".join))
def test_what_turns_or_hides_text_is_shown_in_every_medium(medium: Callable[[object], str], text: str) -> None:
    assert not set(medium(text)) & set(TURNS)


# Default_Ignorable_Code_Point of Unicode, which is not in unicodedata.
IGNORED = (
    "00AD 034F 061C 115F-1160 17B4-17B5 180B-180F 200B-200F 202A-202E 2060-206F 3164 FE00-FE0F FEFF FFA0 FFF0-FFF8 "
    "1BCA0-1BCA3 1D173-1D17A E0000-E0FFF"
)
UNSEEN = sorted(
    {chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf"}
    | {
        chr(n)
        for part in IGNORED.split()
        for n in range(int(part[:5].strip("-"), 16), int(part.split("-")[-1], 16) + 1)
    }
)
EMOJI = [
    "\u2764\ufe0f",
    "\u2764\ufe0f\u200d\U0001f525",
    "\U0001f469\u200d\U0001f4bb",
    "1\ufe0f\u20e3",
    "\u0645\u06cc\u200c\u062e",
]


@pytest.mark.parametrize("medium", [foreign.terminal, foreign.field, foreign.line, foreign.html, foreign.markdown])
@given(
    st.lists(st.sampled_from(UNSEEN), min_size=1, max_size=4).map("".join), st.sampled_from(["", "a", "1", " ", "\n"])
)
def test_no_text_is_hidden_in_signs_that_draw_nothing(
    medium: Callable[[object], str], hidden: str, beside: str
) -> None:
    for text in (f"{beside}{hidden}", f"{hidden}{beside}", f"a{hidden}b"):
        assert not set(medium(text)) & set(UNSEEN)


@pytest.mark.slow
@pytest.mark.parametrize("medium", [foreign.one_line, foreign.word])
def test_all_of_them_are_known(medium: Callable[[object], str]) -> None:
    for sign in UNSEEN:
        assert sign not in medium(f"a{sign}b") and sign not in foreign.terminal(f"a{sign}b"), hex(ord(sign))
    assert foreign.terminal("a\U000e0041b") == "a\\U000e0041b"


@pytest.mark.parametrize("text", EMOJI)
def test_an_emoji_and_a_word_keep_what_holds_them_together(text: str) -> None:
    assert foreign.terminal(f"a {text} b") == f"a {text} b" == foreign.html(f"a {text} b")
    for more in ("\ufe0f\ufe0f", "\u200d\u200d"):
        assert foreign.terminal(text + more).endswith(("\\ufe0f", "\\u200d"))


@given(st.recursive(TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)))
def test_data_in_a_script_is_what_it_was_with_all_signs_seen(value: object) -> None:
    def shown(one: object) -> object:
        if isinstance(one, dict):
            return {foreign.terminal(name): shown(each) for name, each in one.items()}
        return [shown(each) for each in one] if isinstance(one, list) else foreign.terminal(one)

    text = foreign.embedded(value)
    assert json.loads(text) == shown(value) and "<" not in text
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", text)


def test_a_report_shows_what_turns_text_wherever_it_was_written() -> None:
    from runbook_lib.record.report import environment
    from runbook_lib.show.page import line

    assert "\u202e" not in line("a\u202eb")._repr_html_()
    made = environment().from_string("{{ a }}{{ b|inline }}").render(a="<a\u202e>", b="b\u202e")
    assert made.startswith("&lt;a\\u202e&gt;")


@pytest.mark.parametrize("text", ["", "a sentence", "word " * 399])
def test_a_sentence_is_told_as_it_is(text: str) -> None:
    assert foreign.told(text) == text


@pytest.mark.parametrize("text", ["z" * 5_000_000, "word " * 1_000_000, "line\n" * 100_000])
def test_of_megabytes_the_ends_are_told(text: str) -> None:
    said = foreign.told(f"first {text} last")
    assert said.startswith("first ") and said.endswith(" last") and "characters)" in said
    assert len(said) < 2100


@pytest.mark.parametrize("behind", ["", " more" * 10, " more" * 1_000])
def test_the_beginning_of_a_text_has_no_half_of_a_secret(behind: str) -> None:
    token = "ghp_" + "aB3dE6gH9j" * 3 + "aB3dE6"
    for before in range(150, 201):
        found = foreign.head("-" * before + f" {token}{behind}", 200)
        assert len(found) <= 200 and "ghp_" not in found and found.startswith("-" * before)
    torn = foreign.head(f"password={'x' * 1_900} {f'{token} ' * 2_000}", 200)
    assert "aB3dE6" not in torn
    assert foreign.head("short", 200) == "short" and foreign.head("long " * 1_000, 200) == ("long " * 40)


@given(TEXT)
@example("<!channel> <@U1> <http://a.b|ok> <a href=x>ok</a> [ok](http://a.b)")
def test_a_message_mentions_nobody_and_hides_no_address(text: str) -> None:
    shown = foreign.message(text)
    assert not re.search(r"<[!@#A-Za-z/]|\]\(", shown)
    assert shown.replace(" ", "") == foreign.terminal(text).replace(" ", "")


@pytest.mark.slow
@pytest.mark.parametrize("kind", BY_LINES)
@pytest.mark.parametrize("medium", [foreign.one_line, foreign.field, foreign.short, foreign.told, foreign.markdown])
@settings(max_examples=5)  # a text each, in all its breaks and fronts
@given(data=st.data())
def test_what_its_lines_show_is_masked_before_they_are_joined(
    medium: Callable[[str], str], kind: str, data: st.DataObject
) -> None:
    text, secret = data.draw(BY_LINES[kind])
    for end in BREAKS.values():
        for before in (f"bad file:{end}", "bad file: ", "AppError: bad file x.yaml: "):
            assert secret not in medium(f"{before}{text.replace(chr(10), end)}")


@pytest.mark.parametrize("medium", [foreign.one_line, foreign.short, foreign.told])
def test_what_is_cut_was_masked_before(medium: Callable[[str], str]) -> None:
    drawn = "aB3dE6gH9j" * 60
    for before in range(200, 320, 7):
        for secret in (f"ghp_{drawn[:36]}", f"sk-ant-{drawn}", f"password={drawn}"):
            assert "aB3" not in medium("-" * before + f" {secret} end")


def test_a_title_of_a_page_is_masked_and_cut() -> None:
    said = foreign.one_line(f"bad: <html><title>password={'zebra7' * 60} was wrong</title>")
    assert said == "bad: a web page (password=[redacted] was wrong)"


@given(
    st.text(min_size=1).filter(lambda text: "\0" not in text)
    | st.binary(min_size=1).filter(lambda raw: b"\0" not in raw).map(os.fsdecode)
)
@example('it\'s "q" $HOME `id`')
@example("a\nb\t\x1b[2J\u202e'\\")
@example(os.fsdecode(b"\xff\xfeA1"))
@settings(max_examples=30, deadline=None)
def test_a_name_in_a_command_that_is_pasted_is_one_word_and_the_same(text: str) -> None:
    try:
        raw = os.fsencode(text)
    except UnicodeEncodeError:  # half a character: no name of a file
        return
    spelt = foreign.word(text)
    assert spelt.isprintable(), "on one line, and nothing that steers a terminal"
    got = subprocess.run(["bash", "-c", f"printf %s {spelt}"], capture_output=True, check=True).stdout
    assert got == raw


def test_of_an_error_of_a_file_pythons_number_is_not_told() -> None:
    assert one_line(PermissionError(13, "Permission denied", "a/b")) == "Permission denied: 'a/b'"
    assert one_line("[Errno 13] of another program") == "[Errno 13] of another program"


@pytest.mark.slow
def test_text_is_escaped_for_html_here_alone() -> None:
    """But where secrets are looked for in HTML, and a notebook's own markup is read and written again."""
    own, found = Path(foreign.__file__).parents[1], set()
    for file in sorted(own.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            called = isinstance(node, ast.Attribute) and node.attr == "escape" and ast.unparse(node.value) != "re"
            named = isinstance(node, ast.ImportFrom) and node.module in ("html", "xml.sax.saxutils")
            if called or (named and any(one.name == "escape" for one in node.names)):
                found.add(file.relative_to(own).as_posix())
    assert {one for one in found if not one.startswith("base/masking/")} == {"base/foreign.py", "record/confined.py"}
