"""Envelopes: what was signed is what is read, by us and by a tool that nobody here wrote."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from runbook_lib.record.log.dsse import encoded, envelope, key_id, opened
from runbook_lib.record.log.signers import KeyFile, PublicKey
from tests.record.log.test_signers import private


class Curve:
    """As KMS signs: ECDSA over SHA-256."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.public = PublicKey(self._key.public_key())

    def sign(self, text: bytes) -> bytes:
        return self._key.sign(text, ec.ECDSA(SHA256()))


@pytest.fixture(params=["ed25519", "ecdsa"])
def signer(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return KeyFile(private(tmp_path / "key.pem")) if request.param == "ed25519" else Curve()


def test_what_is_signed_is_what_the_protocol_says() -> None:
    # The example of the protocol's own text.
    assert encoded(b"hello world", "http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_a_tool_of_others_verifies_an_envelope_and_refuses_a_changed_one(signer: Any) -> None:
    made = envelope(b'{"a":1}', signer)
    key = SSlibKey.from_crypto(signer.public.key, keyid=key_id(signer.public))
    assert list(Envelope.from_dict(json.loads(json.dumps(made))).verify([key], 1)) == [key.keyid]
    assert opened(json.dumps(made).encode(), signer.public) == {"a": 1}
    made["payload"] = base64.b64encode(b'{"a":2}').decode()
    with pytest.raises(VerificationError):
        Envelope.from_dict(json.loads(json.dumps(made))).verify([key], 1)
    with pytest.raises(ValueError, match="not signed by this key"):
        opened(json.dumps(made).encode(), signer.public)


def test_another_key_or_type_or_no_signature_is_not_believed(signer: Any, tmp_path: Path) -> None:
    made = envelope(b'{"a":1}', signer)
    other = KeyFile(private(tmp_path / "other.pem")).public
    for changed, told in (
        ({}, "not signed by this key"),
        ({"signatures": []}, "it is not signed"),
        ({"payloadType": "text/plain"}, "its payload is 'text/plain'"),
        ({"payloadType": ["x" * 500]}, r"^its payload is .{80}, not"),
        ({"payload": "%"}, "not a DSSE envelope"),
        ({"signatures": {"sig": "AA=="}}, "not a DSSE envelope"),
        ({"signatures": "AA=="}, "not a DSSE envelope"),
        ({"payload": None}, "not a DSSE envelope"),
        ({"signatures": made["signatures"] * 2}, "not signed by this key"),
        ({"signatures": [{"sig": 1}]}, "not a DSSE envelope"),
    ):
        with pytest.raises(ValueError, match=told):
            opened(json.dumps({**made, **changed}).encode(), other)
    for payload in (b"[1]", b'{"a":1,"a":2}', b"x"):
        with pytest.raises(ValueError, match="not a JSON object"):
            opened(json.dumps(envelope(payload, signer)).encode(), signer.public)


OTHERS = [lambda: rsa.generate_private_key(65537, 2048), X25519PrivateKey.generate, Ed448PrivateKey.generate]


@pytest.mark.parametrize("kind", OTHERS, ids=["rsa", "x25519", "ed448"])
def test_a_key_of_another_kind_has_signed_nothing(signer: Any, kind: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match="not signed by this key"):
        opened(json.dumps(envelope(b"{}", signer)).encode(), PublicKey(kind().public_key()))


KEY = Curve()


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.text(max_size=5),
        lambda one: (
            st.lists(one, max_size=2)
            | st.dictionaries(st.sampled_from(["payload", "payloadType", "signatures", "sig"]), one)
        ),
    ).map(lambda one: json.dumps(one).encode())
)
def test_whatever_is_given_is_refused_in_a_sentence(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it"):
        opened(text, KEY.public)
