"""Whether GitHub itself has signed that the job which approves is of the protected environment, and approves this.

Without it, who let a job in is the word of what ran in the job; an entry that was put into the archive could say it,
too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from runbook_lib.observe.ci.job_token import JobToken, keys, verified
from runbook_lib.observe.ci.reviews import Review
from runbook_lib.params.approvals import Reviewed, slug

NEAR = dt.timedelta(minutes=15)
"""Most time between the token and the approval: a token that was kept does not make an old approval a new one."""


def audience(place: Iterable[object], notebook: str, role: str, stands: Iterable[Iterable[str]]) -> str:
    """What a token is asked for: this approval, and no other.

    Args:
        place: environment, release and attempt.
        stands: step, run and hash of each record that is signed off.
    """
    lines = ["runbook approve", *map(str, place), notebook, slug(role), *(" ".join(one) for one in stands)]
    return f"rollout-runbook:{sha256(chr(10).join(lines).encode()).hexdigest()}"


def wrong(
    wanted: Reviewed, said: Review, token: JobToken | None, audience: str, at: dt.datetime | None, beside: Path
) -> str:
    """Why GitHub's word does not cover an approval; empty: it does.

    Args:
        at: instant of the approval.
        beside: folder that a file of keys lies in.

    Raises:
        Refused: GitHub's keys cannot be read.
    """
    if token is None:
        return "it has no token of GitHub's for its job"
    try:
        claims = verified(token, keys(wanted.keys, beside))
        issued = dt.datetime.fromtimestamp(int(claims["iat"]), dt.UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError) as error:
        return f"its token of GitHub's does not count: {error if type(error) is ValueError else 'it cannot be read'}"
    expected = {
        "aud": audience,
        "repository": wanted.repository,
        "environment": wanted.environment,
        "run_id": str(said.run),
        "run_attempt": str(said.attempt),
    }
    for name, value in expected.items():
        if str(claims.get(name, "")).casefold() != value.casefold():
            return f"its token of GitHub's is for another {name}"
    if at is None or abs(at - issued) > NEAR:
        return "its token of GitHub's is of another time"
    return ""
