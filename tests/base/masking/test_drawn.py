"""Words that look drawn at random are masked wherever they stand; names, hashes and what is encoded stay."""

from __future__ import annotations

import base64
import json
import random
import string
from itertools import pairwise

import pytest

from runbook_lib.base.masking.drawn import ALONE, looks_drawn, mask_drawn
from runbook_lib.base.redact import MASK, redact_text
from runbook_lib.base.redact_data import redact
from tests.linear import grows

LETTERS = string.ascii_letters + string.digits
X = "Zq7vK2mXw9" + "LpR4tB"
"""Drawn once, so that no text of it lies about."""
NAMES = (
    *("ApiGatewayV2", "EC2InstanceV3", "S3BucketV2Acl", "IPv4CidrBlock", "ListObjectsV2Page2", "Base64Encoder"),
    *("VprJobsQueue0A1B2C3D", "CareervpApiapivprPOST6B6C6D6E", "VprSubmitLambdaServiceRoleDefaultPolicyA0B0C0D0"),
    *("20261130T134014Z-9f86d081", "0xBF58476D1CE4E5B9", "Ed25519PublicKey", "us-east-1", "9F86D081884C7d65"),
    *("prod-orders-VprWorker4D5E6F70-lwJZ1BQCmgy9", "/aws/lambda/orders-VprSubmit0A1B2C3D-aB3dE5fG7hI9"),
)
ENCODED = (
    "kYWNY1S0qSkEBkCMHeNDkTSfVpKxSVxlkOxE4d8Hgdg=",
    "SHA256:kYWNY1S0qSkEBkCMHeNDkTSfVpKxSVxlkOxE4d8Hgdg",
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkYWNY1S0qSkEBkCMHeNDkTSfVpKx",
)


@pytest.mark.parametrize(
    "text",
    [
        "worker {} failed",
        "https://h/hooks/T0/{}?x=1",
        'const key: string = "{}";',
        "(setq k '{}')",
        "| user | {} |",
        "etcdctl put /app/x {}",
        "live-{}-main",
        "<td>{}</td>",
        "{}",
    ],
)
def test_a_drawn_word_is_masked_wherever_it_stands(text: str) -> None:
    told = redact_text(text.format(X))
    assert X not in told and MASK in told and redact_text(told) == told
    assert redact({"result": X, "n": 1}) == {"result": MASK, "n": 1}


@pytest.mark.parametrize("name", [*NAMES, *ENCODED])
def test_names_hashes_and_what_is_encoded_stay(name: str) -> None:
    for text in (name, f"{name} failed", f"'{name}': 3", f"see {name}.", f"({name})"):
        assert mask_drawn(text) == text


@pytest.mark.parametrize(("length", "least"), [(12, 0.65), (16, 0.65), (20, 0.8), (32, 0.8), (40, 0.8)])
def test_of_words_that_are_drawn_most_are_known(length: int, least: float) -> None:
    draw = random.Random(length)
    words = ["".join(draw.choices(LETTERS, k=length)) for _ in range(60)]
    assert sum(looks_drawn(word, ALONE) for word in words) >= least * len(words)


def test_a_signature_and_a_public_key_stay_however_base64_writes_them() -> None:
    """A token of GitHub's, a checkpoint, a verdict: a record in which a part of one is masked proves nothing."""
    draw = random.Random(3)
    for size in (64, 70, 71, 72, 96, 256):
        for _ in range(60):
            raw = draw.randbytes(size)
            for told in (
                base64.b64encode(raw),
                base64.urlsafe_b64encode(raw),
                base64.urlsafe_b64encode(raw).rstrip(b"="),
            ):
                text = json.dumps({"signature": told.decode()})
                assert mask_drawn(text) == text
    assert X not in mask_drawn(f"{'orders-' * 12}{X}"), "a long name with one drawn part is none"


def test_of_words_that_people_join_none_is_taken_for_one() -> None:
    draw = random.Random(7)
    parts = ("Vpr", "Jobs", "Queue", "Dlq", "Worker", "Api", "Get", "Job", "Status", "prod", "Lambda", "Report")
    words = ["".join(draw.choices(parts, k=draw.randint(2, 4))) for _ in range(4_000)]
    words = [f"{first}{draw.choice(('V2', 'S3', 'EU1', '2', '10'))}{last}" for first, last in pairwise(words)]
    wrong = {word for word in words if looks_drawn(word, ALONE)}
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("chain", [f"{X}_", f"{X}/", "aB1", f"{X}+", f"{X} "])
def test_the_time_is_linear_in_the_text(chain: str) -> None:
    # If it grew with the square, it would take eight times as long again.
    assert any(grows(mask_drawn, chain, 10_000, 8, 0.0005) < 20 for _ in range(3))
