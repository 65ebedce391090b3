"""The asynchronous route: a submission becomes a job in the queue, or is refused, or lost."""

from __future__ import annotations

import heapq
import uuid
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.world.arrivals import Arrivals, Floats
from runbook_lib.rehearse.world.gateway import note, second, take, turned_away
from runbook_lib.rehearse.world.inside import Inside
from runbook_lib.rehearse.world.jobs import THROTTLED_TRIES, Job
from runbook_lib.rehearse.world.rows import invocations, responses
from runbook_lib.rehearse.world.step import CALLERS_OWN, DOUBLED, GATEWAY_BROKEN, REPEATED, SWALLOWED

SUBMIT_SIGMA = 0.485  # p95 / median = exp(1.645 * 0.485) = 2.2
_AT_THE_DOOR = (
    ("gateway_4xx", 429),
    ("gateway_403", 403),
    ("gateway_5xx", GATEWAY_BROKEN),
    ("caller_4xx", CALLERS_OWN),
    ("accepted_lost", SWALLOWED),
    ("resubmitted", REPEATED),
    ("job_duplicated", DOUBLED),
)


def submitted(
    inside: Inside, who: Arrivals, path: str
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """The fate of requests that pass the gateway: (accepted, status, job); the Lambda may refuse them, or break."""
    n = len(who)
    ok, status, number = np.zeros(n, dtype=bool), np.full(n, 202), np.zeros(n, dtype=np.int64)
    if not n:
        return ok, status, number
    u, at = second(who, 0), who.at
    # One uniform number, cut into pieces; later ones of the list give way if the shares exceed 1.
    edge = np.zeros(n)
    for knob, code in _AT_THE_DOOR:
        low, edge = edge, edge + inside.knob(knob, at)
        status[(u >= low) & (u < edge)] = code
    away = turned_away(inside, who, path, status)
    kept = ~away
    if kept.all():
        ok, status, number = _accepted(inside, who, path, status)
    elif kept.any():
        ok[kept], status[kept], number[kept] = _accepted(inside, take(who, kept), path, status[kept])
    note(inside, who, path, status)
    return ok, status, number


def _accepted(
    inside: Inside, who: Arrivals, path: str, status: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Makes accepted submissions jobs; looks the idempotency key up in the index first."""
    status = status.copy()
    waited = np.round(inside.knob("submit_latency_s", who.at) * np.exp(SUBMIT_SIGMA * who.z_submit), 3)
    mistake = status == CALLERS_OWN
    broken = _broken(inside, who) & ~mistake
    answered = who.at + waited
    inside.out += responses(path, answered, waited, broken, mistake)
    status[broken] = 502
    made = (status == 202) | (status == DOUBLED)
    inside.out += invocations("submit", who.at, waited * 0.85, broken, np.ones(len(who)))
    created = np.round(who.at + waited * 0.6, 3)
    inside.emit("gsi_reads", created, 0.5)
    lost = made & (second(who, 1) < inside.knob("job_lost", who.at))
    for copies in (made, *([status == DOUBLED] if (status == DOUBLED).any() else [])):
        inside.emit("table_writes", created[copies], 1.0)
        inside.emit("gsi_writes", created[copies], 1.0)
        inside.emit("jobs_created", created[copies], 1.0)
        inside.emit("queue_sent", answered[copies], 1.0)
        inside.emit("d_visible", answered[copies], 1.0)
    inside.emit("d_visible", answered[lost], -1.0)
    llm, (read, written) = inside.llm_s(who), inside.tokens(who)
    poisoned = who.u_crash < inside.knob("poison", who.at)
    number = np.zeros(len(who), dtype=np.int64)
    quota, untold = second(who, 2), second(who, 3) < inside.knob("no_token_usage", who.at)
    twice = [(i, 0) for i in np.flatnonzero(made).tolist()]
    if (status == DOUBLED).any():
        twice = sorted([*twice, *((i, 1) for i in np.flatnonzero(status == DOUBLED).tolist())])
    # Plain Python from here: element access to numpy arrays would cost more than the jobs themselves.
    keys, begun, sent, seconds, ins, outs = (
        column.tolist() for column in (who.key, created, answered, llm, read, written)
    )
    u_failed, u_crash, u_poll = who.u_failed.tolist(), who.u_crash.tolist(), who.u_poll.tolist()
    for i, copied in twice:
        high, low = keys[i]
        job = Job(
            job_id=str(uuid.UUID(int=(high ^ copied) << 64 | low, version=4)),
            idempotency_key=f"{low:016x}{high:016x}",
            created=begun[i],
            enqueued=sent[i],
            llm_s=seconds[i],
            u_failed=u_failed[i],
            u_crash=u_crash[i],
            u_poll=u_poll[i],
            poison=bool(poisoned[i]),
            u_quota=float(quota[i]),
            untold=bool(untold[i]),
            input_tokens=int(ins[i]),
            output_tokens=int(outs[i]),
        )
        inside.state.jobs += 1
        job.number = int(number[i]) or inside.state.jobs
        number[i] = number[i] or job.number
        if lost[i] and not copied:
            job.gone = job.enqueued
        else:
            heapq.heappush(inside.state.waiting, (job.enqueued, inside.state.jobs, job))
        inside.state.active.append(job)
    status[status == DOUBLED] = 202
    return np.asarray(~broken & ~mistake), status, number


def _broken(inside: Inside, who: Arrivals) -> NDArray[np.bool_]:
    """Submissions that crash the submit Lambda: by themselves, or because table or index throttle the write."""
    crashed = inside.knob("submit_5xx", who.at)
    by_table = crashed + (1 - crashed) * _throttled(inside, "table", who.at)
    by_index = by_table + (1 - by_table) * _throttled(inside, "index", who.at)
    turned_away = (who.u_submit_5xx >= crashed) & (who.u_submit_5xx < by_index)
    at_table = turned_away & (who.u_submit_5xx < by_table)
    inside.emit("table_write_throttles", who.at[at_table], THROTTLED_TRIES)
    inside.emit("gsi_write_throttles", who.at[turned_away & ~at_table], THROTTLED_TRIES)
    retried = who.u_submit_5xx > 1 - inside.knob("writes_retried", who.at)
    inside.emit("table_write_throttles", who.at[retried], 1.0)
    return np.asarray(who.u_submit_5xx < by_index)


def _throttled(inside: Inside, part: Literal["table", "index"], at: Floats) -> Floats:
    """Throttled share at each time: none if the provisioned units are enough."""
    units = inside.units[0 if part == "table" else 1]
    share = inside.knob(f"{part}_throttled", at)
    return share if units is None else np.where(units >= inside.knob("units_needed", at), 0.0, share)
