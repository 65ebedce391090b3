"""The dashboard of a service with several workers: a line about the first one has a line beside it for each other."""

from __future__ import annotations

from collections.abc import Iterable

from runbook_lib.observe.dashboard.board import Axis, Board, Share, Widget
from runbook_lib.params.load import Params


def of_all(board: Board, params: Params) -> Board:
    """The board with the lines of the workers after the first, and with their counts in every share."""
    if not params.service.more_workers:
        return board
    return board.model_copy(update={"widgets": tuple(_widget(one, params) for one in board.widgets)})


def _widget(widget: Widget, params: Params) -> Widget:
    right = widget.right and _axis(widget.right, params)
    return widget.model_copy(update={"left": _axis(widget.left, params), "right": right})


def _axis(axis: Axis, params: Params) -> Axis:
    lines = [
        line.model_copy(update={"metric": id, "label": f"{line.label} ({place})" if place > 1 else line.label})
        for line in axis.lines
        for place, id in _of_each(line.metric, params)
    ]
    return axis.model_copy(update={"lines": tuple(lines), "share": axis.share and _share(axis.share, params)})


def _share(share: Share, params: Params) -> Share:
    return share.model_copy(update={"part": _all(share.part, params), "whole": _all(share.whole, params)})


def _all(ids: Iterable[str], params: Params) -> tuple[str, ...]:
    return tuple(id for one in ids for _, id in _of_each(one, params))


def _of_each(metric: str, params: Params) -> list[tuple[int, str]]:
    """Place of the worker and id of its metric; of a metric that is of no worker itself alone."""
    more = params.service.of_further_workers
    further = ((post.place, post.id(metric)) for post in params.service.crew[1:])
    return [(1, metric), *((place, id) for place, id in further if id in more)]
