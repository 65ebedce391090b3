"""Contracts of services that nobody knows, drawn at random: other names, codes, words, paths, and other tellers."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from runbook_lib.base.json_body import with_value
from runbook_lib.params.contract import Contract

NAMES = (
    "id",
    "ref",
    "state",
    "phase",
    "made",
    "done",
    "begun",
    "key",
    "file",
    "why",
    "mark",
    "order",
    "who",
    "x_y",
    "n",
)
WORDS = ("NEW", "queued", "WORKING", "OK", "done", "BAD", "dead", "PENDING", "COMPLETED", "FAILED", "processing")
REAL_SERVICE: dict[str, Any] = {
    "submit": {"job_id": "job_id"},
    "status": {
        "told_by": "table",
        "running": {"codes": (200,), "where": {"status": ("PENDING",)}},
        "completed": None,
        "failed": None,
        "unknown": None,
    },
    "result": {"fetched": "bucket", "required": ("summary",), "job_id": "", "example": {"summary": "of value"}},
    "tokens": {"told_by": "none"},
}
"""The service that this runbook was made for, as it is: its status route says 200 PENDING for ever, its result is the
bare document, and nothing tells its tokens."""


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """A contract that a service could have."""
    names = iter(draw(st.permutations(NAMES)))
    words = draw(st.permutations(WORDS))
    pending, running, completed, failed = words[:1], words[1:2], words[2:4], words[4:5]
    teller = draw(st.sampled_from(("status", "status", "table", "result")))
    fetched = draw(st.sampled_from(("link", "route", "bucket") if teller == "status" else ("route", "bucket")))
    by = draw(st.sampled_from(("header", "field", "id")))
    table = {
        **{name: next(names) for name in ("job_id", "status", "created_at", "completed_at", "idempotency_key", "ttl")},
        **{name: draw(st.sampled_from(("", next(names)))) for name in ("started_at", "result_key", "error")},
        "times": draw(st.sampled_from(("iso", "epoch_s", "epoch_ms"))),
        "pending": tuple(pending),
        "running": tuple(running) if draw(st.booleans()) else (),
        "completed": tuple(completed),
        "failed": tuple(failed),
    }
    mark, order, key = next(names), next(names), draw(st.sampled_from(("a_key", "meta.key")))
    body = with_value({order: "o-{probe}"}, key, "k-{uuid}")
    arrives, prefix, headers = mark, "probe/", {"X-Mark": "{probe}"}
    if by == "field":
        headers, body = {}, {**body, "marked": "probe/{probe}"}
    elif by == "id":
        headers, arrives, prefix = {}, table["idempotency_key"], "rb-"
        body = with_value(body, key, "rb-{probe}-{uuid}")
    code = draw(st.sampled_from((200, 201, 202)))
    inner = draw(st.sampled_from(("state", "job.state")))
    ended = draw(st.sampled_from((200, 203)))
    status: dict[str, Any] = {
        "told_by": teller,
        "completed": {"codes": (ended,), "where": {inner: tuple(completed)}} if teller == "status" else None,
        "failed": {"codes": (ended,), "where": {inner: tuple(failed)}} if teller == "status" else None,
        "running": {"codes": (draw(st.sampled_from((200, 202))),), "where": {inner: (pending[0],)}},
        "unknown": draw(st.sampled_from(({"codes": (404,)}, {"codes": (200,), "where": {inner: ("NOBODY",)}}, None))),
        "word": inner,
        "error": draw(st.sampled_from(("", "why", "problem.detail"))),
    }
    named = draw(st.sampled_from(("", "of", "meta.of")))
    return Contract.model_validate(
        {
            "submit": {
                "method": draw(st.sampled_from(("POST", "PUT"))),
                "valid": body,
                "invalid": draw(st.sampled_from(([], {}, {order: ""}, "nothing"))),
                "accepted": {"codes": (code,), "where": draw(st.sampled_from(({}, {"fine": (True,)})))},
                "repeated": draw(st.sampled_from((None, {"codes": (code,)}, {"codes": (409, 208)}))),
                "refused": {"codes": (draw(st.sampled_from((400, 422))),)},
                "job_id": draw(st.sampled_from(("id", "data.job.id", "$.data.ref"))),
                "idempotency_key": key,
            },
            "status": status,
            "result": {
                "fetched": fetched,
                "link": draw(st.sampled_from(("url", "links.document"))),
                "path": "/orders/{job_id}/document" if fetched == "route" else "",
                "key": draw(st.sampled_from(("results/{job_id}.json", "out/{job_id}"))),
                "required": draw(st.sampled_from(((), ("body",), ("body.text", "title")))),
                "job_id": named,
                "json_schema": draw(
                    st.sampled_from((None, {"type": "object", "properties": {"n": {"type": "string"}}}))
                ),
            },
            "probe": {"headers": headers, "arrives_in": arrives, "prefix": prefix},
            "table": table,
            "message": {"job_id": "job.id", "body": {"job": {"id": "{job_id}"}, "body": body}},
            "tokens": draw(
                st.sampled_from(({"told_by": "none"}, {"told_by": "table", "input": "used.a", "output": "b_tokens"}))
            ),
        }
    )
