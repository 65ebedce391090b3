"""GET status route: 202 while the job is under way, 200 with a link for one hour, 200 FAILED, 404 unknown, 410 gone.

Self-contained and under 4,096 characters, for it is inlined into the template.
"""

import json
import os
from typing import Any

import boto3
from botocore.config import Config

TABLE = boto3.resource("dynamodb").Table(os.environ["TABLE"])
S3 = boto3.client("s3", config=Config(signature_version="s3v4"))
LINK_S = 3600


def answer(status: int, /, **body: Any) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    job_id = (event.get("pathParameters") or {}).get("job_id", "")
    job = TABLE.get_item(Key={"job_id": job_id}).get("Item") if job_id else None
    if job is None:
        return answer(404, error="no such job")
    context = event["requestContext"]
    now = (context.get("requestTimeEpoch") or context["timeEpoch"]) / 1000
    # DynamoDB deletes up to 48 h after the TTL; what is past it is gone for the client.
    if job.get("ttl", now) < now:
        return answer(410, job_id=job_id, error="the job has expired")
    if job["status"] == "COMPLETED":
        where = {"Bucket": os.environ["BUCKET"], "Key": job["result_key"]}
        link = S3.generate_presigned_url("get_object", Params=where, ExpiresIn=LINK_S)
        return answer(200, job_id=job_id, status="COMPLETED", result_url=link)
    if job["status"] == "FAILED":
        return answer(200, job_id=job_id, status="FAILED", error=job.get("error", ""))
    return answer(202, job_id=job_id, status=job["status"])
