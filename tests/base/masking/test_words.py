"""Secrets in a command line that is written as a list of its words."""

from __future__ import annotations

import pytest

from runbook_lib.base.redact import MASK, redact_text
from runbook_lib.base.redact_data import redact
from tests.linear import seconds

SECRET = "hunter2x"


@pytest.mark.parametrize(
    "text",
    [
        f"['psql', '--password', '{SECRET}",
        f"['psql', '--password', 'it\\'s {SECRET}']",
        f"['x', '--api-key', r'{SECRET}', u'y']",
        f"`--password`, `{SECRET}`",
        f"args: [server, --requirepass, {SECRET}]",
        f"['redis-server', '--requirepass', '{SECRET}']",
        f"[--api-key, {SECRET}, --port, 80]",
        f"['sudo', '-u', 'root', 'mysql', '-p{SECRET}']",
        f"['env', 'X=1', '/usr/bin/sshpass', '-p', '{SECRET}', 'ssh']",
        f"['sshpass', '-p', 'two {SECRET} words', 'ssh']",
        f"['mysql', '-e', \"select 'x' from y\", '', '-p{SECRET}']",
        f"['mysql', '-p{SECRET}', '-e', 'select 1']",
        f"['psql', '-h', 'db', '-W', '{SECRET}']",
        f"psql -h db -W {SECRET} reports",
        f"['--password', None, '{SECRET}']",
        f"['mysql', 5, '-p{SECRET}']",
        f'["--api-key", 1.5, true, "{SECRET}"]',
        f"<ul><li>--password</li><li>{SECRET}</li></ul>",
        f"<code>--requirepass</code> <code>{SECRET}</code>",
    ],
)
def test_the_word_after_a_telling_option_is_masked(text: str) -> None:
    clean = redact_text(text)
    assert SECRET not in clean and MASK in clean and redact_text(clean) == clean


@pytest.mark.parametrize(
    "words",
    [
        ["sudo", "mysql", f"-p{SECRET}", "-e", "select 1"],
        ["mysql", "-e", "select 'a;b' from c", "", f"-p{SECRET}"],
        ["sshpass", "-p", f"two {SECRET}", "ssh", "host"],
        ["psql", "-p", 5432, "-W", SECRET],
        ["psql", "--password", None, SECRET],
        ["sudo", 5, "mysql", {"a": 1}, f"-p{SECRET}"],
    ],
)
def test_of_a_list_the_other_words_stay(words: list[object]) -> None:
    clean = redact(words)
    assert SECRET not in str(clean) and len(clean) == len(words)
    changed = [was for was, now in zip(words, clean, strict=True) if was != now]
    assert changed == [one for one in words if SECRET in str(one)]


@pytest.mark.parametrize(
    "text",
    [
        "['--region', 'eu-west-1']",
        "['mysql', '--host', 'db', '-e', \"select 'x'\", '']",
        "[--region, eu-west-1, --key, job_id]",
        "['--bypass', 'yes']",
        "Options are '--password' 'or' '--token'.",
        "Give '--token' \"or a file\".",
        "psql --no-password reports",
        "['psql', '--no-password', 'reports']",
        "aws s3api list-objects --next-token eyjjb250aw51zsi1 --starting-token abc12345",
        "aws cloudformation deploy --client-request-token 2026-11-30-7f3a",
        "['--starting-token', 'abc12345', '--client-request-token', 'abc12345']",
        '{"NextToken": "abc/12345+x==", "next_token": "abc/12345", "idempotencyToken": "a1b2c3d4"}',
        "<li>--region</li><li>eu-west-1</li>",
        "['sudo', 'docker', 'run', '-p', '8080:80', 'image']",
        "['--secret-id', 'prod/db', '--secret-arn', 'arn:aws:secretsmanager:eu-west-1:1:secret:x']",
        "- --region\n- eu-west-1\n",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [
        "'--password', ",
        "'--password', '",
        "'mysql', ",
        "'mysql' '\\",
        "[--a-password, ",
        "- --password\n",
        "`--",
        "\\'",
        "<li>--password</li><li>",
        "'--password', 5, ",
        "'mysql', None, ",
    ],
)
def test_the_time_is_linear(part: str) -> None:
    assert seconds(redact_text, part, 200_000, "password mysql ") < 3
