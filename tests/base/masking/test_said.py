"""Secrets that stand where no assignment is: in sentences, prompts, errors, statements, manifests, jars, files."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base import redact as room
from runbook_lib.base.redact import MASK, redact_text
from runbook_lib.base.redact_data import redact
from tests.linear import seconds

X = "zq3" + "vkw9tlb2m"
"""Of one case: by its looks alone it is not masked."""
DRAWN = "Zq3" + "vKw9tLb2m"
AWS = "wJalrX" + "k3v/T9mB+q2Lz8" * 2 + "AbCdEf"
PACKED = base64.b64encode(f"ada:{X}".encode()).decode()
W = "pass" + "word"

TOLD = {
    "sentence": [
        f"login with {W} {X} failed",
        f"The {W} {X} was rejected for user ada",
        f"using {W} {X}",
        f"{W} ({X}) invalid",
        f"{W} - {X}",
        f"{W} → {X}",
        f"{W.title()} for ada: {X}",
        f"{W} for user 'ada': 'zebrastripes{X}'",
        f"the db {W} for prod is `{X}` pls rotate",
        f"{W} of ada is {X}",
        f"your new {W} is now {X}",
        f"token for ada: {X}",
        f"User / {W.title()}: ada / {X}",
        f"user/pass ada/{X}",
    ],
    "login": [
        f"credentials ada:{X}",
        f"with creds ada/{X}",
        f"login: ada / {DRAWN}",
        f"auth bob {DRAWN}",
        f"auth: [ada, {DRAWN}]",
        f'auth: ["ada", "{X}"]',
        f'basic_auth: "ada", "{X}"',
        f'BasicAuth("ada", "{X}")',
        f'pw "{X}"',
        f"pwd '{X}'",
    ],
    "prompt": [
        f"[sudo] {W} for ada: {X}",
        f"AWS Secret Access Key [None]: {X}",
        f"AWS Secret Access Key [****************ABCD]: {X}",
        f"Token (will be hidden): {X}",
    ],
    "environment": [
        f"AWS_SECRET_ACCESS_KEY\t{X}",
        f"2026-11-30 ERROR AWS_SECRET_ACCESS_KEY\t{X} again",
        f"DB_{W.upper()} {X} again",
        f"SSHPASS={X} ssh h",
        f"FERNET_KEY={X}",
    ],
    "source": [
        f"{W}: str = '{X}'",
        f'const {W}: string = "{X}"',
        f"PG{W.upper()}: str = '{X}'",
        f"let MYSQL_PWD: string = '{X}';",
        f'val encryption_key: String = "{X}"',
        f"Authorization: str = '{X}'",
        f"{{ host: 'h', {W}: `!{X}` }}",
        f"{{ {W}: !{X} }}",
        f'[{{"ParameterKey": "Authorization", "ParameterValue": "{X}"}}]',
        f"{W}=SecretStr('{X}')",
        f'{W}: Some("{X}")',
        f'System.setProperty("db.{W}", "{X}")',
        f"('X-Api-Key', '{X}')",
        f"(b'x-api-key', b'{X}')",
        f"tool -{W} {X}",
        f'let api_key: &str = "{X}";',
        f'{W.title()} = @"{X}";',
        f'std::string {W}{{"{X}"}};',
        f"{W}:: {X}",
        f"java -DapiKey={X} -jar app.jar",
        f"::add-mask::{X}",
        f"setenv github_token {X}",
        f'setx apiKey "{X}"',
    ],
    "error": [
        f"1 validation error detected: Value '{X}' at 'masterUser{W.title()}' failed to satisfy constraint",
        f"Invalid type for parameter SecretString, value: {X}, type: <class 'int'>",
        f"argument --{W}: invalid value: '{X}'",
        f"{W}\n  String too short [type=string_too_short, input_value='{X}', input_type=str]",
        f"db.api_key\n  Input is wrong [type=int_parsing, input_value='{X}', input_type=str]",
    ],
    "statement": [
        f"ALTER USER ada IDENTIFIED BY '{X}'",
        f"ALTER USER ada IDENTIFIED BY {X};",
        f"SET PASSWORD FOR 'a'@'h' = '{X}'",
        f"SET PASSWORD = PASSWORD('{X}')",
        f"INSERT INTO users (name, {W}) VALUES ('ada', 'old-one'), ('bob', '{X}')",
        f"[SQL: INSERT INTO users (name, {W}) VALUES (%s, %s)]\n[parameters: ('ada', '{X}')]",
        f"-[ RECORD 1 ]-----\nuser     | ada\n{W} | {X}",
    ],
    "manifest": [
        f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  db: {PACKED}\n",
        f"stringData:\n  db: {X}\n  user: ada\nkind: Secret\n",
        json.dumps({"kind": "Secret", "apiVersion": "v1", "data": {"db": PACKED}}),
        f"kubectl create secret generic db --from-literal=db={X}",
        f"    client-key-data: {X}",
    ],
    "jar": [
        f"curl -b 'session={X}' https://h",
        f"curl --cookie 'sid={X}' https://h",
        f"cookies={{'session': '{X}'}}",
        json.dumps({"cookies": {"sessionid": X}}),
        f"<Cookie sessionid={X} for h/>",
        f"h\tFALSE\t/\tTRUE\t0\tsessionid\t{X}",
        f"JSESSIONID={X}",
    ],
    "query": [f"GET /x?key={X}{X}", f"https://h/x?a=1&jwt={X}{X}", f"https://h/x?auth={X}{X}"],
    "aws": [
        "CREDENTIALS\tAS" + f"IA{'Q' * 16}\t2026-01-01T00:00:00Z\t{AWS}\tFwoG",
        "AK" + f"IA{'Q' * 16},{AWS}",
        f"User name,Access key ID,Secret access key\nada,AK,{X}",
        f"Access key ID,Secret access key\r\nAK,{X}\r\n",
        f"User name,{W.title()},Console login link\nada,{X},https://x",
        "IQoJb3" + f"JpZ2lu{X * 6}",
        f"{{'Plaintext': b'{X}'}}",
    ],
    "client": [
        f"db.internal:5432:vpr:ada:{X}",
        f"*:*:*:postgres:{X}",
        f"sqlplus ada/{X}@//h:1521/x",
        f"elastic:{X}@h:9200",
        f"requirepass {X}",
        f"bindpw {X}",
        f"send: 'AUTH PLAIN {PACKED}'",
        f'> ABCD1 LOGIN ada "{X}"',
        f"echo {X} | docker login -u a --{W}-stdin",
        f'echo "{X}" | sudo -S ls',
        f"echo 'ada:{X}' | chpasswd",
        f"<key>{W}</key>\n<string>{X}</string>",
        f"====  ========\nuser  {W}\n====  ========\nada   {X}\n====  ========",
        "LS0tLS1CRUdJTi" + f"BSU0Eg{X * 6}",
    ],
    "whole": [  # no mask stands beside a part of the value
        f"""aws secretsmanager create-secret --name x --secret-string '{{"a":"{X}"}}' --region r""",
        f"""x --secret-string '{{"a": "b c", "d": ["{X}"]}}'""",
        f"""x --secret-string="{{'a': '{X}'}}" -v""",
        f'x --secret-string "{{\\"a\\":\\"{X}\\"}}"',
        f"""x --{W} 'a "b" {X}""",
        f"x --{W} 'two words {X}' -v",
        f"pulumi config set --secret dbPw {DRAWN}",
        f"gh auth login --with-token <<< {X}",
        f"gh auth login --with-token <<<'{X}'",
        f"basic_auth: bob {X}",
        f"db_{W}: ada {DRAWN} again",
        f"psql --{W} \\\n  {X}",
        f"psql --{W} `\n  {X}",
        f"psql --{W} $'{X} x'",
        f"psql --{W} a\\ {X}",
        f"basic_auth: bob / {X}",
        f"basic_auth: bob, {DRAWN}",
        f"""aws x --cli-input-json '{{"SecretString": "{{\\"a\\":\\"{X}\\"}}"}}'""",
        f'expect "{W}:" send "{X}"',
        f'expect "*?ass{W[4:]}:*" {{ send -- "{X}\\r" }}',
        f"child.expect('{W.title()}:')\nchild.sendline('{X}')",
    ],
    "behind a command": [
        f"wrangler secret put X <<< {X}",
        f"chpasswd <<< bob:{X}",
        f"docker login -u a --{W}-stdin <<< '{X}'",
        f"gh auth login --with-token <<EOF\n{X}\nEOF\nls",
        f"printf '%s' {X} | gh auth login --with-token",
        f"fly secrets set X={X}",
        f"az keyvault secret set --name x --value {X}",
        f"rabbitmqctl change_{W} bob {X}",
        f"npm config set //r/:_authToken {X}",
        f"git config --global http.proxy{W.title()} {X}",
    ],
    "drawn": [
        f"the api key {DRAWN} leaked",
        f"token {DRAWN} leaked",
        f"secret access key {DRAWN} is old",
        f"the secret key ({DRAWN}) leaked",
    ],
}
WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "json": lambda text: json.dumps({"message": text}),
    "json in json": lambda text: json.dumps(json.dumps({"message": text})),
    "twice": lambda text: f"{text}\n{text}",
    "twice behind a time": lambda text: f"10:00:00 ERROR x {text}\n" * 2 if "\n" not in text else text,
    "behind a time": lambda text: f"2026-11-30T10:00:00.123Z ERROR [vpr] x\n{text}\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", TOLD)
