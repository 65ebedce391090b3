"""What is masked in a text is masked in its lines, too: in a list of them, and as they come one by one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, Pieces, redact_lines, redact_text
from runbook_lib.base.redact_data import redact

X = "Zq7vK2" + "mXw9LpR4tB"
W = "pass" + "word"
FORWARD = [
    f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  db: {X}\n",
    f"kind: Secret\nstringData:\n  x: {X}",
    f" user | {W} \n------+----------\n bob  | {X}\n(1 row)",
    f"user,{W}\nada,x\nbob,{X}",
    f"NAME   {W.upper()}\nbob    {X}  ",
    f'users: 1\n{{\n  "credentials": {{\n    "bob": "{X}"\n  }}\n}}',
    f"environment:\n - name: DB_{W.upper()}\n   value: {X}",
    f"{W.title()}:\n{X}",
    f"{W.title()}:\n\n  {X}",
    f'{{"{W}":\n"{X}"}}',
    f"{W}: |\n  first\n  {X}\n  last\nafter: 1",
    f"secrets:\n  db: {X}",
    f"psql \\\n  --{W} \\\n  {X}",
    f"-----BEGIN PRIVATE KEY-----\nabcd{X}\n-----END PRIVATE KEY-----\nafter",
]
BACKWARD = [
    f"data:\n  db: {X}\nkind: Secret\nmetadata:\n  name: db",
    f" - value: {X}\n   name: DB_{W.upper()}",
]
NOISE = "\n".join(f"line {number} of a test that passed" for number in range(30))


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "started\n", f"{NOISE}\n"])
@pytest.mark.parametrize("text", FORWARD + BACKWARD)
def test_lines_are_masked_as_the_text_that_they_are(text: str, before: str) -> None:
    lines = f"{before}{text}\nthe end".split("\n")
    assert X not in redact_text("\n".join(lines))
    for told in (lines, [f"{line}\n" for line in lines]):
        for clean in (redact(told), redact_lines(told), redact({"tail": told})["tail"]):
            assert X not in "".join(clean) and MASK in "".join(clean)
            assert len(clean) == len(lines) and clean[-1].strip() == "the end"
            assert clean[: before.count("\n")] == told[: before.count("\n")]
            assert redact(clean) == clean


@pytest.mark.parametrize("before", ["", f"{NOISE}\n"])
@pytest.mark.parametrize("text", FORWARD)
def test_a_line_is_masked_as_it_comes_with_regard_to_those_before(text: str, before: str) -> None:
    pieces = Pieces()
    told = [pieces(line) for line in f"{before}{text}\nthe end".split("\n")]
    assert X not in "\n".join(told) and MASK in "\n".join(told) and told[-1] == "the end"
    pieces = Pieces()
    assert X not in "".join(pieces(line) for line in f"{before}{text}\n".splitlines(keepends=True))


@pytest.mark.slow
def test_a_long_table_and_a_long_manifest_are_masked_to_their_end() -> None:
    for head, row in ((f" user | {W} ", f" bob{{}}  | {X}"), ("kind: Secret\nstringData:", f"  key{{}}: {X}")):
        pieces = Pieces()
        told = [pieces(line) for line in [*head.split("\n"), *(row.format(number) for number in range(200))]]
        assert X not in "\n".join(told) and "199" in told[-1]


@pytest.mark.parametrize(
    "lines",
    [
        [W, "token", "vpr-jobs-dev"],
        [f"the {W} is required", "12 tests passed", "key=async_success_rate"],
        ["--region", "eu-west-1", "--key", "job_id"],
        [f"Enter {W}", "ok", "done"],
        ["kind: ConfigMap", "data:", "  stage: prod"],
        ["tests/x.py::test_token PASSED", "tests/x.py::test_key1abcdef PASSED"],
        ["user | tokens", "-----+-------", "ada  | 12"],
        ["", "", "x"],
    ],
)
def test_ordinary_lines_stay(lines: list[str]) -> None:
    pieces = Pieces()
    assert redact(lines) == redact_lines(lines) == [pieces(line) for line in lines] == lines


@pytest.mark.slow
@pytest.mark.parametrize("line", ["kind: Secret", f"{W}:", "a | token", "{", f"{W}: |", "plain words", "  a: b"])
def test_the_time_is_linear(line: str) -> None:
    begun = time.process_time()
    pieces = Pieces()
    for _ in range(400):
        pieces(line)
    redact([line] * 2000)
    assert time.process_time() - begun < 3


OPEN = ["--pass", "- --password", "password=", "db_password:", "FERNET_KEY=", "the secret: ", "[the token:"]
OPEN += ["passord\uff1a", "contrasena=", "X-Amz-Signature=", "export DB_PASSWORD=", "'api_key':"]
OPEN += ["the password is ", "login password"]
FORMS = ["mysql -h db -p{}", "docker login -u a -p {} h", "password was '{}'", "redis-cli -a {}", "sshpass -p {} ssh h"]
FORMS += ['"routing_key": "{}"', '{{"SecretAccessKey": "{}"}}', "**Password:** {}", "contrase\u00f1a: {}", "senha = {}"]
FORMS += ["DB_PASSWORD={}", "--token {}", "<td><b>password</b></td><td>{}</td>", "IDENTIFIED BY '{}'", "pwd={}"]


@pytest.mark.parametrize("form", FORMS)
@given(st.sampled_from(OPEN), st.sampled_from(["\n", "\n\n", " \n  "]))
def test_a_line_with_a_form_of_its_own_is_no_value_of_the_name_above(form: str, name: str, between: str) -> None:
    """The name took the first word of the next line, whose own form nothing knew any more."""
    secret = "harbor" + "quartz12"
    shown = redact_text(f"{name}{between}{form.format(secret)}\n")
    assert secret not in shown and MASK in shown
    assert redact_text(shown) == shown


@pytest.mark.parametrize("more", [" token: b", ', "token": "b1c2d3e4"', " --token b1c2d3e4", "; mysql -pb1c2d3e4"])
@pytest.mark.parametrize("name", ["password:", "--password \\", "db_password ="])
def test_a_value_below_its_name_goes_though_others_follow_it(name: str, more: str) -> None:
    secret = "quartz" + "1201"
    assert secret not in redact_text(f"{name}\n  {secret}{more}\n")


def test_a_name_below_an_option_keeps_its_own_value() -> None:
    secret = "harbor" + "quartz"
    shown = redact_text(f"--token\n\nsecrets:\n  name: db\n  db: {secret}\nhost: h\n")
    assert shown == f"--token\n\nsecrets:\n  name: db\n  db: {MASK}\nhost: h\n"


def test_a_key_below_a_name_stays() -> None:
    shown = redact_text('db_password:\n  "routing_key": "' + "harbor" + 'quartz"\n')
    assert shown == f'db_password:\n  "routing_key": "{MASK}"\n'


def test_json_below_the_head_of_a_table_is_no_row() -> None:
    value = "harbor" + "quartz"
    shown = redact_text(f'user,password\n{{"Value": "{value}", "Name": "/prod/db/password"}}')
    assert shown == f'user,password\n{{"Value": "{MASK}", "Name": "/prod/db/password"}}'
