"""What a notebook's markup may do in a report: an attached notebook is somebody's."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook_lib.record.confined import confined

VOID = {"br", "col", "hr", "img", "input", "source", "wbr"}
RUNS = {"script", "style", "meta", "base", "link", "iframe", "object", "embed", "form", "title", "body"}
PIECES = re.findall(
    r"\S+",
    "< > </ /> me ta meta <base> <script> </script> scr ipt <!-- --> <![CDATA[ ]]> <? x <div> </div> <div </section> "
    "<section> </main> </body> <p> </p> <details> <table> <td> </td> </table> <svg> </svg> <style> </style> <textarea> "
    "<title> </title> <plaintext> <template> <select> <form> </form> <noscript> <iframe> <b> </b> <a> </a> <h1> </h2> "
    "<math> <frameset> <body> &lt;script> \0 &#60;div> \" ' = onclick=x style=position:fixed content=0;url=x",
)


class _Balanced(HTMLParser):
    """Fails at the first thing that a part of a page may not hold."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not set(tag) & set("<\"'"), tag
        assert tag not in RUNS
        assert not [name for name, _ in attrs if name.startswith("on")]
        assert "position" not in (dict(attrs).get("style") or "")
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment could take in what follows: {data}")

    handle_decl = unknown_decl = handle_pi = handle_comment


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("<me<base>ta http-equiv=refresh content=0>")
@example("<scr<script></script>ipt>1</script>")
@example('<meta http-equiv=refresh content="0;url=x"')
@example("</div></section></main><div style='position:fixed;inset:0'>")
@example("<details><summary>x")
@example("<!-- the rest of the report")
@example("<svg><style><img title='</style><script>1</script>'>")
def test_what_comes_out_is_a_part_of_a_page_whatever_goes_in(markup: str) -> None:
    found = confined(markup)
    parser = _Balanced()
    parser.feed(f"<main>{found}</main>")
    parser.close()
    assert parser.open == [] and confined(found) == found


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<style>.banner {display:none}</style><p>a</p>", "<p>a</p>"),
        ("<p>a<style>@import 'x'", "<p>a</p>"),
        ("a</div></section><b>b", "a<b>b</b>"),
        ("<div hidden><p>rest", "<div hidden><p>rest</p></div>"),
        ("<textarea>rest", ""),
        ("<p style='color:red;position:fixed;top:0'>a", '<p style="color:red;top:0">a</p>'),
        ("<p style='POSITION : absolute'>a", '<p style="">a</p>'),
        (r"<p style='color:red;po\73ition:fixed'>a", '<p style="color:red">a</p>'),
        ("<p style='/**/position:fixed;--drawn:5px'>a", '<p style="--drawn:5px">a</p>'),
        ("<p style='font:&quot;x&quot; 1px'>a", '<p style="font:&quot;x&quot; 1px">a</p>'),
        ("<p onclick=x popover id=b formaction=x>a", '<p id="b">a</p>'),
        ("<a href='java\tscript:x' title=t>a</a>", '<a title="t">a</a>'),
        ("<a href=' javascript:x'>a</a>", "<a>a</a>"),
        ("<img src=//x/y.png alt='a>b'>", '<img data-src="//x/y.png" alt="a&gt;b">'),
        ("<img SRC=' https://x'>", '<img data-src=" https://x">'),
        ("<img src='data:image/png;base64,AA=='>", '<img src="data:image/png;base64,AA==">'),
        ("<button popovertarget=p>go</button><div popover id=p>x</div>", 'go<div id="p">x</div>'),
        (
            "<label for=show-code>go</label><input type=text><input type=checkbox disabled>",
            'go<input type="checkbox" disabled>',
        ),
        ("<p tabindex=5>a</p><p tabindex=0>b</p>", '<p>a</p><p tabindex="0">b</p>'),
        ("a &lt;b&gt; &amp; &nbsp;", "a &lt;b&gt; &amp; \u00a0"),
        (
            "<svg viewBox='0 0 1 1'><path d='M0 0'/><g/></svg>",
            '<svg viewbox="0 0 1 1"><path d="M0 0"></path><g></g></svg>',
        ),
    ],
)
def test_nothing_hides_covers_or_takes_in_what_is_around(markup: str, expected: str) -> None:
    assert confined(markup) == expected


def test_an_id_is_used_once_so_that_a_link_leads_to_what_it_names() -> None:
    seen: set[str] = {"gates"}

    def free(name: str) -> bool:
        return name not in seen and not seen.add(name)

    assert re.findall(r'id="(\w+)"', confined("<p id=gates><p id=own><p id=own>", free)) == ["own"]
