"""DSSE envelopes: a payload with its type and signatures over both (https://github.com/secure-systems-lab/dsse).

The same key signs checkpoints: the signed bytes here begin with `DSSEv1`, so neither passes for the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from runbook_lib.record.log.signers import PublicKey, Signer
from runbook_lib.record.seal import strict

TYPE = "application/vnd.in-toto+json"


def encoded(payload: bytes, type_: str = TYPE) -> bytes:
    """The bytes to sign: the protocol's pre-authentication encoding."""
    kind = type_.encode()
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])


def key_id(key: PublicKey) -> str:
    """A hint at the signing key: SHA-256 of the public key (DER), hexadecimal. Nothing relies on it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def envelope(payload: bytes, signer: Signer) -> dict[str, Any]:
    """The payload in a signed envelope.

    Raises:
        ArchiveError, AwsError: the signer cannot be used.
    """
    signature = base64.b64encode(signer.sign(encoded(payload))).decode()
    return {
        "payloadType": TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": key_id(signer.public), "sig": signature}],
    }


def opened(text: bytes, key: PublicKey) -> dict[str, Any]:
    """The payload of an envelope, a JSON object, if `key` signed it.

    Raises:
        ValueError: the text is no such envelope, or the key did not sign it; half a sentence.
    """
    try:
        found = strict(text)
        type_, payload = found["payloadType"], _decoded(found["payload"])
        signatures = [_decoded(one["sig"]) for one in found["signatures"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("it is not a DSSE envelope") from None
    if type_ != TYPE:
        raise ValueError(f"its payload is {repr(type_)[:80]}, not {TYPE}")
    signed = encoded(payload)
    if not any(key.right(signed, one) for one in signatures):
        raise ValueError("it is not signed by this key" if signatures else "it is not signed")
    try:
        said = strict(payload)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise ValueError("its payload is not a JSON object")
    return said


def _decoded(text: str) -> bytes:
    """The bytes of base64 text in either alphabet, as the protocol allows."""
    try:
        return base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, AttributeError):
        raise ValueError("no base64") from None
