"""A token of a job: read as it was signed, and believed only if one of the keys has signed it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import Refused
from runbook_lib.observe.ci import github
from runbook_lib.observe.ci.job_token import JobToken, asked, keys, verified
from tests.jobs_token import CLAIMS, b64, jwks, token


def parts(text: str, **more: str) -> JobToken:
    return asked_of(text).model_copy(update=more)


def asked_of(value: Any) -> JobToken:
    """A token that GitHub answers with this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(github, "get", lambda *_: value if isinstance(value, dict) else {"value": value})
        return asked({"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x?y=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}, "aud")


def test_it_is_asked_for_the_audience(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, ...]] = []
    monkeypatch.setattr(github, "get", lambda *said: seen.append(said) or {"value": token(CLAIMS)})
    job = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x?y=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
    assert verified(asked(job, "rollout-runbook:&a"), jwks("ours")["keys"]) == CLAIMS
    assert seen[0][:2] == ("https://x?y=1&audience=rollout-runbook%3A%26a", "t")
    with pytest.raises(Refused, match="id-token: write"):
        asked({}, "aud")


NO_TOKEN = [{}, {"value": None}, "x", "a.b", "a.b.c.d", "!.!.!", f"{b64(bytes([255]))}.e30.e30", []]
NOT_SIGNED = r"none of the keys has signed it|it cannot be read"


@pytest.mark.parametrize("value", NO_TOKEN)
def test_what_is_no_token_is_one_sentence(value: Any) -> None:
    with pytest.raises(Refused, match="is no token"):
        asked_of({"value": value} if isinstance(value, list) else value)


def test_a_token_of_another_issuer_or_of_other_words_is_not_believed() -> None:
    known, right = jwks("ours")["keys"], asked_of(token(CLAIMS))
    assert verified(right, known) == CLAIMS
    other = asked_of(token(CLAIMS, "theirs"))
    wrong = [
        other,
        other.model_copy(update={"header": right.header}),
        right.model_copy(update={"claims": right.claims.replace("prod", "dev")}),
        right.model_copy(update={"claims": right.claims + " "}),
        right.model_copy(update={"signature": ""}),
        right.model_copy(update={"signature": right.signature + "="}),
        asked_of(token(CLAIMS, alg="none")),
        asked_of(token(CLAIMS, alg="HS256")),
        JobToken(header="[]", claims="{}", signature="e30"),
        JobToken(header="{", claims="{}", signature="e30"),
        JobToken(header="[" * 100_000, claims="{}", signature="e30"),
    ]
    for one in wrong:
        with pytest.raises(ValueError, match=NOT_SIGNED):
            verified(one, known)
    for strange in ([], [None], [{**known[0], "kty": "EC"}], [{**known[0], "n": 3}], [{"kty": "RSA", "kid": "ours"}]):
        with pytest.raises(ValueError, match=NOT_SIGNED):
            verified(right, strange)


def test_keys_are_a_file_beside_or_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jwks.json").write_text(json.dumps(jwks("ours")))
    assert keys("jwks.json", tmp_path) == jwks("ours")["keys"]
    monkeypatch.setattr(github, "get", lambda address, *_: {"keys": [address]})
    assert keys("https://x/jwks", tmp_path) == ["https://x/jwks"]
    for text in ("[]", "{}", '{"keys": 1}', "", "[" * 100_000):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(Refused, match=r"bad\.json"):
            keys("bad.json", tmp_path)
    with pytest.raises(Refused, match=r"cannot be read beside gates\.yaml"):
        keys("gone.json", tmp_path)


def test_a_key_that_is_no_such_key_spoils_none_of_the_others() -> None:
    right, (own,) = asked_of(token(CLAIMS)), jwks("ours")["keys"]
    strange = [
        {"kty": "oct", "k": "AAAA", "kid": "ours"},
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA", "kid": "new"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "ours"},
        {"kid": "ours"},
        "ours",
        {**own, "n": "AA"},
        {**jwks("theirs")["keys"][0], "kid": "ours"},
        {**own, "use": "enc"},
    ]
    assert verified(right, [*strange, own]) == CLAIMS
    with pytest.raises(ValueError, match=NOT_SIGNED):
        verified(right, strange)
    assert verified(right, [{name: text for name, text in own.items() if name != "kid"}]) == CLAIMS


def test_a_header_beyond_the_standard_is_nothing_unless_it_is_critical() -> None:
    known = jwks("theirs", "ours")["keys"]
    assert verified(asked_of(token(CLAIMS, x5t="abc", zzz="new")), known) == CLAIMS
    for crit in (["zzz"], "zzz", ["zzz", "b64"]):
        with pytest.raises(ValueError, match=NOT_SIGNED):
            verified(asked_of(token(CLAIMS, crit=crit, zzz="new")), known)  # type: ignore[arg-type]


def test_claims_that_are_no_object_cannot_be_read() -> None:
    for claims in ([["aud", "x"]], [1], "ab", 3, None):
        with pytest.raises(ValueError, match="cannot be read"):
            verified(asked_of(token(claims)), jwks("ours")["keys"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot be read"):
        verified(asked_of(token(CLAIMS)).model_copy(update={"claims": '{"a": "\udc80"}'}), jwks("ours")["keys"])
