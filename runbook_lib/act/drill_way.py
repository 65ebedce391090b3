"""A failure of our own goes the whole way: a line in the worker's log, the filter's metric, the guard alarm, the topic.

`act/drill.py` sets alarms off by hand, which proves only the alarm's actions. This proves that a job that the worker
marks FAILED raises the alarm. Never in production: it would count as a user's failure.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runbook_lib.act.drill import inbox, listen, refusal
from runbook_lib.act.guard import Guard
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import Refused
from runbook_lib.base.waiting import steady, until
from runbook_lib.observe.alarms.compared import described
from runbook_lib.observe.inventory.failure_filter import DRILL_STREAM
from runbook_lib.observe.jobs.logs import log_group
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.alarms import Alarm, alarm_name
from runbook_lib.params.load import Params

METRIC = "jobs_failed"
_LOOK_S = 5.0
_LISTEN_S = 20.0


@dataclass(frozen=True)
class Way:
    """The steps that the failure completed."""

    alarm: str
    sent: int
    """Number of lines put into the log."""
    counted: float
    """Points that the metric has counted since."""
    fired: bool
    heard: bool
    quiet_min: float
    """Minutes until the failures leave the alarm's period: it stays in ALARM until then."""

    @property
    def steps(self) -> tuple[tuple[str, bool, str], ...]:
        """Check id, whether the step succeeded, and a sentence; the steps after a failed one fail too."""
        metric_ok = self.counted >= self.sent
        return (
            ("drill.failure_line", self.sent > 0, f"{self.sent} marked failure lines put into the worker's log"),
            (
                "drill.metric",
                metric_ok,
                f"the metric filter counted {self.counted:g} of {self.sent}"
                + ("" if metric_ok else ": the guard is blind; look at the filter's pattern and dimensions"),
            ),
            (
                "drill.alarm",
                self.fired,
                f"{self.alarm} went to ALARM by itself, and stays there until they have left its period, in "
                f"{self.quiet_min:.0f} min"
                if self.fired
                else f"{self.alarm} did not go to ALARM",
            ),
            (
                "drill.notified",
                self.heard,
                f"the topic told of {self.alarm}"
                if self.heard
                else f"the topic did not tell of {self.alarm}: look at its actions and the topic's policy",
            ),
        )


def proving(params: Params) -> str:
    """Names of the environments without users, where the way can be proven, as the subject of a sentence."""
    policy = params.policy
    return " and ".join(env for env in policy.environments if not policy.has_users(env)) or "other environments"


def not_here(params: Params, state: TrafficState) -> str | None:
    """Why no failure may be sent; None: it may."""
    if params.policy.has_users(params.env):
        return f"in {params.env} no failure is ever sent on purpose; {proving(params)} have proven the way"
    return refusal(state)


def failing_guard(params: Params) -> Alarm | None:
    """The guard that counts failed jobs; None if there is none."""
    return next((one for one in params.policy.alarms if one.guard and one.metric == METRIC), None)


def send(aws: Any, guard: Guard, params: Params, state: TrafficState, *, wait_s: float) -> Way:
    """Puts as many failure lines into the worker's log as the guard counts to, and follows them.

    Args:
        state: the traffic as it is now; a deployment of the dial under way forbids it.
        wait_s: real seconds that the lines may take from the log to the topic.

    Raises:
        Refused: the environment has users, a deployment of the dial is in progress, the guard is not OK, or the change
            is not authorised.
        AwsError: AWS refused or did not answer.
    """
    if why := not_here(params, state):
        raise Refused(why)
    alarm = failing_guard(params)
    name = alarm_name(alarm, params) if alarm else ""
    found = described(aws.client("cloudwatch"), [name]).get(name) if alarm else None
    if found is None or found["StateValue"] != "OK":
        state_now = found["StateValue"] if found else "missing"
        raise Refused(
            f"the guard of failed jobs is {state_now}: a failure of our own would prove nothing; wait until OK"
        )
    many, stream = math.floor(float(found["Threshold"])) + 1, f"{DRILL_STREAM}-{uuid.uuid4().hex[:8]}"
    if found["ComparisonOperator"] == "GreaterThanOrEqualToThreshold":
        many = math.ceil(float(found["Threshold"]))
    logs, group, end = aws.client("logs"), log_group(params), time.monotonic() + wait_s
    at = guard.now
    came: dict[str, Any] = {"counted": 0.0, "fired": False, "heard": False}

    def act() -> None:
        with inbox(aws, params) as box, aws_errors("sending a failure of our own (logs:PutLogEvents)"):
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
            lines = _lines(params.failure_line(), many, stream)
            stamp = int(at.timestamp() * 1000)
            events = [{"timestamp": stamp, "message": line} for line in lines]
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
            left, often = end - time.monotonic(), steady(_LOOK_S)
            came["counted"] = until(
                lambda: _counted(aws, params, at), lambda counted: counted >= many, limit_s=left, pause=often
            )
            if came["counted"] >= many:
                left = end - time.monotonic()
                came["fired"] = until(lambda: _state(aws, name) == "ALARM", bool, limit_s=left, pause=often)
                listened = min(_LISTEN_S, max(1.0, end - time.monotonic()))
                came["heard"] = came["fired"] and bool(listen(aws.client("sqs"), box, {name}, listened))

    def read_back() -> dict[str, Any]:
        page = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)
        return {"stream": stream if page["logStreams"] else "missing", **came}

    guard.change(
        f"send {many} failures of our own through the worker's log",
        before={"alarm": found["StateValue"]},
        after={"stream": stream},
        undo=f"nothing is left but the lines; {name} is OK again after {found['Period'] / 60:g} min",
        by_hand=f"aws logs delete-log-stream --log-group-name {group} --log-stream-name {stream}",
        do=act,
        read_back=read_back,
        raises=True,
    )
    return Way(name, many, came["counted"], came["fired"], came["heard"], float(found["Period"]) / 60)


def _lines(sample: str, many: int, mark: str) -> Sequence[str]:
    """Failure lines as the worker writes them; in a line of JSON, `job_id` marks it as ours."""
    try:
        said = json.loads(sample)
    except ValueError:
        return [sample] * many
    if not isinstance(said, dict):
        return [sample] * many
    return [json.dumps({**said, "job_id": f"{mark}-{number}", "drill": True}) for number in range(many)]


def _counted(aws: Any, params: Params, at: Any) -> float:
    """Failures that the guard's metric has counted in the minute of `at` and the next one."""
    import datetime as dt

    minute = at.replace(second=0, microsecond=0)
    answer = aws.client("cloudwatch").get_metric_statistics(
        **address(params.metric(METRIC), params),
        StartTime=minute,
        EndTime=minute + dt.timedelta(minutes=2),
        Period=60,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in answer["Datapoints"]))


def _state(aws: Any, name: str) -> str:
    return str((described(aws.client("cloudwatch"), [name]).get(name) or {}).get("StateValue", "missing"))
