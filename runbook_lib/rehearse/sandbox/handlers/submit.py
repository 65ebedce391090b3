"""The submit route: a job in the table, a message in the queue, the contract's answers (`spoken.py`).

Self-contained and under 4,096 characters, for it is inlined into the template. Time is the gateway's own.
"""

import base64
import json
import os
import uuid
from datetime import UTC, datetime
from typing import Any

import boto3

TABLE = boto3.resource("dynamodb").Table(os.environ["TABLE"])
SQS = boto3.client("sqs")
C = json.loads(os.environ["CONTRACT"])
T = C["table"]


def answer(said: list[Any], job_id: str = "") -> dict[str, Any]:
    body = json.dumps(said[1]).replace("{job_id}", job_id)
    return {"statusCode": said[0], "headers": {"Content-Type": "application/json"}, "body": body}


def at(body: Any, names: list[str]) -> Any:
    for name in names:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def payload_of(event: dict[str, Any]) -> Any:
    """The request's JSON; None: it is none, or lacks a text of the valid body."""
    raw = event.get("body") or ""
    try:
        payload = json.loads(base64.b64decode(raw) if event.get("isBase64Encoded") else raw)
    except ValueError:
        return None
    texts = [at(payload, names) for names in C["needs"]]
    return payload if all(isinstance(text, str) and text.strip() for text in texts) else None


def job_of(key: str) -> dict[str, Any] | None:
    """The job already made for this key, if any."""
    found = TABLE.query(
        IndexName=os.environ["INDEX"],
        KeyConditionExpression="#key = :key",
        ExpressionAttributeNames={"#key": T["idempotency_key"]},
        ExpressionAttributeValues={":key": key},
    )["Items"]
    return min(found, key=lambda job: job[T["created_at"]]) if found else None


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
    payload = payload_of(event)
    if payload is None:
        return answer(C["refused"])
    key = at(payload, C["key"])
    known = job_of(key) if C["key"] and key else None
    if known:
        return answer(C["repeated"], known[T["job_id"]])
    context = event["requestContext"]
    created = (context.get("requestTimeEpoch") or context["timeEpoch"]) / 1000
    moment = datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    job_id = str(uuid.uuid4())
    written = {"iso": moment, "epoch_s": int(created), "epoch_ms": int(created * 1000)}[T["times"]]
    item = {T["job_id"]: job_id, T["status"]: C["pending"], T["created_at"]: written}
    item[T["idempotency_key"]] = at(payload, C["stored_key"]) or job_id
    item[T["ttl"]] = int(created) + int(os.environ["JOB_TTL_S"])
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    header, field, place, prefix = C["mark"]
    mark = prefix + headers[header] if header in headers else at(payload, field) if field else None
    item.setdefault(place, mark or "client")
    item.pop("", None)
    TABLE.put_item(Item=item)
    parts = C["message"].items()
    sent = {name: payload if isinstance(v, dict) and v.keys() == payload.keys() else v for name, v in parts}
    body = json.dumps(sent).replace("{job_id}", job_id)
    urls = os.environ["QUEUE_URL"].split()  # a queue for each worker
    SQS.send_message(QueueUrl=urls[int(job_id[0], 16) % len(urls)], MessageBody=body)
    kpi(created, 1)
    return answer(C["accepted"], job_id)
