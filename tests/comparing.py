"""A policy of the tests' own in which the arms decide: what is judged by itself is lenient, and nothing guards."""

from __future__ import annotations

from typing import Any

from runbook_lib.judge.model import Gate
from runbook_lib.params.load import Params
from runbook_lib.params.policy import Policy

BASELINE, BEFORE, LATENCY = "beside_baseline", "beside_before", "latency_beside_before"
_LENIENT = {"target": "> 0.80", "alert": "< 0.70", "collapse": None}


def gates(own: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Three gates that compare, made from those of a policy (`own`: id to gate)."""
    success, latency = own["success_rate"], own["submit_latency"]
    beside = "Success beside the {}"
    before = {"against": "phase_before", "margin": 0.01}
    return [
        {**success, "id": BASELINE, "title": beside.format("baseline"), "against": "baseline", "margin": 0.005},
        {**success, "id": BEFORE, "title": beside.format("phase before"), **before},
        {**latency, "id": LATENCY, "title": "P95 submit latency beside the phase before", **before, "margin": 0.03},
    ]


def lenient(params: Params) -> Params:
    """With these gates; without guards, and with a success rate that only a wreck does not have."""
    own = {gate.id: gate.model_dump() for gate in params.policy.gates}
    others = [{**gate, **(_LENIENT if id == "success_rate" else {})} for id, gate in own.items()]
    found = [Gate.model_validate(one) for one in [*others, *gates(own)]]
    alarms = [alarm.model_copy(update={"guard": False, "phases": {}}) for alarm in params.policy.alarms]
    policy = Policy.model_validate({**params.policy.model_dump(), "gates": found, "alarms": alarms})
    return params.model_copy(update={"policy": policy})
