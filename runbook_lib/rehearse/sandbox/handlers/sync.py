"""The old, synchronous route: the whole report while the client waits (the gateway gives up after 29 s).

Self-contained and under 4,096 characters, for it is inlined into the template. The LLM is a timed stand-in, as in
worker.py.
"""

import base64
import json
import os
import time
from typing import Any

C = json.loads(os.environ["CONTRACT"])


def answer(said: list[Any]) -> dict[str, Any]:
    return {"statusCode": said[0], "headers": {"Content-Type": "application/json"}, "body": json.dumps(said[1])}


def has(body: Any, names: list[str]) -> bool:
    for name in names:
        body = body.get(name) if isinstance(body, dict) else None
    return isinstance(body, str) and bool(body.strip())


def kpi(at: float, *values: int) -> None:
    """Metrics in CloudWatch's embedded format: a line for each namespace and its dimensions."""
    lines: dict[str, dict[str, Any]] = {}
    for (space, name, dimensions), value in zip(C["kpi"], values, strict=False):
        place = {"Namespace": space, "Dimensions": [list(dimensions)], "Metrics": []}
        aws = {"Timestamp": int(at * 1000), "CloudWatchMetrics": [place]}
        line = lines.setdefault(json.dumps([space, dimensions]), {"_aws": aws, **dimensions})
        line["_aws"]["CloudWatchMetrics"][0]["Metrics"].append({"Name": name, "Unit": "Count"})
        line[name] = value
    for line in lines.values():
        print(json.dumps(line))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    raw = event.get("body") or ""
    try:
        payload = json.loads(base64.b64decode(raw) if event.get("isBase64Encoded") else raw)
    except ValueError:
        return answer(C["refused"])
    if not all(has(payload, names) for names in C["needs"]):
        return answer(C["refused"])
    time.sleep(float(os.environ["LLM_SECONDS"]) * float(os.environ["TIME_SCALE"]))
    context = event["requestContext"]
    kpi((context.get("requestTimeEpoch") or context["timeEpoch"]) / 1000, 1)
    code, document = C["answer"]
    return answer([code, {**payload, **document}])
