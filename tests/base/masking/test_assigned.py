"""A line that holds a name and one word: the word goes whole, with every sign in it. A telling name with another
word behind it, and a value that looks drawn or does not.
"""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook_lib.base.masking.assigned import suffixed
from runbook_lib.base.redact import MASK, redact_text
from runbook_lib.base.redact_data import redact

W = "pass" + "word"
SIGNS = "".join(sorted(set(string.punctuation) - set("\\")))
DRAWN = st.tuples(
    st.sampled_from(string.ascii_letters),
    st.text(string.ascii_letters + string.digits + SIGNS, min_size=12, max_size=30).filter(
        lambda text: not any(sign in text for sign in ("</", "/>", "://", "=", "[", "(", "{"))
    ),
).map(lambda one: f"{one[0]}3{one[1]}x7")
LINES = (
    "DB_{W}={}",
    "PATH=/bin\nexport DB_{W}={}\nHOME=/root",
    "{W}: {}",
    "host: h\n  db_{W}: {}\nport: 1",
    "spring.datasource.{W} = {}",
)


@pytest.mark.parametrize("line", LINES)
@given(secret=DRAWN)
@example(secret="a3::add-mask::x7")
def test_the_word_goes_whole(line: str, secret: str) -> None:
    assert redact_text(line.replace("{W}", W).format(secret)) == line.replace("{W}", W).format(MASK)


@pytest.mark.parametrize(
    "text",
    [
        f"DB_{W}=Tr0ub4dor&3xKq9Z",
        f"{W}: Ab3dEf(9kLmN7qR",
        f"{W}: $3dEf9kLmN7qR",
        "mysql -u b -p'Ab3dEf&9kLmN7qR' db",
        f"{W.title()} for ada: Tr0ub4dor'3xKq9Z",
        f"app --{W} Tr0ub4dor'3xKq9Z -v",
    ],
)
def test_no_part_of_it_stays(text: str) -> None:
    shown = redact_text(text)
    assert MASK in shown and not any(part in shown for part in ("3xKq", "9kLm", "Tr0", "3dEf"))


@pytest.mark.parametrize(
    "text",
    [
        f"{W} = getpass.getpass('{W.title()}:')",
        f'{W} = config["{W}"]',
        f"{W} = get_{W}(",
        f"{W}: ${{DB_{W.upper()}}}",
        f"{W}: $DB_{W.upper()}",
        f"{W}: <your-{W}-1>",
        f"{W}: {{{{{W}_2}}}}",
    ],
)
def test_a_programs_line_and_a_placeholder_stay(text: str) -> None:
    assert redact_text(text) == text


def test_a_form_and_a_tag_have_their_own_ends() -> None:
    assert redact_text(f"{W}=Tr0ub4dor3&user=bob") == f"{W}={MASK}&user=bob"
    assert redact_text(f"{W}: Tr0ub4dor3</p>") == f"{W}: {MASK}</p>"


DRAWN = "Zx9mQw27" + "LkPt3R"


@pytest.mark.parametrize("name", ["DB_PASSWORD_ORDERS", "apiKeyAcme", "TOKEN_PARTNER_X", "client_secret_of_billing"])
def test_a_drawn_value_goes_and_a_word_stays(name: str) -> None:
    assert suffixed(name, DRAWN)
    assert redact({name: DRAWN}) == {name: MASK}
    for text in ("{}={}", "{}: '{}'", '{{"{}": "{}"}}', "-e {}={} -v"):
        assert redact_text(text.format(name, DRAWN)) == text.format(name, MASK)
        for plain in ("orders", "orders-db-2026", "20261130T054251.830Z-9a76c91d7971", "12.5", "arn:aws:s3:::a-B1c2D3"):
            assert redact_text(text.format(name, plain)) == text.format(name, plain)
            assert redact({name: plain}) == {name: plain}
