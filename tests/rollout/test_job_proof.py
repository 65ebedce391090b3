"""GitHub's signed word covers one approval by one job, and no other."""

from __future__ import annotations

import base64
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import Refused
from runbook_lib.observe.ci.job_token import JobToken
from runbook_lib.params.approvals import Reviewed
from runbook_lib.rollout.job_proof import audience, wrong
from tests.jobs_token import CLAIMS, SAID, jwks, token

AT = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)
WANTED = Reviewed(
    callers=("*",), repository="acme/orders", environment="approve-prod", reviewers=("grace",), keys="jwks.json"
)
STANDS = [("06@prod", "a" * 12, "b" * 64)]


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    (tmp_path / "jwks.json").write_text(json.dumps(jwks("ours")))
    return tmp_path


def of(**claims: Any) -> JobToken:
    said = {**CLAIMS, "aud": audience(("prod", "r1", 1), "07", "lead", STANDS), "iat": int(AT.timestamp()), **claims}
    head, body, signature = token({name: one for name, one in said.items() if one is not None}).split(".")
    plain = [base64.urlsafe_b64decode(one + "==").decode() for one in (head, body)]
    return JobToken(header=plain[0], claims=plain[1], signature=signature)


def found(given: JobToken | None, beside: Path, at: dt.datetime | None = AT) -> str:
    return wrong(WANTED, SAID, given, audience(("prod", "r1", 1), "07", "lead", STANDS), at, beside)


def test_a_token_of_this_job_for_this_approval_counts(beside: Path) -> None:
    assert found(of(), beside) == ""
    assert found(of(), beside, AT + dt.timedelta(minutes=14)) == ""


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"aud": audience(("prod", "r1", 2), "07", "lead", STANDS)}, "is for another aud"),
        ({"aud": audience(("prod", "r2", 1), "07", "lead", STANDS)}, "is for another aud"),
        ({"aud": audience(("prod", "r1", 1), "08", "lead", STANDS)}, "is for another aud"),
        ({"aud": audience(("prod", "r1", 1), "07", "qa", STANDS)}, "is for another aud"),
        ({"aud": audience(("prod", "r1", 1), "07", "lead", [(*STANDS[0][:2], "c" * 64)])}, "is for another aud"),
        ({"aud": ["rollout-runbook:x"]}, "is for another aud"),
        ({"environment": None}, "is for another environment"),
        ({"environment": "dev"}, "is for another environment"),
        ({"repository": "eve/orders"}, "is for another repository"),
        ({"run_id": "41"}, "is for another run_id"),
        ({"run_attempt": "2"}, "is for another run_attempt"),
        ({"run_attempt": None}, "is for another run_attempt"),
        ({"iat": int(AT.timestamp()) - 3600}, "is of another time"),
        ({"iat": int(AT.timestamp()) + 3600}, "is of another time"),
        ({"iat": None}, "it cannot be read"),
        ({"iat": "x"}, "does not count"),
        ({"iat": 10**30}, "it cannot be read"),
    ],
)
def test_another_one_does_not(beside: Path, claims: dict[str, Any], says: str) -> None:
    assert says in found(of(**claims), beside)


def test_none_a_forged_one_and_keys_that_cannot_be_read(beside: Path) -> None:
    assert "has no token" in found(None, beside)
    forged = of().model_copy(update={"claims": of().claims.replace("acme", "eve")})
    assert "none of the keys has signed it" in found(forged, beside)
    assert "another time" in found(of(), beside, None)
    (beside / "jwks.json").unlink()
    with pytest.raises(Refused, match=r"jwks\.json cannot be read"):
        found(of(), beside)
