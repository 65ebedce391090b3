"""Smoke requests: the contract once through, over real HTTP, as `contract` of service.yaml describes it.

They are marked as probes, so they never count as users; whether the mark arrives is checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException

from runbook_lib.act.requests.conversation import Conversation, Failed
from runbook_lib.act.requests.http_call import Send
from runbook_lib.base.errors import AwsError
from runbook_lib.base.foreign import told
from runbook_lib.base.redact import redact_text
from runbook_lib.observe.jobs.behind import Behind
from runbook_lib.params.contract import Contract
from runbook_lib.params.service import Routes

STEPS = {
    "submit": "submit",
    "mark": "the mark of a probe arrives",
    "duplicate": "submit again: same job",
    "invalid": "invalid payload: refused",
    "poll": "poll to COMPLETED",
    "download": "download the report",
    "unknown": "unknown job: not found",
    "sync": "synchronous route answers",
}
"""Id and title of each step, in order."""
_POLL_S = 0.05


@dataclass(frozen=True)
class SmokeStep:
    """The result of one step."""

    name: str
    ok: bool
    detail: str
    seconds: float
    id: str = ""


def smoke(
    api_url: str,
    *,
    probe_id: str,
    routes: Routes,
    deadline_s: float = 10.0,
    poll_s: float = _POLL_S,
    contract: Contract | None = None,
    behind: Behind | None = None,
    send: Send | None = None,
) -> list[SmokeStep]:
    """Submits, submits again, submits nonsense, follows the job, fetches its result; an unknown job, the old route.

    Args:
        api_url: address of the API's stage.
        probe_id: mark of each job, by which the census excludes it.
        deadline_s: real seconds that the job may take.
        poll_s: seconds between two requests for its status.
        routes: the paths of the API.
        contract: how to talk to the service; default: that of `service.yaml` as delivered.
        behind: table and bucket; None: no check whether the mark arrives.
        send: sends a request; default: over HTTP.

    Returns:
        One result per step, in order; a step that needs a failed one says so. A bad or missing answer raises nothing.
    """
    conversation = Conversation(
        api_url, routes, probe_id, deadline_s, poll_s, contract=contract, behind=behind, send=send
    )
    return [attempt(id, STEPS[id], act) for id, act in conversation.steps().items()]


def sync_answer(api_url: str, path: str, probe_id: str, contract: Contract | None = None) -> SmokeStep:
    """One request to the synchronous route, marked as a probe: ok if the answer is as usual."""
    routes = Routes(sync=path, submit="", status="")
    return attempt("sync", STEPS["sync"], Conversation(api_url, routes, probe_id, 0, 0, contract=contract).sync)


def attempt(id: str, name: str, act: Callable[[], str]) -> SmokeStep:
    """The result of `act` as a step: its text, or why it failed; a bad or missing answer raises nothing.

    A service may echo a request: secrets are redacted here, in the process that knows them.
    """
    begun = time.monotonic()
    try:
        ok, detail = True, act()
    except Failed as failure:
        ok, detail = False, str(failure)
    except AwsError as error:
        ok, detail = False, str(error)
    except (OSError, ValueError, KeyError, HTTPException, RecursionError) as error:
        ok, detail = False, f"{type(error).__name__}: {error}"
    return SmokeStep(name, ok, told(redact_text(detail)), time.monotonic() - begun, id)
