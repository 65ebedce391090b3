"""Each token that a provider's beginning tells is masked whole, wherever it stands."""

from __future__ import annotations

import random
import re
import string

import pytest

from runbook_lib.base.masking.tokens import SHAPES, TOKENS
from runbook_lib.base.redact import redact_text

AROUND = ("{}", "worker failed with {} in use", '"{}"', "<td>{}</td>", "| {} |", "(see {})", "x={}", "[{}]")
DRAW = random.Random(5)
HEX = "0123456789abcdef"
WORD = string.ascii_letters + string.digits


def drawn(length: int, signs: str = WORD) -> str:
    return "".join(DRAW.choices(signs, k=length))


def uuid() -> str:
    return "-".join(drawn(length, HEX) for length in (8, 4, 4, 4, 12))


SHAPED = {
    "Azure AD": drawn(3) + "4Q" + "~" + drawn(34),
    "Azure DevOps": drawn(75) + "AZ" + "DO" + drawn(4),
    "Azure Functions": drawn(44) + "Az" + "Fu" + drawn(6) + "==",
    "Azure Storage": drawn(76) + "+A" + "St" + drawn(6) + "==",
    "Azure OpenAI": drawn(52) + "AAABAC" + drawn(7) + "AC" + "OG" + drawn(4),
    "Airtable": "pat" + drawn(14) + "." + drawn(64, HEX),
    "HubSpot": "pat-na1-" + uuid(),
    "LaunchDarkly": "sdk-" + uuid(),
    "Plaid": "access-production-" + uuid(),
    "Cloudflare": "v1.0-" + drawn(24, HEX) + "-" + drawn(146, HEX),
    "RapidAPI": drawn(8) + "msh" + drawn(18) + "jsn" + drawn(11),
    "Mailchimp": drawn(32, HEX) + "-us12",
    "Mandrill": "md-" + drawn(21) + "7",
    "apr1": "$apr1$" + drawn(8) + "$" + drawn(22),
    "LDAP": "{SSHA}" + drawn(32) + "==",
    "PBKDF2": "pbkdf2_sha256$600000$" + drawn(22) + "$" + drawn(43) + "=",
    "SCRAM": "SCRAM-SHA-256$4096:" + drawn(22) + "==$" + drawn(43) + "=:" + drawn(43) + "=",
    "Healthchecks": "https://hc-ping.com/" + uuid(),
    "Zapier": "https://hooks.zapier.com/hooks/catch/123456/" + drawn(7) + "/",
}


def _left(token: str, text: str) -> bool:
    """Whether a long part of the token is still there."""
    parts = re.findall(r"[A-Za-z0-9]{7,}", token)
    return max(parts[-2:], key=len) in text


@pytest.mark.parametrize(("begin", "signs", "least"), TOKENS, ids=[one[0] for one in TOKENS])
def test_a_token_is_masked_by_its_beginning(begin: str, signs: str, least: int) -> None:
    every = [sign for sign in map(chr, range(33, 127)) if re.fullmatch(f"[{signs}]", sign) and sign.isalnum()]
    for around in AROUND:
        token = drawn(least + 4, "".join(every))
        assert token[4:] not in redact_text(around.format(begin + token))


@pytest.mark.parametrize("name", SHAPED)
def test_a_token_is_masked_by_its_shape(name: str) -> None:
    for around in AROUND:
        assert not _left(SHAPED[name], redact_text(around.format(SHAPED[name])))


def test_each_shape_has_an_example() -> None:
    for needles, pattern in SHAPES:
        found = [token for token in SHAPED.values() if re.search(pattern, token)]
        assert found, pattern
        assert all(any(needle in token.casefold() for needle in needles) for token in found)


@pytest.mark.parametrize(
    "text",
    [
        "pattern-12 sdk-js md-report access-production-logs v1.0-beta msh pat-na1 jsn",
        "queue orders-us12, 9f86d081884c7d65-us-east-1, $1 each, $1$, pbkdf2_sha256 is what Django takes",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_words_like_them_stay(text: str) -> None:
    assert redact_text(text) == text
