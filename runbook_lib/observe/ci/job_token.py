"""A token of GitHub's OpenID Connect: signed by GitHub, it says of which run and which environment a job is.

A job gets one only after the protection rules of its environment have let it in. It is asked for an audience of ours,
so that it is of use for nothing else; the record keeps its parts as texts, for whoever checks the signature later.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runbook_lib.base.errors import ArchiveError, Refused
from runbook_lib.base.plain_file import read_some
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.ci import github

_NEEDED = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
_MEND = "approve in a job of GitHub that has `permissions: id-token: write`"


class JobToken(Frozen):
    """The parts of a token (RFC 7515, compact serialization)."""

    header: str
    """JSON, byte for byte as it was signed."""
    claims: str
    """JSON, byte for byte as it was signed."""
    signature: str
    """As in the token: base64url."""

    @property
    def compact(self) -> str:
        """The token itself."""
        parts = (base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in (self.header, self.claims))
        return ".".join((*parts, self.signature))


def asked(environ: Mapping[str, str], audience: str) -> JobToken:
    """A token of this job for an audience.

    Raises:
        Refused: this is no job of GitHub, or GitHub cannot be asked.
    """
    what = "GitHub's word for this job"
    address, bearer = github.given(environ, _NEEDED, what, _MEND)
    joined = f"{address}{'&' if '?' in address else '?'}audience={quote(audience, safe='')}"
    answer = github.get(joined, bearer, what, _MEND)
    try:
        header, claims, signature = str(answer["value"]).split(".")
        return JobToken(header=_bytes(header).decode(), claims=_bytes(claims).decode(), signature=signature)
    except (KeyError, TypeError, ValueError):
        raise Refused(f"{what} is no token", nothing_changed=True) from None


def keys(where: str, folder: Path) -> list[Any]:
    """GitHub's public keys (JWKS): of an address, or of a file in a folder.

    Raises:
        Refused: they cannot be read.
    """
    if "://" in where:
        found = github.get(where, "", f"the keys {where}", "expects the address of a JWKS")
    else:
        try:
            found = json.loads(read_some(folder / where, github.LARGEST))
        except (OSError, ValueError, RecursionError, ArchiveError) as error:
            raise Refused(f"the keys {where} cannot be read beside gates.yaml ({type(error).__name__})") from None
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise Refused(f"{where} holds no keys (JWKS)", nothing_changed=True)
    return list(found["keys"])


def verified(token: JobToken, known: list[Any]) -> dict[str, Any]:
    """The claims of a token that one of the keys has signed (RS256, and no other way).

    A key of another kind, or one that cannot be read, is none: beside it the others count all the same (RFC 7517, 5).

    Raises:
        ValueError: none has, or the token cannot be read.
    """
    from joserfc.errors import JoseError
    from joserfc.jws import JWSRegistry, deserialize_compact

    # What a header says beyond the standard is signed, and not for us (RFC 7515, 4), unless it is critical.
    rules = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    try:
        for key in _rsa(known, _object(token.header).get("kid")):
            with contextlib.suppress(JoseError):
                return _object(deserialize_compact(token.compact, key, registry=rules).payload or b"")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise ValueError("it cannot be read") from None
    raise ValueError("none of the keys has signed it")


def _object(text: str | bytes) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError
    return found


def _rsa(known: list[Any], name: Any) -> Iterator[Any]:
    """The keys of the one kind that can have signed a token, which it names or that have no name."""
    from joserfc.errors import JoseError
    from joserfc.jwk import RSAKey

    for one in known:
        if not isinstance(one, dict) or one.get("kty") != "RSA" or (name and one.get("kid", name) != name):
            continue
        with contextlib.suppress(JoseError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
            yield RSAKey.import_key(one)


def _bytes(text: str) -> bytes:
    """Base64url without padding, spelt in the one right way."""
    found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != text:
        raise ValueError
    return found
