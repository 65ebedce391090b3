"""Signing and checking checkpoints: an ed25519 key in a file, or an asymmetric key of AWS KMS.

Signature lines follow https://c2sp.org/signed-note: type 0x01 is Ed25519, type 0x02 ECDSA over SHA-256, whose key
id is computed from the public key alone.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from runbook_lib.base.errors import ArchiveError, AwsError
from runbook_lib.base.plain_file import read_some
from runbook_lib.record.log.note import Checkpoint

MOST_KEY = 100_000
"""Most bytes of a key file; a key has some hundred."""
KMS = "awskms:"
"""Prefix of a KMS key's name: `awskms:alias/runbook`, `awskms:arn:aws:kms:...`."""
_ED25519 = b"\x01"
_RAW = 4096
"""Most bytes that KMS hashes itself (API reference of Sign, `Message`)."""


class Signer(Protocol):
    """Signs checkpoints."""

    @property
    def public(self) -> PublicKey:
        """The key that checks its signatures."""
        ...

    def sign(self, text: bytes) -> bytes:
        """The signature of a text, without its line."""
        ...


@dataclass(frozen=True)
class PublicKey:
    """Checks the signatures of one key."""

    key: Any
    """A key of `cryptography`: Ed25519, or an elliptic curve."""

    @property
    def ed25519(self) -> bool:
        """Whether the key is Ed25519; else it is ECDSA."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return isinstance(self.key, Ed25519PublicKey)

    def key_id(self, name: str) -> bytes:
        """The four bytes before a signature made under `name`."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        if self.ed25519:
            raw = self.key.public_bytes(Encoding.Raw, PublicFormat.Raw)
            return hashlib.sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:4]
        spki = self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(spki).digest()[:4]

    def pem(self) -> bytes:
        """The key as a PEM file."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        pem: bytes = self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem

    def signed(self, checkpoint: Checkpoint) -> bool:
        """Whether the checkpoint has a valid signature of this key."""
        wanted = self.key_id(checkpoint.origin)
        return any(
            name == checkpoint.origin and blob[:4] == wanted and self.right(checkpoint.body, blob[4:])
            for name, blob in checkpoint.signatures
        )

    def right(self, text: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's signature of the text. A key of another kind has signed nothing here."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            if self.ed25519:
                self.key.verify(signature, text)
            elif isinstance(self.key, EllipticCurvePublicKey):
                self.key.verify(signature, text, ECDSA(SHA256()))
            else:
                return False
        except InvalidSignature:
            return False
        return True


class KeyFile:
    """An ed25519 private key in a PEM file (PKCS 8), as `openssl genpkey -algorithm ed25519` writes it."""

    def __init__(self, path: Path) -> None:
        self._key = _loaded(path)

    @property
    def public(self) -> PublicKey:
        """The key that checks its signatures."""
        return PublicKey(self._key.public_key())

    def sign(self, text: bytes) -> bytes:
        """The signature of a text, without its line."""
        signature: bytes = self._key.sign(text)
        return signature


def _loaded(path: Path) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(read_some(path, MOST_KEY), password=None)
    except OSError as error:
        raise ArchiveError(f"the signing key {path} cannot be read ({error.strerror})") from None
    except (ValueError, TypeError):
        raise ArchiveError(f"the signing key {path} is not a private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ArchiveError(
            f"the signing key {path} is not an ed25519 key; make one: `openssl genpkey -algorithm ed25519`"
        )
    return key


class KmsKey:
    """An elliptic-curve key of AWS KMS (key spec ECC_NIST_P256, usage SIGN_VERIFY)."""

    def __init__(self, name: str, region: str) -> None:
        from runbook_lib.base.aws import WHO_S, Aws

        self._name = name
        self._kms = Aws(region, answer_s=WHO_S, tries=2).client("kms")

    @cached_property
    def public(self) -> PublicKey:
        """The key that checks its signatures; AWS is asked once."""
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        from runbook_lib.base.aws_errors import aws_errors

        with aws_errors("asking AWS KMS for the public key"):
            return PublicKey(load_der_public_key(self._kms.get_public_key(KeyId=self._name)["PublicKey"]))

    def sign(self, text: bytes) -> bytes:
        """The signature of a text, without its line."""
        from runbook_lib.base.aws_errors import aws_errors

        long = len(text) > _RAW
        said = {"Message": hashlib.sha256(text).digest() if long else text, "MessageType": "DIGEST" if long else "RAW"}
        with aws_errors("signing with AWS KMS"):
            answer = self._kms.sign(KeyId=self._name, SigningAlgorithm="ECDSA_SHA_256", **said)
            return bytes(answer["Signature"])


def signer(name: str, region: str = "") -> Signer:
    """The signer that `signing_key` names.

    Raises:
        ArchiveError: the key is unavailable.
    """
    if not name.startswith(KMS):
        return KeyFile(Path(name).expanduser())
    key = name.removeprefix(KMS)
    try:
        return KmsKey(key, region_of(key, region))
    except AwsError as error:
        raise ArchiveError(str(error)) from None


def region_of(arn: str, region: str) -> str:
    """The region in the name if it is an ARN; else `region`."""
    found = re.match(r"arn:[\w-]+:\w+:([\w-]+):", arn)
    return found[1] if found else region


def public_key(name: str, region: str = "") -> PublicKey:
    """The public key that `signing_key` names, or of a PEM file with a public key only.

    Raises:
        ArchiveError: the key is unavailable.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if not name.startswith(KMS):
        path = Path(name).expanduser()
        try:
            text = read_some(path, MOST_KEY)
        except OSError as error:
            raise ArchiveError(f"the key {name} cannot be read ({error.strerror})") from None
        with suppress(ValueError):
            return PublicKey(load_pem_public_key(text))
        if b"PRIVATE KEY-----" in text:  # the file holds the private key, and so the public one
            return PublicKey(_loaded(path).public_key())
        raise ArchiveError(f"the key {name} is not a public key in PEM, as `openssl pkey -in KEY -pubout` writes it")
    try:
        return signer(name, region).public
    except AwsError as error:
        raise ArchiveError(str(error)) from None
