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
