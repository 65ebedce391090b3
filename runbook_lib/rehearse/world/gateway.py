"""The gateway: its own answers, and its access log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.world.arrivals import Arrivals, Floats
from runbook_lib.rehearse.world.inside import Inside
from runbook_lib.rehearse.world.jobs import Answer
from runbook_lib.rehearse.world.rows import responses
from runbook_lib.rehearse.world.step import GATEWAY_BROKEN

CLIENT, OLD_CLIENTS = "web/2.0", ("web/1.9", "cli/0.4")
_KINDS = {429: "THROTTLED", 403: "WAF_FILTERED", GATEWAY_BROKEN: "DEFAULT_5XX", 504: "INTEGRATION_TIMEOUT"}


def note(
    inside: Inside, who: Arrivals, path: str, status: NDArray[np.int64], whole: NDArray[np.bool_] | None = None
) -> None:
    """Writes the access log's lines that are read later: those of 4xx and 5xx answers, and all where `whole`."""
    if not inside.course.scenario.access_log:
        return
    for k in np.flatnonzero(status >= 400 if whole is None else (status >= 400) | whole):
        code = int(status[k])
        old = OLD_CLIENTS[int(who.u_quick[k] * len(OLD_CLIENTS))]
        client = old if whole is not None and whole[k] else CLIENT
        inside.answers.append(Answer(float(who.at[k]), path, code, _KINDS.get(code, ""), client))


def turned_away(inside: Inside, who: Arrivals, path: str, status: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The requests that the gateway answers by itself: counted, and no Lambda is called."""
    away = np.isin(status, (429, 403, GATEWAY_BROKEN))
    if away.any():
        waited = np.full(int(away.sum()), 0.004)
        code = status[away]
        inside.out += responses(path, who.at[away] + waited, waited, code >= 500, code < 500)
    return np.asarray(away)


def second(who: Arrivals, part: int) -> Floats:
    """Further uniform numbers of each request, from the bits of its key: 32 for each `part`, 0 to 3."""
    bits = (who.key[:, part // 2] >> np.uint64(32 * (part % 2))) & np.uint64(0xFFFFFFFF)
    return bits.astype(float) / 2.0**32


def take(who: Arrivals, mask: NDArray[np.bool_]) -> Arrivals:
    """The arrivals for which `mask` is true."""
    if mask.all():
        return who
    return Arrivals(**{name: column[mask] for name, column in vars(who).items()})
