"""Who let a job of GitHub into its protected environment: asked of GitHub's API by the job itself.

The job has the address of the API, its run and a token in its environment. Whoever may alter what runs in the job may
alter what it says: the caller's ARN by AWS has to show that it is a job that the reviewers let in (docs/audit.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field

from runbook_lib.base.errors import Refused
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.ci import github

_REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
_NEEDED = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_TOKEN")
_MEND = "approve in a job of GitHub that has `permissions: actions: read` and `GITHUB_TOKEN: ${{ github.token }}`"


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
    """Logins of the reviewers who let a job of the run in, in this attempt or an earlier one: GitHub does not say."""
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
    what = f"who let this job into {environment}"
    api, repository, run, attempt, bearer = github.given(environ, _NEEDED, what, _MEND)
    if not _REPOSITORY.fullmatch(repository) or not run.isdecimal():
        raise Refused(f"GITHUB_REPOSITORY '{repository}' or GITHUB_RUN_ID '{run}' is none", nothing_changed=True)
    at = f"{api.rstrip('/')}/repos/{repository}/actions/runs/{run}"
    said, reviews = (github.get(f"{at}{more}", bearer, what, _MEND) for more in ("", "/approvals"))
    try:
        logins: dict[str, list[str]] = {"approved": [], "rejected": []}
        for one in reviews:
            names = [str(each["name"]).casefold() for each in one["environments"]]
            if one["state"] in logins and environment.casefold() in names:
                logins[one["state"]].append(str(one["user"]["login"]))
        if int(said["id"]) != int(run):
            raise ValueError
        if str(said["run_attempt"]) != attempt:
            raise Refused(
                f"this job is of attempt {attempt} of run {run}, and GitHub tells of attempt {said['run_attempt']}: "
                "it was run again meanwhile",
                nothing_changed=True,
            )
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