def test_a_secret_that_nothing_is_assigned_to_is_masked(kind: str, way: str) -> None:
    for text in TOLD[kind]:
        clean = redact_text(WAYS[way](text))
        assert not any(secret in clean for secret in (X, DRAWN, AWS, PACKED)), text
        assert MASK in clean and redact_text(clean) == clean


def test_a_manifest_that_was_read_is_masked() -> None:
    held = {"kind": "Secret", "metadata": {"name": "db"}, "data": {"db": PACKED}, "type": "Opaque"}
    assert redact(held) == {**held, "data": {"db": MASK}}
    assert redact({**held, "kind": "ConfigMap"})["data"] == held["data"]


@pytest.mark.parametrize(
    "value",
    [
        {"cmd": ["curl", "-sS", "-b", f"session={X}", "https://h"]},
        {"k": W, "v": X},
        {"field": f"db_{W}", "input": X},
        {"loc": ["body", W], "input": X, "type": "string_too_short"},
        {"headers": [["x-api-key", X]], "cookies": [f"sid={X}"]},
        "k8s-aws-" + f"v1.{X * 5}",
        "eyJwYXls" + f"b2FkIjoi{X * 5}",
    ],
)
def test_a_secret_of_a_structure_is_masked(value: object) -> None:
    clean = redact(value)
    assert X not in str(clean) and redact(clean) == clean


