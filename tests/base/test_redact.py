"""No string in this file looks like a secret: each is put together when the test runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runbook_lib.base import redact as room
from runbook_lib.base.masking import drawn, pairs, tables
from runbook_lib.base.masking import names as named
from runbook_lib.base.redact import MASK, mask_emails, redact_text
from tests.linear import seconds
from tests.reports import PACKED
from tests.secrets import PEM, SECRETS

PROSE = st.text(st.characters(codec="utf-8"), max_size=40)
AROUND = {
    kind: st.tuples(found, PROSE, PROSE).filter(lambda one: one[0][1] not in one[1] and one[0][1] not in one[2])
    for kind, found in SECRETS.items()
}
"""Text with a secret, the secret, and prose without it. Made once: in a test, each draw would make it anew, which
takes hypothesis six times what the test does."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", SECRETS)
@settings(max_examples=max(25, settings.default.max_examples // 4))
@given(data=st.data())
def test_a_secret_never_survives_whatever_stands_around_it_and_redacting_twice_is_redacting_once(
    kind: str, data: Any
) -> None:
    (text, secret), before, after = data.draw(AROUND[kind])
    shown = redact_text(f"{before}\n{text}\n{after}")
    assert secret not in shown
    assert MASK in shown
    assert redact_text(shown) == shown
    once = redact_text(text + after)
    assert redact_text(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "sha256 " + "0123456789abcdef" * 4,
        "arn:aws:sts::000000000101:assumed-role/rollout/a.engineer",
        '{"token_usage": {"input": 2500, "output": 1800}, "input_tokens": 2500}',
        "input_tokens: 250000000, output_tokens: 12345678",
        "run 4f1c9a7be210, account 000000000101, release 2026.11-vpr-async",
        "https://abc123.execute-api.us-east-1.amazonaws.com/prod/api/vpr-async?id=12345678",
        "task-7-of-the-plan, disk-0123456789abcdef, sk-short-1",
        "basic health check of the queue passed",
        "idempotency_key=job-12345678",
        "the next token is 5 characters long",
        "PASS: 3 of 3 gates pass, PWD=/home/ada",
        "encryption_key: arn:aws:kms:us-east-1:000000000101:key/0123456789abcdef, KmsMasterKeyId: alias/aws/sqs",
        'password = getpass.getpass("Password")',
        "password: required, secret: none",
        "bearer authentication required",
        "get_latest_configuration(ConfigurationToken=self._token)",
        "AWS/DynamoDB ConsumedReadCapacityUnits TableName=vpr-jobs-dev, VPRJobFailed, p99",
        "\x1b[31mred\x1b[0m",
        "PWD=/home/ada OLDPWD=~/x pwd: ./here, pass=3 fail=0, pass: 12 of 12, 80 % pass",
        "the password is required, and the secret is in the vault; its token is 5 characters long",
        "the password was rotated. Passwords are not kept. password of the database",
        "mysql -p vpr < dump.sql; docker run -p 8080:80 web; ssh -p 22 host; mkdir -p a/b; ps -a",
        "| key | value |\n|---|---|\n| password | |\n| secret | - |",
        "| user | password | e-mail |\n|---|---|---|",
        '{"name": "STAGE", "value": "prod", "description": "no password"}',
        "env:\n  - name: STAGE\n    value: prod\n  - name: DB_PASSWORD\n    valueFrom: vault",
        "password:\n  required: true\n  type: string",
        "secrets:\n  - arn:aws:secretsmanager:us-east-1:000000000101:secret:db",
        "    password policy\n    username rules\n",
        "  input_tokens output_tokens token\n0          250           180    12\n1          250           181    13",
        "gate         verdict\npasswordless PASS",
        "user,token,host\nada,12,db1",
        "| **PASS** | 99.9 % | the target is met |",
        "machine learning with a password prompt",
        "zero\u200bwidth \u202eand\u202c turned, ｗｉｄｅ and \U0001d41d\U0001d421",
        "docker run -u 1000:1000 -u app:app --user nobody:nogroup img; chown -u a; ps -u root; sort -u x:1",
        "tokens: [the, cat], secrets: [], password: [redacted], token = [row for row in rows]",
        "password: [string, null]\ntoken: str = field(default='')\nsecrets:\n  - name: db\n  - arn:aws:x",
        "credentials: {type: role, name: ada}, authorization = {'kind': 'IAM'}",
        "<input type=text name=user value=ada> <input type=checkbox value=on>",
        "the password:\n- must be long\n- has no name in it",
        r"re.compile('\e[a-z]') and \x1b[31mred\x1b[0m",
        '{"secrets": {"name": "db", "secretArn": "arn:aws:x", "rotated": "2026-11-01", "versionId": "4f1c9a7b"}}',
        "secrets:\n  name: db\n  token:\n    required: true\n    description: for the pager\nhost: h",
        "credentials:\n  username: ada\n  region: us-east-1\n",
        "пароль и логин, p\u0430ge, Ελλάδα, COBO\u0422: a",
        "ENV STAGE prod, ENV API_TOKEN is not set",
        "password\nusername\nhost\n",
        "git clone https://ada@host/r.git, https://ada-at-000000000101@git-codecommit.us-east-1.amazonaws.com/v1",
        "java -url:x -update:yes; docker run -u1000:1000 img; chown -uroot:wheel x",
        '<password kind="text" value=""/> <host value="db1"/>',
        "GET /x?code=404&reason=E1234567, exit code=1, code=AccessDenied, zip_code=123456, pin 12, otp: no",
        "the code 123456 of job 482913, opt 123456, spin 123456, country_code: 482913000",
        "api_key  2026-11-01\ntoken  12.5 ms\n",
        "C:\\new\\token\\temp, &lt;b&gt; &amp; 'a\\n'",
        "--end-time $(date -u +%Y-%m-%dT%H:%M:%S)",
        "signing_key: awskms:alias/audit, webhook_url: env:OPS_HOOK, signing_key: /etc/runbook/signer.pem",
        "password=secretsmanager:prod/db#field, password: vault:kv/db#x, api_key: op://ops/pager/field",
        '{"PASS": "green", "FAIL": "red"} | {Verdict.PASS: "o"}',
        "if verdict is Verdict.PASS:\n2026-11-30T14:00:00.123Z root 7765",
        "many lines that each hold `password=` take minutes",
        "it is a secret\nrun_id=20261130T054251.830Z-9a76c91d7971, the token 20261130T054251.830Z-9a76c91d7971",
        "if not contract.secrets:\\nrun_id=20261130T232124.030Z-aaa67f343d91 mode=plan",
        "def asked(audience: str) -> JobToken:\n    'Key of the flag'",
        'def asked(audience: str) -> JobToken:\\n"}, {"timestamp": 1, "message": "b"}',
        "gone = _answer(gone, code=gone.codes[-1])",
        "a | the token\na | 2 and 3\n0\timport secrets\n1\tapproved by ada",
        "its token of GitHub&#x27;s is for another",
        "continuation token: page-2-of-7, idempotency token: 2f1c9a7be210",
        "password = var.db_password\napi_key = config.api_key_2\n",
        "orders-auth: 17, orders-auth: 99.95%, first-pass: 12,345",
        "basic_auth: enabled, auth: iam, login ada us-east-1, auth failed job-4f1c9a7b, auth bob:v1.2.3",
        "PASS: $0.0011 ($0.0010-$0.0012), PASS: -3.2 s, PASS: €3, PASS: +0.3 %, PASS: 3/4, PASS: p95, PASS: n=300",
        'login: ada / 2026-11-30, Auth(client, "us-east-1"), pass "phase2", auth: lambda:careervp-auth-v2',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


def test_a_name_behind_a_name_does_not_hide_the_value() -> None:
    for before in ("Bear" + "er ", "basi" + "c ", "authorization: ", "token: ", "the secret: "):
        for text in ("basi" + "c zebra0zebra0zebra0", "pass" + "word: zebra0", "api_" + "key=zebra0zebra0"):
            assert "zebra" not in redact_text(before + text)


@given(
    front=st.sampled_from(["", "+", "> ", "export ", "DB_"]),
    sign=st.sampled_from(["=", ": ", ":", " =", ":\n"]),
    names=st.lists(st.sampled_from(["pass" + "word", "to" + "ken", "sec" + "ret", "api_" + "key"]), min_size=2),
)
@example("DB_", "=", ["pass" + "word"] * 2)
@example("export ", "=", ["pass" + "word"] * 2)
@example("+", ": ", ["pass" + "word"] * 2)
def test_a_name_without_a_value_hides_none_behind_it(front: str, sign: str, names: list[str]) -> None:
    *empty, last = names
    text = "\n".join([*(f"{front}{name}{sign}" for name in empty), f"{front}{last}={'zebra' + 'stripe'}"])
    shown = redact_text(text)
    assert "zebra" not in shown
    assert len(names) > 2 or shown == text.replace("zebrastripe", MASK)


@pytest.mark.parametrize(
    "before", ["PASS" + "WORT", "holds no to" + "ken", "=Sec" + "ret", "|sec" + "ret", "api_" + "key"]
)
@pytest.mark.parametrize("between", ["\n", " ", "\n\n", ":\n", ": "])
@pytest.mark.parametrize(
    "held",
    ['{"to' + 'ken": ["zebra", "b"]}', '{"pass' + 'word": {"value": "zebra"}}', '{"sec' + 'rets": {"db": "zebra"}}'],
)
def test_a_word_before_a_json_text_does_not_hide_what_is_in_it(before: str, between: str, held: str) -> None:
    shown = redact_text(before + between + held)
    assert "zebra" not in shown and held.partition(":")[0] in shown


CHAINS = [
    *("sk-", "-----BEGIN ", "a-", "secret_", "a.b+", "password=", "eyJabc-", "curl -u ", "--pass", "<password>", "a@"),
    *("cookie: ", "authorization: bearer ", "X-Amz-Signature=", "token='\\\\'", f"-----BEGIN {PEM}-----", "https://a:"),
    *("password is ", "name: password ", "name:password,value:", "value=x,name=", "machine a ", "login a password "),
    *("| password ", "|password|a|\n", "password\t", "password: |\n ", "jdbc:oracle:thin:a/", "<table>", "<tr><td>"),
    *(
        "<table><tr><th>password</th></tr>",
        "a,password\n",
        "a  password\n",
        " a password\n",
        "mysql ",
        "mysql -p",
    ),
    *("sshpass -", "docker login ", "openssl -pass ", "pwd=", "pass: ", "\u200b", "password**", "password`", "name "),
    *("password  ", "password:\n", "value ", "<dt>password</dt>", "password</td><td>", "mot de ", "|", "a\t"),
    *("token=[", "token=['a',", "password={'", "password=('a' ", "secret='''", "password:\n- a\n- ", "'a' + 'b'"),
    *("password='a' + 'a' ", "<input ", "<input type=password value=a ", "-u a:b ", "--user a:", "\\x1b[31m", "ｐ"),
    *("auth=('a', ", "'authorization', '", "configure set ", "put-parameter --value ", "\x1b]"),
    *("secrets:{", "secrets:\n a: b\n", "p\u0430", "\u0430", "ENV A_TOKEN a ", "password\n", "-ua:b ", "curl -su "),
    *("https://a1", "https://a@", "<password ", "<password a=b value=c ", "{'secret': {'a': "),
    *(
        "code=",
        "&code=a",
        "mfa_code ",
        "otp for a ",
        "api_key  a",
        "&quot;",
        '="&',
        "\\n",
        "'a\\n' ",
        '\\"',
        "\\",
        "b'\\n",
    ),
    *(
        "+password:\n",
        "> ",
        ">\n",
        "+\n",
        "\r",
        "+password: |\r",
        "a-1  | token\n",
        "arn:aws:",
        "arn:aws:a:::secret:a ",
        "#",
    ),
    *("token<b>", "AKIA", "%26sig%3D", "pypi-", "api_key =", "token \t", "sig=", "\x1b[", "&quot;token"),
]


@pytest.mark.slow
@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("before", ["", "token ", "://", "password", "curl "])
def test_the_time_is_linear_in_the_text(chain: str, before: str) -> None:
    # A quadratic pattern takes half a second for this; a linear one some milliseconds.
    assert any(seconds(redact_text, chain, 8_000, before) < 0.15 for _ in range(3))


def test_a_long_chain_of_beginnings_takes_milliseconds() -> None:
    assert seconds(redact_text, "sk-", 80_000) < 0.1


def test_addresses_go_if_the_parameters_say_so() -> None:
    said = "assumed-role/rollout/ada.lovelace+x@example.com said mailto:bob%40example.org"
    assert redact_text(said) == said
    mask_emails(True)
    try:
        assert redact_text(said) == f"assumed-role/rollout/{MASK} said mailto:{MASK}"
    finally:
        mask_emails(False)


def test_an_image_within_html_stays_whole_and_what_stands_around_it_is_redacted() -> None:
    letters = "iVBORw0KGgo" + "Qk0+/x" * 20 + "+AKIA" + "Q" * 16 + "/ghp" + "eyJ" * 30 + "=="
    image = f"data:image/png;base64,{letters}"
    said = f'<p>password="hunter22"</p><img src="{image}"><p>Authorization: Bearer abc123def456ghi7</p>'
    redacted = redact_text(said)
    assert image in redacted
    assert "hunter22" not in redacted
    assert "abc123def456ghi7" not in redacted
    assert redact_text(redacted) == redacted


def test_only_a_long_picture_is_taken_for_one() -> None:
    assert "hunter22" not in redact_text("data:image/png;base64,QUJD password='hunter22'")
    assert "AKIA" + "Q" * 16 not in redact_text("data:image/png;base64," + "AKIA" + "Q" * 16)


def _thorough(text: str) -> str:
    """Every pattern, whatever the text: what the words in front of them may only make quicker."""
    for kind in room._KINDS:
        text = kind.pattern.sub(kind.replacement, text)
    text = named._FLAG.sub(lambda match: match[0] if named.harmless(match["value"]) else match[1] + MASK, text)
    text = named._FOREIGN.sub(named._after, named._BRIEF.sub(named._brief, text))
    for pattern, replace in (
        (named._QUOTED, named._quoted),
        (named._BARE, named._bare),
        (named._TAGGED, named._quoted),
    ):
        text = named.everywhere(pattern, replace, text)
    return drawn.mask_drawn(text)


_WORDS = st.sampled_from(
    [
        *("Bearer ", "BASIC ", "eyJ", "AKIA", "ghp_", "xoxb-", "hooks.slack.com/services/", "Signature=", "&X-Amz-"),
        *("Credential=", "AWS4-HMAC-SHA256 ", "://", "user:", "@host", f"-----BEGIN {PEM}-----", "?Signature="),
        *("pass" + "word", "Secret", "session-token", "api_key", "ACCESS_KEY_ID", "webhook url", "x-amz-credential"),
        *("\u017fecret", "to\u212aen", "MY_", "passphrase", "authorization", "events.pagerduty.com/integration/"),
        *(" ", "=", ": ", " => ", '"', '\\"', "'", ".", "-", "a1" * 8, "A1" * 8, "\n", "\u00df"),
    ]
)


@given(st.lists(st.one_of(_WORDS, st.text(max_size=4)), max_size=12).map("".join))
def test_looking_for_a_word_first_finds_no_less(text: str) -> None:
    assert room._searched(text, False) == _thorough(text)


@given(st.lists(st.one_of(_WORDS, st.text(max_size=4)), max_size=12).map("".join))
def test_where_a_name_may_stand_is_found_as_the_pattern_finds_it(text: str) -> None:
    for one in (text, text.encode("ascii", "ignore").decode()):
        found = [(stem.span(), stem[0]) for stem in pairs._stems(one)]
        assert found == [(stem.span(), stem[0]) for stem in pairs.STEM.finditer(one)]


_BEGINNINGS = st.sampled_from(
    [
        *("secre", "secret", "Token", "tokeN", "key", "passw", "PASS", "phrase", "pwd", "auth", "x-amz-", "signature"),
        *("credential", "webhook", "url", "_", "-", "api", "Api", "aws", "access", "shared", "x-functions-"),
        *("=", ": ", " = '", "'", '"', ">", "</td><td>", "<b>", "a1b2c3d4", "z", "1", " ", "\n", "\u017f", "\u0130"),
    ]
)


@given(st.lists(_BEGINNINGS, max_size=14).map("".join))
def test_what_is_tried_near_a_root_alone_finds_as_much_as_the_pattern(text: str) -> None:
    quoted, bare = named._quoted, named._bare
    for pattern, replace in ((named._QUOTED, quoted), (named._BARE, bare), (named._TAGGED, quoted)):
        assert named.at_names(pattern, replace, text) == named.everywhere(pattern, replace, text)


def test_a_text_that_was_clean_is_looked_at_anew_where_more_is_secret() -> None:
    text = f"{'-' * 80} ana@example.test has quite-a-long-one"
    assert [redact_text(text) for _ in range(2)] == [text, text]
    mask_emails(True)
    try:
        assert redact_text(text) == text.replace("ana@example.test", MASK)
    finally:
        mask_emails(False)
    assert redact_text(text) == text
    room.know("quite-a-long-one")
    assert redact_text(text) == text.replace("quite-a-long-one", MASK)
    room.forget()
    assert redact_text(text) == text


@pytest.mark.parametrize("at", [0, 1, 62, 63, 64, 65, 127, 128, 200])
@pytest.mark.parametrize("end", ["", "<br>"])
def test_a_table_is_found_wherever_it_begins(at: int, end: str) -> None:
    """Lines are asked in blocks, split in two ways: the first and the last of a block are asked too."""
    text = "\n".join(["a,b"] * at + ["user,password", "ada,zebra"] + ["1"] * 70) + end
    assert redact_text(text) == text.replace("zebra", MASK)
    assert tables.mask_tables(text, text) == text.replace("zebra", MASK)


_BESIDE = st.sampled_from(
    ["sha256 {}", "run {}", "{}.json", "SK {}", "set {} aside", "commit {}", "id={}", "sk/{}/x", "{}"]
)


@given(st.one_of(st.uuids().map(str), st.binary(min_size=4, max_size=64).map(bytes.hex)), _BESIDE)
def test_a_hash_and_a_uuid_are_no_secrets(value: str, beside: str) -> None:
    for text in (beside.format(value), beside.format(value.upper())):
        assert redact_text(text) == text


@pytest.mark.parametrize(
    "text",
    ["set PASSWORD rules", "SET TOKEN to none", "set the DB_PASSWORD before", "reset DB_HOST db1", "set DB_USER ada"],
)
def test_a_sentence_about_setting_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "script",
    [
        't.credentials="use-credentials"===e.crossOrigin?"include":"anonymous"===e.crossOrigin?"omit":"same-origin"',
        'fetch(u,{credentials:"same-origin"})',
        "if(e.token===t.token)return;a.secrets==b.secrets.c=1",
        'var a=/[\\u2028\\u2029\\u200b]/,p="pass' + 'word";',
    ],
)
def test_a_script_of_a_page_stays_one(script: str) -> None:
    assert redact_text(script) == script


def test_letters_written_as_json_does_are_only_changed_where_they_name_a_secret() -> None:
    kept = 'x = "\\u30d1\\u200b\\u2028"; pass' + "word='zebrastripes'"
    assert redact_text(kept) == kept.replace("zebrastripes", MASK)


@pytest.mark.parametrize("name", ["DB_PASS" + "WORD", "MY_API_TO" + "KEN", "AWS_SECRET_ACCESS_" + "KEY"])
def test_what_an_environment_variable_holds_is_masked_without_its_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "zebra" * 3 + "7/+x"
    monkeypatch.setenv(name, value)
    room.forget()
    for text in (value, f"a {value} b", f"https://h/?q={value.replace('/', '%2F').replace('+', '%2B')}"):
        assert redact_text(text) == text.replace(value, MASK).replace("zebrazebrazebra7%2F%2Bx", MASK)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASS" + "WORD", "careervp"),
        ("DB_PASS" + "WORD", "careervprolloutsandbox"),
        ("TOKEN_FILE", "drawn7at8random9x0"),
        ("API_TO" + "KEN", "/run/secrets/token-1234"),
        ("API_TO" + "KEN", "arn:aws:secretsmanager:us-east-1:1:secret:a"),
        ("HOME", "drawn7at8random9x0"),
    ],
)
def test_a_word_a_path_or_another_variable_stays(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    room.forget()
    assert redact_text(f"see {value} there") == f"see {value} there"


@pytest.mark.slow
def test_what_our_own_runs_say_stays_whole(tmp_path: Path) -> None:
    """Records of every kind, and the notebook of a phase with its charts' words, as they were sealed: no figure and no
    name of them is taken for a secret.
    """
    shutil.unpack_archive(PACKED, tmp_path)
    files = [*tmp_path.rglob("record.json"), *tmp_path.rglob("06_*/**/notebook.ipynb")]
    assert len(files) > 15 and files[-1].name == "notebook.ipynb"
    for file in files:
        text = re.sub(r"[A-Za-z0-9+/=]{400,}", "", file.read_text())
        assert redact_text(text) == text, file


@pytest.mark.parametrize("kind", ["RSA " + PEM, PEM, "EC " + PEM])
@given(
    lines=st.lists(st.text("abcdefghijklmnopqrstuvwxyz+/", min_size=64, max_size=64), min_size=1, max_size=6), cut=...
)
def test_of_a_private_key_whose_head_is_cut_off_nothing_stays(kind: str, lines: list[str], cut: bool) -> None:
    body = "\n".join([lines[0][20:] if cut else lines[0], *lines[1:]])
    shown = redact_text(f"first\n{body}\n-----END {kind}-----\nlast")
    assert shown == f"first\n{MASK}\nlast"
    assert redact_text(f"{body}\n-----END CERTIFI" + "CATE-----") == f"{body}\n-----END CERTIFI" + "CATE-----"


@pytest.mark.parametrize(
    "text",
    [
        "use swordfish to get in",
        "connect('ada', 'swordfish')",
        "ada:swordfish",
        "token: swordfish",
        "wpa-psk swordfish",
        '[{"message": "password:"}, {"message": "swordfish"}]',
        "https://swordfish@db/orders.git",
        '--password "$swordfish"',
        "swordfish  # password",
    ],
)
def test_what_the_documentation_says_is_not_seen_is_not(text: str) -> None:
    assert redact_text(text) == text
    assert f"`{text}`" in (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("front", ["> ", ">", ">> ", "> > ", "< ", "* "])
@pytest.mark.parametrize(
    "head", ["Authorization: ", "proxy-authorization: ", "Cookie: sid=", "Set-Cookie: sid=", "X-Api-Key: "]
)
@pytest.mark.parametrize("word", ["swordfish", "amber7lamp"])
@pytest.mark.parametrize("lines", ["{}", "{}\n{front}Accept: a", "{front}Host: h\n{}\n{front}", "a\n{}\n\nb"])
def test_a_header_that_a_tool_or_a_mail_quotes_is_one(front: str, head: str, word: str, lines: str) -> None:
    text = lines.format(front + head + word, front=front)
    if front == "* " and word == "swordfish" and head.casefold().endswith("authorization: "):
        text = text.replace(front, "> ")  # a list's item
    shown = redact_text(text)
    assert (
        word not in shown
        and shown.count(MASK) == 1
        and shown.replace(MASK, "").replace("sid=", "") in text.replace(word, "").replace("sid=", "")
    )
    assert redact_text(shown) == shown


@pytest.mark.parametrize("text", ["> Authorization: required", "> Authorization: see below", "- Authorization: basics"])
def test_what_a_quoted_sentence_says_of_a_header_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "text", ["{}[{}]=x", "a=1&{}%5B{}%5D=x&b=2", "POST /x?{}%5b{}%5d=x", "{}%255B{}%255D=x", "{}%2E{}=x"]
)
@pytest.mark.parametrize("name", ["signing_secret", "password", "api_token", "api_key"])
@pytest.mark.parametrize("word", ["swordfish", "amber7lamp"])
def test_a_name_in_brackets_tells_in_an_address_too(text: str, name: str, word: str) -> None:
    assert redact_text(text.format("config", name).replace("=x", f"={word}")) == text.format("config", name).replace(
        "=x", f"={MASK}"
    )
    plain = text.format("config", "colour").replace("=x", f"={word}")
    assert redact_text(plain) == plain


REFERENCES = [
    *("var.x", "data.aws_secretsmanager_secret_version.x.secret_string", "local.x", "module.x.y", "each.value.x"),
    *("${var.x}", "{{ x }}", "{{x}}", "${{ secrets.X }}", "random_password.db.result", "aws_ssm_parameter.x.value"),
    *("data.x.y.z[0]", "var.x[0].y", "path.module", "terraform.workspace", "settings.DB_PASSWORD", "config.api_key"),
    *("(sensitive value)", "(known after apply)", "%PASSWORD%", "!Ref X", "!GetAtt A.B", "each.key", "os.environ['X']"),
]


@pytest.mark.parametrize(
    "text", ["password={}", "db_password = {}", "  + api_key   = {}", "-var password={}", "a={} b={}"]
)
@pytest.mark.parametrize("value", REFERENCES)
def test_what_refers_to_a_secret_is_none(text: str, value: str) -> None:
    whole = text.replace("a={}", "password={}").format(value, value)
    for around in (f"{whole}", f"x\n{whole}\ny = 1", f"{whole},"):
        assert redact_text(around) == around


@pytest.mark.parametrize("value", ["var.k3J9x2Lq8Zt1", "Local.swordfish1", "data1234", "vars.swordfish", "a_b.c1x"])
def test_a_password_that_begins_as_a_reference_is_one(value: str) -> None:
    assert redact_text(f"password={value}") == f"password={MASK}"


@pytest.mark.parametrize(
    "text",
    [
        "AUTH default {}",
        "127.0.0.1:6379> AUTH {}",
        "10.0.0.1:6379[2]> auth default {}",
        "client.execute_command('AUTH', '{}')",
        "ACL SETUSER ada on >{} ~* +@all",
        "redis-cli ACL SETUSER ada on '>{}'",
    ],
)
@pytest.mark.parametrize("word", ["swordfish7", "amber7lamp"])
def test_what_redis_is_told_is_masked(text: str, word: str) -> None:
    assert redact_text(text.format(word)) == text.format(MASK)


@pytest.mark.parametrize(
    "text",
    ["AUTH LOGIN", "AUTH TLS", "250-AUTH PLAIN LOGIN", "AUTH failed", "AUTH default failed", "h> auth login web"],
)
def test_other_words_behind_auth_stay(text: str) -> None:
    assert redact_text(text) == text


def test_the_word_behind_a_scheme_is_masked_whole() -> None:
    head = "Authorization: Bear" + "er "
    for value in ("Amber!63", "A!b63c", "Amber#6@3", "Am%ber63="):
        for text in ("{}", "-H '{}' x", '{{"a": "{}"}}', "{}, b", "<p>&quot;{}&quot;</p>"):
            assert redact_text(text.format(head + value)) == text.format(head + MASK), text
    for value in ("$TOKEN", "${TOKEN}", "{token}", "<token>"):
        assert redact_text(head + value) == head + value


@pytest.mark.parametrize("name", ["password[db]", "passwords[0]", "password['db']", "db_password[x-1]", "api_key[0]"])
def test_a_name_that_says_which_of_several_tells_as_much(name: str) -> None:
    value = "zebra" + "fish7"
    for sign in ("=", " = ", ": "):
        assert redact_text(f"a {name}{sign}{value} b") == f"a {name}{sign}{MASK} b"
    for text in (f"{name} = get(x)", f"if {name} is None:", f"{name}: str"):
        assert redact_text(text) == text
