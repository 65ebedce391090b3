"""The dashboard of a service with several workers: each line of the first worker is followed by those of the others."""

from __future__ import annotations

from collections.abc import Iterable

from runbook_lib.observe.dashboard.board import Axis, Board, Share, Widget
from runbook_lib.params.load import Params


def of_all(board: Board, params: Params) -> Board:
    """The board with the lines of the workers after the first, and with their counts in every share; without those of a
    status route or function that the service has not.
    """
    widgets = [made for one in board.widgets if (made := _widget(one, params)) is not None]
    return board.model_copy(update={"widgets": tuple(widgets)})


def _widget(widget: Widget, params: Params) -> Widget | None:
    left, right = _axis(widget.left, params), widget.right and _axis(widget.right, params)
    if left is None:
        return None
    return widget.model_copy(update={"left": left, "right": right})


def _axis(axis: Axis, params: Params) -> Axis | None:
    lines = [
        line.model_copy(update={"metric": id, "label": f"{line.label} ({place})" if place > 1 else line.label})
        for line in axis.lines
        for place, id in _of_each(line.metric, params)
    ]
    share = axis.share and _share(axis.share, params)
    if not lines and share is None:
        return None
    return axis.model_copy(update={"lines": tuple(lines), "share": share})


def _share(share: Share, params: Params) -> Share:
    return share.model_copy(update={"part": _all(share.part, params), "whole": _all(share.whole, params)})


def _all(ids: Iterable[str], params: Params) -> tuple[str, ...]:
    return tuple(id for one in ids for _, id in _of_each(one, params))


def _of_each(metric: str, params: Params) -> list[tuple[int, str]]:
    """Place of the worker and id of its metric; of a metric that is of no worker itself alone; of a status route or
    function that is not there nothing.
    """
    part = metric.partition("_")[0]
    there = params.named("status") if metric.startswith("status_fn_") else bool(params.service.api.routes.status)
    if part == "status" and not there:
        return []
    more = params.service.of_further_workers
    further = ((post.place, post.id(metric)) for post in params.service.crew[1:])
    return [(1, metric), *((place, id) for place, id in further if id in more)]