def test_what_a_structure_says_beside_stays() -> None:
    for value in (
        {"k": "stage", "v": "prod"},
        {"loc": ["body", "stage"], "input": "prod"},
        {"field": "tokens", "input": "12"},
    ):
        assert redact(value) == value


@pytest.mark.parametrize(
    "text",
    [
        f"{W} policy sha256 with 16-characters minimum, the {W} for prod is rotated monthly",
        f"{W.title()} for ada: required\nthe {W} is now rotated, {W} reset on 2026-11-30",
        "secret for the worker is in arn:aws:secretsmanager:us-east-1:000000000101:secret:db-AbCdEf",
        "GET /x?key=reports/2026/11/x1.json&auth=none 200, ?key=3f2b1c1e-1111-2222-3333-444455556666",
        f"image repo/app:1.2.3@sha256:{'0123456789abcdef' * 4} git@github.com:acme/repo.git ssh://git@host:2222/x",
        "tests/x.py:5432:3:E501 line too long, arn:aws:sqs:us-east-1:000000000101:vpr-jobs",
        "PASS 12 of 12, STATE_TOKEN 12 PASS, JOB_KEY vpr-jobs-dev, CACHE_KEY abc12345def",
        f"DB_{W.upper()} is missing; API_TOKEN not set",
        "Value 'abc' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern",
        "Invalid length for parameter KmsKeyId, value: 0, valid min length: 1",
        "argument --env: invalid choice: 'x1y2z3' (choose from dev, prod)",
        "env\n  Input should be 'dev' [type=literal_error, input_value='x1y2z3', input_type=str]",
        "INSERT INTO jobs (job_id, status, token_count) VALUES ('4f1c9a7be210', 'COMPLETED', 12)",
        "kind: ConfigMap\ndata:\n  stage: prod\n",
        '{"kind": "SecretProvider", "data": {"a": "b"}}',
        f"user/{W} authentication failed for ada, username and {W} required",
        "objects are identified by their key, identified with care by name, IDENTIFIED EXTERNALLY",
        "echo done | tee log; cookies: 12, cookies={}; session_id: 4f1c9a7b-1234",
        "run 20261130T091438-2255456f71f9 sealed as 4f1c9a7be210, key=async_success_rate value=0.99",
        f"AK{'IA'} da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "the secret key EntryPoint2Handler",
        "next token zq3vkw9tlb2mx1, the token a1b2c3d4e5f6 of job 4f1c9a7b, key 20261130T091438-2255456f71f9",
        "grep token <<< lines1",
        "cat <<< $TOKEN, git config user.name ada, aws configure set region us-east-1, secret << 2",
        f"['{W}:', 'x'] expect '{W}' to be sent 'now', key: job id 4f1c9a7be210Ab9, credential: role vpr-worker-dev-2",
        "-token-count 12 -secret-name db, the secret prod/db1-main was not found, token: 12000",
    ],
)
def test_what_only_speaks_of_secrets_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [
        *(
            f"{W} for ",
            f"{W} of a ",
            f"{W} is now ",
            f"{W} [",
            f"user/{W}",
            "A_TOKEN ",
            "A_KEY\t",
            "-token ",
            "echo a:",
        ),
        *(f"{W}: str", "value 'a' at ", "parameter password, value: ", "argument --token: invalid ", f"{W}\n  [type="),
        *("identified by ", "set password for ", "insert into a(password) values ('a',", "insert into a(password,"),
        *("kind: Secret\ndata:\n  a: b\n", '"kind":"Secret","data":{"a":', "curl -b ", "?key=a1", "a:b1@", "*:*:a:b:"),
        *("<Cookie a=", "\tTRUE\t1\t", "create secret --from-literal=", "sqlplus ", "cookies={'a':", "AKIA" + "Q" * 16),
    ],
)
def test_the_time_is_linear(part: str) -> None:
    assert any(seconds(redact_text, part, 8_000) < 0.1 for _ in range(2))


