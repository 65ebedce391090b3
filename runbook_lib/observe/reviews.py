"""Who let a job of GitHub into its protected environment: asked of GitHub's API by the job itself.

The job has the address of the API, its run and a token in its environment. Whoever may alter what runs in the job may
alter what it says: the caller's ARN by AWS has to show that it is a job that the reviewers let in (docs/audit.md).
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from runbook_lib.base.errors import Refused
from runbook_lib.judge.terms import Frozen

WAIT_S = 10.0
LARGEST = 1_000_000
"""Most bytes of an answer."""
VARIABLE = "GITHUB_TOKEN"
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)(:\d+)?(/|$)")
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
_NEEDED = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", VARIABLE)


class Review(Frozen):
    """One run of a workflow, and who let it into an environment."""

    repository: str
    environment: str
    run: int
    """Id of the run at GitHub."""
    attempt: int
    started_by: tuple[str, ...] = Field(min_length=1)
    """Logins of whoever started it, or this attempt of it."""
    approved_by: tuple[str, ...]
    """Logins of the reviewers who let a job of the run in."""
    rejected_by: tuple[str, ...]
    """Logins of those who refused it, in this attempt or an earlier one."""


def asked(environ: Mapping[str, str], environment: str) -> Review:
    """The reviews of the run that this job is of.

    Args:
        environ: the job's variables.
        environment: name of the protected environment.

    Raises:
        Refused: this is no job of GitHub, or GitHub cannot be asked.
    """
    if lacking := [name for name in _NEEDED if not environ.get(name)]:
        raise Refused(
            f"who let this job into {environment} cannot be asked: {', '.join(lacking)} is not set; approve in a job "
            f"of GitHub that has `permissions: actions: read` and `{VARIABLE}: ${{{{ github.token }}}}`",
            nothing_changed=True,
        )
    api, repository, run = (environ[name] for name in _NEEDED[:3])
    if not _REPOSITORY.fullmatch(repository) or not run.isdecimal():
        raise Refused(f"GITHUB_REPOSITORY '{repository}' or GITHUB_RUN_ID '{run}' is none", nothing_changed=True)
    if not api.startswith("https://") and not _LOOPBACK.match(api):
        raise Refused(f"GITHUB_API_URL '{api}' is no https address: the token is not sent there", nothing_changed=True)
    at = f"{api.rstrip('/')}/repos/{repository}/actions/runs/{run}"
    said, reviews = _get(at, environ[VARIABLE]), _get(f"{at}/approvals", environ[VARIABLE])
    try:
        logins: dict[str, list[str]] = {"approved": [], "rejected": []}
        for one in reviews:
            names = [str(each["name"]).casefold() for each in one["environments"]]
            if one["state"] in logins and environment.casefold() in names:
                logins[one["state"]].append(str(one["user"]["login"]))
        if int(said["id"]) != int(run):
            raise ValueError
        starters = [str(said[who]["login"]) for who in ("actor", "triggering_actor") if said.get(who)]
        return Review(
            repository=str(said["repository"]["full_name"]),
            environment=environment,
            run=int(said["id"]),
            attempt=int(said["run_attempt"]),
            started_by=tuple(dict.fromkeys(starters)),
            approved_by=tuple(dict.fromkeys(logins["approved"])),
            rejected_by=tuple(dict.fromkeys(logins["rejected"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"GitHub's answer about run {run} cannot be read ({type(error).__name__})") from None


class _Nowhere(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the token is for the configured address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _get(address: str, token: str) -> Any:
    request = urllib.request.Request(  # noqa: S310 (https or loopback: see `asked`)
        address,
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    try:
        with urllib.request.build_opener(_Nowhere).open(request, timeout=WAIT_S) as answer:
            return json.loads(answer.read(LARGEST))
    except urllib.error.HTTPError as error:
        why = f"it answered {error.code}"
        if error.code in (401, 403, 404):
            why += f"; the job needs `permissions: actions: read` and its own {VARIABLE}"
    except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
        why = f"it does not answer as an API does ({type(error).__name__})"
    raise Refused(f"GitHub cannot be asked who let this job in: {why}", nothing_changed=True)
