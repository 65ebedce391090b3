"""A name and its value as tools write them apart; what no name tells stays."""

from __future__ import annotations

import time

import pytest

from runbook_lib.base.redact import MASK, redact_text

V = "harbor" + "quartz"
WRITTEN = [
    " │   └─ [~] .{}:\n │       ├─ [-] {v}\n │       └─ [+] {v}x\n",
    "[~] AWS::Lambda::Function W\n └─ [~] .Variables:\n         └─ [~] .{}:\n             └─ [+] {v}",
    "<property>\n  <name>db.{}</name>\n  <value>{v}</value>\n</property>",
    "Variable   Type   Data/Info\n---------------------------\n{}   str    {v}\nn   int    3",
    'variable "{}" {{\n  type    = string\n  default = "{v}"\n}}',
    "Parameters:\n  {}:\n    Type: String\n    Default: {v}\n    NoEcho: false",
    "define('{}', '{v}');",
]


@pytest.mark.parametrize("text", WRITTEN)
@pytest.mark.parametrize("name", ["DB_PASSWORD", "dbPassword", "api_secret"])
def test_a_value_goes_whose_name_tells(text: str, name: str) -> None:
    shown = redact_text(text.format(name, v=V))
    assert V not in shown and MASK in shown and name in shown
    assert redact_text(shown) == shown


@pytest.mark.parametrize("text", WRITTEN)
def test_a_value_stays_whose_name_tells_nothing(text: str) -> None:
    plain = text.format("LOG_LEVEL", v=V)
    assert redact_text(plain) == plain


@pytest.mark.parametrize(
    "text",
    [
        "dial tcp: app:{v}@tcp(db:3306)/orders",
        "PARAMETER\tarn\t2026\t/orders/x\tSecureString\t{v}\t1",
        "pulumi config set --secret dbThing {v}",
    ],
)
def test_what_is_told_by_its_place_alone(text: str) -> None:
    shown = redact_text(text.format(v=V))
    assert V not in shown and MASK in shown


@pytest.mark.parametrize(
    "chain", ["[~] a:\n", "variable ", "<name>a</name>", "a:\n ", "a str ", "define('a',", "config set "]
)
def test_the_time_is_linear(chain: str) -> None:
    begun = time.process_time()
    redact_text(("default: <value> ─ [+] " + chain) * (40_000 // len(chain) // 4))
    assert time.process_time() - begun < 4