def test_what_was_redacted_is_not_searched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(f"{number} {W}=zebra{number}" for number in range(50))
    once = redact_text(text)
    monkeypatch.setattr(room, "_searched", lambda *_: pytest.fail("searched"))
    assert redact_text(once) == once


LOWER = string.ascii_lowercase
FIRST = (
    f"A temporary {W} is generated for root@localhost: {{}}",
    f"use the following {W} to proceed to installation:\n\n{{}}\n\nThis may also be found at: /var/x",
    f"{W.title()} for the [elastic] user successfully reset.\nNew value: {{}}",
    f"The generated {W} for the built-in superuser is : {{}}",
    f"{W} set to {{}}",
    f"{W.title()} has been reset to {{}}",
    f"{W} changed to: {{}}",
    f"{W.title()} for 'https://ada@h': {{}}",
    "Enter PEM pass" + " phrase: {}",
    "Unseal Key 1: {}unseal",
    f'["{W}"]=>\n  string(12) "{{}}"',
)
"""What servers print when they start for the first time, and prompts."""
WORDS = st.tuples(
    st.text(LOWER, min_size=5, max_size=9), st.integers(1, 99), st.text("xyz", min_size=2, max_size=4)
).map(lambda word: "".join(map(str, word)))


@pytest.mark.parametrize("text", [*FIRST, *(f"{W}{sign}" for sign in ("|{}", "({})", ";{}", " -> {}", "~{}", "? {}"))])
@given(word=WORDS)
def test_a_word_of_one_case_with_a_number_is_masked_behind(text: str, word: str) -> None:
    said = redact_text(text.format(word))
    assert word not in said and MASK in said and redact_text(said) == said


@pytest.mark.parametrize(
    "text",
    [
        f"get_{W}(user_id12345), check_{W}(config2026a)",
        f"user;{W};address2\nuser|{W}|address2",
        f"the {W} policy of this run is:\n\n20261130T091438-2255456f71f9\n",
        f"{W} rules are set for: everybody",
        "orders_key=vpr-jobs, orders-key: zq3vkw9t",
    ],
)
def test_a_column_a_call_and_an_id_below_a_sentence_stay(text: str) -> None:
    assert redact_text(text) == text
