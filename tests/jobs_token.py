"""An issuer of tokens as GitHub's is one: a key, its JWKS, and tokens signed by it."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from runbook_lib.observe.ci.reviews import Review

CLAIMS: dict[str, Any] = {
    "iss": "https://token.example",
    "aud": "rollout-runbook:x",
    "repository": "acme/orders",
    "environment": "approve-prod",
    "run_id": "42",
    "run_attempt": "1",
    "iat": 0,
}


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


SAID = Review(
    repository="acme/orders",
    environment="approve-prod",
    run=42,
    attempt=1,
    started_by=("olga",),
    approved_by=("grace",),
    rejected_by=(),
)
"""A job that was let in, as GitHub's API answers."""


@lru_cache(maxsize=4)
def key(name: str) -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def jwks(*names: str) -> dict[str, Any]:
    numbers = {name: key(name).public_key().public_numbers() for name in names}
    return {
        "keys": [
            {"kty": "RSA", "kid": name, "n": b64(one.n.to_bytes(256, "big")), "e": b64(one.e.to_bytes(3, "big"))}
            for name, one in numbers.items()
        ]
    }


def token(claims: dict[str, Any], by: str = "ours", **header: str) -> str:
    head = json.dumps({"alg": "RS256", "kid": by, "typ": "JWT", **header})
    signed = f"{b64(head.encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(key(by).sign(signed.encode(), PKCS1v15(), SHA256()))}"
