"""Where MiniStack differs from AWS in what it keeps and lists, corrected inside its process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

EVERY_S = 6 * 3600.0
"""Virtual seconds between two searches for expired items."""


def expired(items: Mapping[str, Mapping[str, Any]], attribute: str, now: float) -> Iterator[tuple[str, str]]:
    """Partition and sort key of the items whose `attribute` (a number, epoch seconds) is earlier than `now`."""
    for partition, sorted_items in items.items():
        for key, item in sorted_items.items():
            number = item.get(attribute, {}).get("N")
            if number is not None and float(number) < now:
                yield partition, key


def expire() -> Callable[[float], None]:
    """A function to call with the time whenever the clock was moved: it deletes items past their time to live.

    MiniStack checks once in 60 real seconds, which are days here. DynamoDB promises only that an expired item goes
    within a few days; the runbook uses none in any case.
    """
    from ministack.services import dynamodb

    last = 0.0

    def reap(now: float) -> None:
        nonlocal last
        if now < last + EVERY_S:
            return
        last = now
        with dynamodb._lock:
            for (account, region, name), setting in list(dynamodb._ttl_settings.all_items()):
                table = dynamodb._tables.get_scoped(account, region, name)
                if table and setting.get("TimeToLiveStatus") == "ENABLED":
                    for gone in list(expired(table["items"], setting["AttributeName"], now)):
                        dynamodb._remove_item(table, *gone)

    return reap


PAGE = 50
"""Default number of items on a page; AWS gives no more."""
_ALL = 1_000_000

Answer = tuple[int, dict[str, str], bytes]


def paged(list_deployments: Callable[[str, str, Mapping[str, Any]], Answer]) -> Callable[..., Answer]:
    """MiniStack's `list_deployments` with the newest first, one page at a time.

    It lists the oldest fifty of an environment and no next page: from the fifty-first on, the one that is under way is
    missing. AWS lists the newest first, in pages (API reference, ListDeployments). The token of a page is the number of
    the last deployment before it: a deployment made meanwhile moves no page.
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


def page_deployments() -> None:
    """Replaces MiniStack's list by the pages."""
    from ministack.services import appconfig

    appconfig._list_deployments = paged(appconfig._list_deployments)


Patch = Callable[[Any, Any], Any]


def typed(apply: Patch) -> Patch:
    """MiniStack's `_apply_patch` of API Gateway with a canary's share as the number that AWS keeps.

    Every value of a patch is a text, and MiniStack keeps and answers it as one.
    """

    def applied(kept: Any, patches: Any) -> Any:
        share = "/canarySettings/percentTraffic"
        told = [{**one, "value": float(one["value"])} if one.get("path") == share else one for one in patches or ()]
        return apply(kept, told)

    return applied


def type_patches() -> None:
    """Replaces MiniStack's patches by the typed ones."""
    from ministack.services import apigateway_v1

    apigateway_v1._apply_patch = typed(apigateway_v1._apply_patch)
