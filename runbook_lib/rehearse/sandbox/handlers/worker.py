"""SQS -> the report (an LLM call; here a timed stand-in) -> S3, and the job COMPLETED or FAILED.

Like the real one it catches what goes wrong, marks the job FAILED, logs it and returns normally: Lambda counts no
error, and nothing is retried. Times are the queue's (`ApproximateFirstReceiveTimestamp`) plus what was measured here,
with the LLM's seconds as they would be in production (they are slept scaled by TIME_SCALE).
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
LLM_S = float(os.environ["LLM_SECONDS"])


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def update(job_id: str, **values: Any) -> None:
    """Sets attributes of a job (`#`-names, for some are reserved words)."""
    TABLE.update_item(
        Key={"job_id": job_id},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
    )


def generate(payload: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    """The report and its tokens: the stand-in for the LLM."""
    time.sleep(LLM_S * float(os.environ["TIME_SCALE"]))
    usage = {"input": int(os.environ["INPUT_TOKENS"]), "output": int(os.environ["OUTPUT_TOKENS"])}
    return {"application_id": payload["application_id"], "report": "A value proposition, at length."}, usage


def kpi(at: float, **values: int) -> None:
    """One line in CloudWatch's embedded metric format."""
    metrics = [{"Name": name, "Unit": "Count"} for name in values]
    place = {"Namespace": os.environ["KPI_NAMESPACE"], "Dimensions": [["service"]], "Metrics": metrics}
    aws = {"Timestamp": int(at * 1000), "CloudWatchMetrics": [place]}
    print(json.dumps({"_aws": aws, "service": os.environ["KPI_SERVICE"], **values}))


def work(record: dict[str, Any]) -> None:
    begun = time.monotonic()
    message = json.loads(record["body"])
    job_id = message["job_id"]
    started = int(record["attributes"]["ApproximateFirstReceiveTimestamp"]) / 1000

    def now(llm_s: float) -> float:
        """Time on the queue's clock, with the LLM's part in full."""
        slept = llm_s * float(os.environ["TIME_SCALE"])
        return started + (time.monotonic() - begun) - slept + llm_s

    update(job_id, status="PROCESSING", started_at=iso(started))
    try:
        report, usage = generate(message["payload"])
        key = f"results/{job_id}.json"
        S3.put_object(Bucket=os.environ["BUCKET"], Key=key, Body=json.dumps({"job_id": job_id, **report}))
        done = now(LLM_S)
        update(job_id, status="COMPLETED", completed_at=iso(done), result_key=key, token_usage=usage)
        kpi(done, VPRJobCompleted=1, VPRInputTokens=usage["input"], VPROutputTokens=usage["output"])
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:500]
        update(job_id, status="FAILED", completed_at=iso(now(0)), error=reason)
        said = {"level": "ERROR", "message": "VPRJobFailed", "service": os.environ["KPI_SERVICE"]}
        print(json.dumps({**said, "job_id": job_id, "error": reason}))


def handler(event: dict[str, Any], _context: object) -> None:
    for record in event["Records"]:
        work(record)
