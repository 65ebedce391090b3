"""AppConfig's list of deployments in AWS's order; runs inside the emulator's process.

MiniStack lists the oldest fifty deployments of an environment and no next page: from the fifty-first on, the one that
is under way is missing. AWS lists the newest first, in pages (API reference, ListDeployments).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

PAGE = 50
"""Default number of items on a page; AWS gives no more."""
_ALL = 1_000_000

Answer = tuple[int, dict[str, str], bytes]


def paged(list_deployments: Callable[[str, str, Mapping[str, Any]], Answer]) -> Callable[..., Answer]:
    """MiniStack's `list_deployments` with the newest first, one page at a time.

    The token of a page is the number of the last deployment before it: a deployment made meanwhile moves no page.
    """

    def answer(app_id: str, env_id: str, query: Mapping[str, Any]) -> Answer:
        status, headers, body = list_deployments(app_id, env_id, {"max_results": _ALL})
        if status != 200:
            return status, headers, body
        size, before = min(int(query.get("max_results") or PAGE), PAGE), query.get("next_token")
        items = sorted(json.loads(body)["Items"], key=lambda one: -int(one["DeploymentNumber"]))
        if before:
            items = [one for one in items if one["DeploymentNumber"] < int(before)]
        page: dict[str, Any] = {"Items": items[:size]}
        if len(items) > size:
            page["NextToken"] = str(page["Items"][-1]["DeploymentNumber"])
        return status, headers, json.dumps(page).encode()

    return answer


def install() -> None:
    """Replaces MiniStack's list by the pages."""
    from ministack.services import appconfig

    appconfig._list_deployments = paged(appconfig._list_deployments)
