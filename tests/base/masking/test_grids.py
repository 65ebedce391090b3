"""Tables of names and values, against a truth, in every way in which programs write them."""

from __future__ import annotations

import json
import re
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, redact_text
from tests.linear import grows


def _markdown(frame: pd.DataFrame) -> str:
    rows = [list(frame.columns), ["---"] * len(frame.columns), *frame.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def _drawn(frame: pd.DataFrame, *, sign: str = "|", rule: str = "-", cross: str = "+", between: bool = False) -> str:
    rows = [list(map(str, row)) for row in (frame.columns, *frame.to_numpy().tolist())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ruled = cross + cross.join(rule * (width + 2) for width in widths) + cross
    lines = [f"{sign} {f' {sign} '.join(map(str.ljust, row, widths))} {sign}" for row in rows]
    return "\n".join([ruled, lines[0], ruled, *(f"{line}\n{ruled}" if between else line for line in lines[1:]), ruled])


def _to_the_left(frame: pd.DataFrame) -> str:
    rows = [list(map(str, row)) for row in (frame.columns, *frame.to_numpy().tolist())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _record(frame: pd.DataFrame) -> str:
    width = max(map(len, frame.columns))
    row = "\n".join(f"{name.ljust(width)} | {value}" for name, value in frame.iloc[0].items())
    return f"-[ RECORD 1 ]{'-' * width}\n{row}"


WAYS = {
    "as text": lambda frame: frame.to_string(),
    "as text, without an index": lambda frame: frame.to_string(index=False),
    "turned": lambda frame: frame.T.to_string(),
    "a row": lambda frame: str(frame.iloc[0]),
    "html": pd.DataFrame.to_html,
    "html, turned": lambda frame: frame.T.to_html(),
    "csv": pd.DataFrame.to_csv,
    "csv, without an index": lambda frame: frame.to_csv(index=False),
    "csv, semicolons": lambda frame: frame.to_csv(index=False, sep=";"),
    "tabs": lambda frame: frame.to_csv(index=False, sep="\t"),
    "records": lambda frame: repr(frame.to_dict("records")),
    "records in json": lambda frame: frame.to_json(orient="records"),
    "split": lambda frame: frame.to_json(orient="split"),
    "split, in lines": lambda frame: json.dumps(frame.to_dict("split"), indent=2),
    "lists": lambda frame: repr(frame.to_dict("list")),
    "mappings": lambda frame: repr(frame.to_dict()),
    "columns in json": pd.DataFrame.to_json,
    "markdown": _markdown,
    "psql": lambda frame: _drawn(frame)[:-1],
    "a grid": lambda frame: _drawn(frame, between=True),
    "rich": lambda frame: _drawn(frame, sign="│", rule="─", cross="┼"),
    "to the left": _to_the_left,
    "a record of psql": _record,
}
TURNED = ("a row", "turned", "html, turned", "a record of psql")
SECRET_NAMES = ["DB_PASSWORD", "/orders/db_password", "prod/api-key", "DbPassword", "db_password"]
OTHER_NAMES = ["LOG_LEVEL", "/orders/host", "prod/region", "DbHost", "pool_size"]
NAMES = ["Name", "name", "key", "Key", "ParameterKey", "parameter", "setting", "variable"]
VALUES = [
    *(("Value",), ("value",), ("ParameterValue",), ("value", "default"), ("before", "after")),
    *(("declared", "actual"), ("old_value", "new_value")),
]
OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "Type": st.sampled_from(["String", "StringList", "SecureString", "PLAINTEXT"]),
    "Version": st.integers(1, 40),
    "UsePreviousValue": st.booleans(),
    "LastModifiedDate": st.sampled_from(["2026-11-30", "2026-11-30T04:05:06Z"]),
    "description": st.sampled_from(["the-orders", "of-the-team"]),
    "env": st.sampled_from(["prod", "staging"]),
}
WORD = st.from_regex(r"v[a-z]{4,9}(?:-[a-z]{3,9}|[0-9]{2}|)", fullmatch=True)


@st.composite
def frames(draw: Any) -> tuple[pd.DataFrame, list[str], list[str]]:
    """A table, its secrets and its innocent cells."""
    name, values = draw(st.sampled_from(NAMES)), draw(st.sampled_from(VALUES))
    others = draw(st.lists(st.sampled_from(sorted(OTHERS)), max_size=3, unique=True))
    rows, secrets, innocent = list[dict[str, Any]](), list[str](), [name, *values, *others]
    for number in range(draw(st.integers(1, 4))):
        secret = number == 0 or draw(st.booleans())
        row = {other: draw(OTHERS[other]) for other in others}
        row |= {name: draw(st.sampled_from(SECRET_NAMES if secret else OTHER_NAMES))}
        row |= {"Type": "SecureString" if secret else "String"} if "Type" in others else {}
        cells = {value: f"{'s' if secret else 'u'}{draw(WORD)}{number}{at}" for at, value in enumerate(values)}
        (secrets if secret else innocent).extend(cells.values())
        innocent += [str(cell) for cell in row.values()]
        rows.append(row | cells)
    order = draw(st.permutations([name, *values, *others]))
    return pd.DataFrame(rows, dtype=object)[list(order)], secrets, innocent


def _has(text: str, word: str) -> bool:
    return re.search(rf"(?<![\w./-]){re.escape(word)}(?![\w./-])", text) is not None


@pytest.mark.parametrize("way", WAYS)
@given(frames())
def test_of_a_table_of_names_and_values_the_secrets_go_and_the_rest_stays(way: str, drawn: Any) -> None:
    frame, secrets, innocent = drawn
    if way in TURNED:  # a name below its value is read as a header, too: more is masked than has to be
        frame = frame[sorted(frame.columns, key=lambda name: name not in NAMES)]
    if way == "tabs" and "Type" in frame:  # as AWS writes text, a value is behind this word
        frame = frame.replace("SecureString", "String")
    text = WAYS[way](frame)
    shown = redact_text(text)
    assert not [one for one in secrets if one in shown], f"{text}\n{shown}"
    bare = shown.replace("\\/", "/")
    assert not [one for one in innocent if _has(text.replace("\\/", "/"), one) and not _has(bare, one)], (
        f"{text}\n{shown}"
    )
    assert redact_text(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        '["password", "user", "host"]',
        "user;password;address2\nuser|password|address2",
        "r'(?:pass|password|psk)'",
        "2026-11-30T14:00:00.123Z\t3fa85f64-5717-4562-b3fc-2c963f66afa6\tINFO\tno password\n",
        '{"name": "api_key", "in": "header", "type": "apiKey"}',
        "def f(\n    name, value,\n    password, length,\n): ...\n",
    ],
)
def test_what_is_no_table_of_secrets_stays(text: str) -> None:
    assert redact_text(text) == text


def test_lists_of_names_and_values_without_a_header_lose_what_looks_drawn() -> None:
    shown = redact_text("[['DB_PASSWORD', 'prod', 'swordfish72'], ['HOST', 'prod', 'db']]")
    assert shown == f"[['DB_PASSWORD', 'prod', '{MASK}'], ['HOST', 'prod', 'db']]"


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [
        "name value token\n",
        "a,name,value\n1,token,x\n",
        "| token | a |\n",
        "['token', 'b'], ",
        "<a>token</a>",
        "<tr><td>token",
    ],
)
def test_it_takes_time_in_proportion_to_the_text(part: str) -> None:
    assert grows(redact_text, part, 400 * len(part), 10, 0.02) < 40
