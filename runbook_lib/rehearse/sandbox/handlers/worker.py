"""SQS -> the report (an LLM call; here a timed stand-in) -> S3, and the job done or failed (`spoken.py`).

Like the real one it catches what goes wrong, marks the job failed, logs it and returns normally: Lambda counts no
error, and nothing is retried. Times are the queue's plus what was measured here, with the LLM's seconds in full (they
are slept scaled by TIME_SCALE).
Self-contained and under 4,096 characters, for it is inlined into the template.
"""

import json
import os
import time
from datetime import UTC, datetime
from typing import Any

import boto3

TABLE = boto3.resource("dynamodb").Table(os.environ["TABLE"])
S3 = boto3.client("s3")
C = json.loads(os.environ["CONTRACT"])
T = C["table"]
LLM_S, SCALE = float(os.environ["LLM_SECONDS"]), float(os.environ["TIME_SCALE"])


def when(seconds: float) -> Any:
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"iso": moment, "epoch_s": int(seconds), "epoch_ms": int(seconds * 1000)}[T["times"]]


def update(job_id: str, values: dict[str, Any]) -> None:
    named = {name: value for name, value in values.items() if name}
    TABLE.update_item(
        Key={T["job_id"]: job_id},
        UpdateExpression="SET " + ", ".join(f"#n{place} = :v{place}" for place in range(len(named))),
        ExpressionAttributeNames={f"#n{place}": name for place, name in enumerate(named)},
        ExpressionAttributeValues={f":v{place}": value for place, value in enumerate(named.values())},
    )


def used(counts: list[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for (*outer, last), count in zip(C["tokens"], counts, strict=False):
        inner = found
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = count
    return found


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


def work(record: dict[str, Any]) -> None:
    begun = time.monotonic()
    job_id = json.loads(record["body"])
    for name in C["id"]:
        job_id = job_id[name]
    started = int(record["attributes"]["ApproximateFirstReceiveTimestamp"]) / 1000

    def now(llm_s: float) -> Any:
        """Time on the queue's clock, with the LLM's part in full."""
        return started + (time.monotonic() - begun) - llm_s * SCALE + llm_s

    running, completed, failed = C["words"]
    update(job_id, {T["status"]: running, T["started_at"]: when(started)})
    try:
        time.sleep(LLM_S * SCALE)
        key = C["key"].replace("{job_id}", job_id)
        document = json.dumps(C["document"]).replace("{job_id}", job_id)
        S3.put_object(Bucket=os.environ["BUCKET"], Key=key, Body=document)
        done, tokens = now(LLM_S), [int(os.environ["INPUT_TOKENS"]), int(os.environ["OUTPUT_TOKENS"])]
        ended = {T["status"]: completed, T["completed_at"]: when(done), T["result_key"]: key}
        update(job_id, {**ended, **used(tokens)})
        kpi(done, 1, *tokens)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:500]
        update(job_id, {T["status"]: failed, T["completed_at"]: when(now(0)), T["error"]: reason})
        said = C["failure"]
        print(json.dumps({**said, "job_id": job_id, "error": reason}) if isinstance(said, dict) else f"{said} {job_id}")


def handler(event: dict[str, Any], _context: object) -> None:
    for record in event["Records"]:
        work(record)
