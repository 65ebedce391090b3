"""A secret in a text that is written within another is found, in whatever way the outer one writes it."""

from __future__ import annotations

import csv
import html
import io
import json
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runbook_lib.base import foreign
from runbook_lib.base.redact import MASK, redact_text
from tests.secrets import SECRETS


def _csv(fields: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(fields)
    return out.getvalue()


WAYS: dict[str, Callable[[str], str]] = {
    "html": html.escape,
    "html, quotes as they are": lambda text: f"<pre>a &lt;b&gt;\n{html.escape(text, quote=False)}</pre>",
    "html, the value of an attribute": lambda text: f'<a data-x="&amp;\n{html.escape(text)}">a</a>',
    "json": lambda text: json.dumps({"stdout": f'one\n{text}\ntwo "three"'}),
    "json, every letter": lambda text: json.dumps({"stdout": f"one\n{text}"}, ensure_ascii=False),
    "json in json": lambda text: json.dumps(json.dumps({"stdout": f"one\n{text}"})),
    "json in html": lambda text: html.escape(json.dumps({"stdout": f"one\n{text}"})),
    "html in json": lambda text: json.dumps({"data": f"<p>{html.escape(text)}</p>"}),
    "python": lambda text: repr({"stdout": f"one\n{text}"}),
    "python, three quotes": lambda text: f"reason = '''{text}'''",
    "an address": lambda text: f"GET /cb?state={quote(text, safe='')}&x=1 302",
    "json in an address": lambda text: f"GET /cb?q={quote(json.dumps({'t': f'one{chr(10)}{text}'}), safe='')} 403",
    "an address in json": lambda text: json.dumps({"url": f"/x?q={quote(text, safe='')}"}),
    "an address in an address": lambda text: quote(f"/x?q={quote(text, safe='')}"),
    "a cell of csv": lambda text: _csv(["1", f'{text}\n""', "a"]),
    "json in a cell of csv": lambda text: f"n,body\n{_csv(['1', json.dumps({'stdout': text})])}\n2,b\n",
    "a part of such a cell": lambda text: json.dumps({"stdout": text}).replace('"', '""'),
    "such a cell in json": lambda text: json.dumps({"x": _csv(["1", json.dumps({"stdout": text})])}),
    "bytes": lambda text: repr(f"one\n{text}".encode()),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SECRETS)
@settings(max_examples=max(2, settings.default.max_examples // 50))
@given(data=st.data())
def test_a_secret_within_a_text_is_found_however_it_is_written(kind: str, data: Any) -> None:
    text, secret = data.draw(SECRETS[kind])
    kept = []
    for way, write in WAYS.items():
        shown = redact_text(write(text))
        kept += [way] if secret in shown else []
        assert redact_text(shown) == shown, way
    assert kept == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", SECRETS)
@settings(max_examples=2)
@given(data=st.data())
def test_no_secret_hides_behind_the_escapes_of_markdown(kind: str, data: Any) -> None:
    text, secret = data.draw(SECRETS[kind])
    assert secret not in foreign.markdown(text)


@settings(max_examples=max(25, settings.default.max_examples // 4))
@given(data=st.data(), kinds=st.lists(st.sampled_from(sorted(SECRETS)), min_size=2, max_size=4, unique=True))
def test_several_secrets_in_one_text_are_found(data: Any, kinds: list[str]) -> None:
    drawn = [data.draw(SECRETS[kind]) for kind in kinds]
    text = "\n".join(one for one, _ in drawn)
    plain = redact_text(text)
    found = [secret for _, secret in drawn if secret not in plain]
    for way, write in WAYS.items():
        shown = redact_text(write(text))
        assert [secret for secret in found if secret in shown] == [], way


@pytest.mark.parametrize("kind", ["access key", "code host", "password", "password in a table", "chinese", "csv"])
@settings(max_examples=5)
@given(data=st.data())
def test_breaks_in_a_line_without_quotes_are_breaks(kind: str, data: Any) -> None:
    text, secret = data.draw(SECRETS[kind])
    assert secret not in redact_text(f"ERROR one\\n{json.dumps(text)[1:-1]}\\ntwo")


@pytest.mark.parametrize("way", WAYS)
def test_what_is_written_around_a_secret_stays_readable(way: str) -> None:
    text = "na\u00efve <b> & 'a'\npass" + "word=Qhunter2q\n\tend"
    shown = redact_text(WAYS[way](text))
    due = WAYS[way](text.replace("Qhunter2q", MASK))
    for mask in (quote(quote(MASK)), quote(MASK)):
        due = due.replace(mask, MASK)
    assert shown == due


def test_a_text_that_only_looks_like_a_programs_is_read_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in (r"'\e[a-z]\n'", r"b'\777\n'", r"'\x1'", r'"\q\n"', "b'\u00e9\\n'", "'" + "[" * 300 + "\\n'"):
            assert redact_text(text) == text


X = "Tr0ub4dor"


@pytest.mark.parametrize(
    "text",
    [
        "https://x/y?a=1&pass{}word={}",
        "user=bob&api_{}key={}&x=1",
        "https://x/?z=1%202&b=%26c&#dbPass{}word={}&c=%26%26",
        "GET /x?access_{}token={}&b=%3Cb%3E HTTP/1.1",
    ],
)
def test_what_is_encoded_in_a_value_of_an_address_is_a_part_of_it_and_the_rest_stays(text: str) -> None:
    due = text.format("", MASK)
    for sign in ("&", ";", "#", "?", "=", " ", '"', "'", "<", ">", ",", "\\", "\n", "%", "%26", "/"):
        for value in (f"{X}{sign}3AVbIqz", f"{X}{sign}3AV{sign}bIqz"):
            assert redact_text(text.format("", quote(value, safe=""))) == due, sign


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), st.sampled_from("&;"))
@example("000:", "&")  # its first part looks drawn by itself
def test_a_value_of_an_address_goes_whole_whatever_it_is(more: str, between: str) -> None:
    value = quote(f"{X}{more}3AVbIqz", safe="")
    assert redact_text(f"a=%262{between}pass" + f"word={value}{between}x=1") == (
        f"a=%262{between}pass" + f"word={MASK}{between}x=1"
    )


def test_an_address_within_an_address_has_its_own_separators() -> None:
    for value in (f"/x?pass{'word'}={X}&n=1", f"/x?n=1&api_{'key'}={X}"):
        shown = redact_text(f"/login?next={quote(value, safe='')}&a=1")
        assert X not in shown and shown.endswith("&a=1") and "n%3D1" in shown
