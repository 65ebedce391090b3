"""POST submit route: a job in the table, a message in the queue, 202 {job_id}; 200 with the same id for a repeated key.

Self-contained and under 4,096 characters, for it is inlined into the template. Time is the gateway's
(`requestTimeEpoch`, `timeEpoch`), not this process's.
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


def answer(status: int, /, **body: Any) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}


def payload_of(event: dict[str, Any]) -> dict[str, Any] | None:
    """The request's JSON object; None if it is not one, or a required field is missing or empty."""
    raw = event.get("body") or ""
    try:
        payload = json.loads(base64.b64decode(raw) if event.get("isBase64Encoded") else raw)
    except ValueError:
        return None
    required = ("application_id", "idempotency_key")
    good = isinstance(payload, dict) and all(isinstance(payload.get(k), str) and payload[k].strip() for k in required)
    return payload if good else None


def job_of(key: str) -> dict[str, Any] | None:
    """The job already made for this idempotency key, if any."""
    found = TABLE.query(
        IndexName=os.environ["INDEX"],
        KeyConditionExpression="idempotency_key = :key",
        ExpressionAttributeValues={":key": key},
    )["Items"]
    return min(found, key=lambda job: job["created_at"]) if found else None


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    payload = payload_of(event)
    if payload is None:
        return answer(400, error="expects a JSON object with application_id and idempotency_key")
    key = payload["idempotency_key"]
    known = job_of(key)
    if known:
        return answer(200, job_id=known["job_id"], status=known["status"])
    context = event["requestContext"]
    created = (context.get("requestTimeEpoch") or context["timeEpoch"]) / 1000
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    probe = headers.get("x-runbook-probe")
    job_id = str(uuid.uuid4())
    moment = datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds")
    TABLE.put_item(
        Item={
            "job_id": job_id,
            "status": "PENDING",
            "created_at": moment.replace("+00:00", "Z"),
            "idempotency_key": key,
            "ttl": int(created) + int(os.environ["JOB_TTL_S"]),
            "source": f"probe:{probe}" if probe else "client",
        }
    )
    SQS.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps({"job_id": job_id, "payload": payload}))
    service = os.environ["KPI_SERVICE"]
    metric = {
        "Namespace": os.environ["KPI_NAMESPACE"],
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "VPRJobCreated", "Unit": "Count"}],
    }
    aws = {"Timestamp": int(created * 1000), "CloudWatchMetrics": [metric]}
    print(json.dumps({"_aws": aws, "service": service, "VPRJobCreated": 1}))
    return answer(202, job_id=job_id, status="PENDING")
