"""The status route: what the contract says of a job's word, a link for one hour; and the result's route, if it has one.

Self-contained and under 4,096 characters, for it is inlined into the template.
"""

import json
import os
import re
from typing import Any

import boto3
from botocore.config import Config

TABLE = boto3.resource("dynamodb").Table(os.environ["TABLE"])
S3 = boto3.client("s3", config=Config(signature_version="s3v4"))
C = json.loads(os.environ["CONTRACT"])
T = C["table"]
LINK_S = 3600


def answer(said: list[Any], **filled: str) -> dict[str, Any]:
    body = json.dumps(said[1])
    for name, value in filled.items():
        body = body.replace("{" + name + "}", json.dumps(value)[1:-1])
    return {"statusCode": said[0], "headers": {"Content-Type": "application/json"}, "body": body}


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    job_id = next(iter((event.get("pathParameters") or {}).values()), "")
    job = TABLE.get_item(Key={T["job_id"]: job_id}).get("Item") if job_id else None
    key = (job or {}).get(T["result_key"]) or C["key"].replace("{job_id}", job_id)
    where = {"Bucket": os.environ.get("BUCKET", ""), "Key": key}
    asked = event.get("resource") or (event.get("routeKey") or "").partition(" ")[2]
    if C["route"] and C["route"] == re.sub(r"\{.*?\}", "{}", asked):
        try:
            return answer([200, json.loads(S3.get_object(**where)["Body"].read())])
        except S3.exceptions.NoSuchKey:
            return answer([404, {}])
    if job is None:
        return answer(C["unknown"])
    context = event["requestContext"]
    now = (context.get("requestTimeEpoch") or context["timeEpoch"]) / 1000
    # DynamoDB deletes up to 48 h after the TTL; what is past it is gone for the client.
    if job.get(T["ttl"], now) < now:
        return answer(C["gone"])
    word = job[T["status"]]
    if word in C["words"]:
        known = C["words"][word]
        link = "{link}" in json.dumps(known) and S3.generate_presigned_url("get_object", Params=where, ExpiresIn=LINK_S)
        return answer(known, link=link or "", why=str(job.get(T["error"], "")))
    code, body = C["running"]
    body = inner = json.loads(json.dumps(body))
    for name in C["word"][:-1]:
        inner = inner.setdefault(name, {})
    inner.update(dict.fromkeys(C["word"][-1:], word))
    return answer([code, body])
