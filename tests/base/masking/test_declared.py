"""A name and its value as tools write them apart; what no name tells stays."""

from __future__ import annotations

import pytest

from runbook_lib.base.redact import MASK, redact_text
from tests.linear import seconds

V = "harbor" + "quartz"
WRITTEN = [
    " │   └─ [~] .{}:\n │       ├─ [-] {v}\n │       └─ [+] {v}x\n",
    "[~] AWS::Lambda::Function W\n └─ [~] .Variables:\n         └─ [~] .{}:\n             └─ [+] {v}",
    "<property>\n  <name>db.{}</name>\n  <value>{v}</value>\n</property>",
    "Variable   Type   Data/Info\n---------------------------\n{}   str    {v}\nn   int    3",
    'variable "{}" {{\n  type    = string\n  default = "{v}"\n}}',
    "Parameters:\n  {}:\n    Type: String\n    Default: {v}\n    NoEcho: false",
    "define('{}', '{v}');",
    "define( '{}',         'a b;&{v}' );",
    'variable "{}" {{\n  validation {{\n    condition = true\n  }}\n  default = "{v}"\n}}',
    'variable "{}" {{\n  default = <<EOF\n{v}\nEOF\n}}',
    "  {}:\n    Type: String\n    # a note\n    AllowedValues:\n      - a\n    Default: '{v}'",
    "proxy_set_header {} {v};",
    "RequestHeader set {} '{v}'",
    "http-request set-header {} {v}",
    "header_up {} {v}",
    '{{"log":"{}:\\n","stream":"stdout"}}\n{{"log":"{v}\\n","stream":"stdout"}}',
    '{{"message": "give {} ="}}\n{{"message": "{v}"}}',
    "{}: p@ss&{v}",
    '--b\nContent-Disposition: form-data; name="{}"\n\n{v}\n--b--',
    '--b\r\nContent-Disposition: form-data; name="{}"\r\nContent-Type: text/plain\r\n\r\n{v} {v}\r\n{v}\r\n--b\r\n',
    "--b\nContent-Disposition: form-data; name={}\n\n{v}",
    'Content-Disposition: form-data; name="user[{}]"; filename="x"\n\n{v}\n--b--',
    r'"--b\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{v}\r\n--b--"',
    r"b'--b\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{v}\r\n--b--\r\n'",
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
        "pulumi config set --stack dev dbThing {v} --secret",
        "pulumi config set dbThing --secret {v}",
        "[smtp]\nhost = h\npass = {v}\nport = 25",
        "  pass = '{v}'",
        'network={{\n ssid="x"\n psk="{v}"\n}}',
        "psk={v}",
        "define('SECURE_AUTH_SALT', 'a b {v}');",
        "define('NONCE_KEY', '{v}');",
    ],
)
def test_what_is_told_by_its_place_alone(text: str) -> None:
    shown = redact_text(text.format(v=V))
    assert V not in shown and MASK in shown


def test_of_a_form_the_other_fields_stay() -> None:
    field = 'Content-Disposition: form-data; name="{}"\n\n{}\n--b\n'
    text = "".join(
        field.format(name, V if name == "API-Key" else f"{name}1 x") for name in ("a", "API-Key", "note", "b")
    )
    assert redact_text(text) == text.replace(V, MASK)
    assert redact_text(text.replace("--b\n", "")) == text.replace("--b\n", "").replace(V, MASK)


@pytest.mark.slow
@pytest.mark.parametrize(
    "chain",
    [
        'form-data; name="a"\n\n',
        'form-data; name="token"\n\n',
        "[~] a:\n",
        "variable ",
        "<name>a</name>",
        "a:\n ",
        "a str ",
        "define('a',",
        "config set ",
        'variable "a" {',
        "a header x y ",
        "pass = ",
        '{"a": "token:"}\n',
        "token:\n",
        "--token\n",
        "a:\n Default: ",
    ],
)
def test_the_time_is_linear(chain: str) -> None:
    part = "default: <value> ─ [+] " + chain
    assert seconds(redact_text, part, len(part) * (40_000 // len(chain) // 4)) < 4


@pytest.mark.parametrize(
    "text",
    [
        "the header X-Api-Key was refused",
        "missing header X-Auth-Token required",
        "proxy_set_header X-Api-Key $http_x_api_key;",
        "http-request set-header X-Api-Key %[req.hdr(x)]",
        "table header Token Count",
        "pass = fail",
        "password =\nuser = ada\nhost = h",
        '{"log":"Enter password:\\n"}\n{"log":""}',
        "the test must pass = or fail",
        "pass = true\npass = 3/4\npsk = none",
        "Parameters:\n  Level:\n    Default: info\nSecrets:\n  Level:\n    Default: info",
        "pulumi config set region eu-west-1",
        "key_mgmt=WPA-PSK",
        '{"msg": "password:"}\n{"level": "info", "msg": ""}',
        '{"msg": "password:"}\n{"msg": "is set"',
    ],
)
def test_what_only_looks_so_stays(text: str) -> None:
    assert redact_text(text) == text
