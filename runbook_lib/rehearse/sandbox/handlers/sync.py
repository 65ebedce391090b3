"""POST the old, synchronous route: the whole report while the client waits (the gateway gives up after 29 s).

Self-contained and under 4,096 characters, for it is inlined into the template. The LLM is a timed stand-in, as in
worker.py.
"""

import base64
import json
import os
import time
from typing import Any


def answer(status: int, /, **body: Any) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    raw = event.get("body") or ""
    try:
        payload = json.loads(base64.b64decode(raw) if event.get("isBase64Encoded") else raw)
        application = payload["application_id"]
    except (ValueError, TypeError, KeyError):
        return answer(400, error="expects a JSON object with application_id")
    time.sleep(float(os.environ["LLM_SECONDS"]) * float(os.environ["TIME_SCALE"]))
    metric = {
        "Namespace": os.environ["KPI_NAMESPACE"],
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "VPRGenerated", "Unit": "Count"}],
    }
    context = event["requestContext"]
    at = context.get("requestTimeEpoch") or context["timeEpoch"]
    aws = {"Timestamp": int(at), "CloudWatchMetrics": [metric]}
    print(json.dumps({"_aws": aws, "service": os.environ["KPI_SERVICE"], "VPRGenerated": 1}))
    return answer(200, application_id=application, report="A value proposition, at length.")
