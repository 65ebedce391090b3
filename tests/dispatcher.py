"""Splits calls as AWS does for a weighted alias and a stage's canary, which the embedded AWS does not.

The embedded AWS stores both weights and uses neither (docs/emulator.md). This module reads the stored weight, draws
the side of each call, takes real messages from the queue and hands them to the drawn version, and publishes Lambda's
metrics: invocations, errors and durations by ExecutedVersion.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.observe.traffic.in_force import READERS
from runbook_lib.params.load import Params
from runbook_lib.params.traffic import AliasHome

STEP = dt.timedelta(minutes=5)
"""Length of the simulated steps."""
_AT_ONCE = 500


class Dispatcher:
    """The splitting of one alias or stage.

    Args:
        aws: an embedded AWS.
        params: with `lambda-alias` or `rest-canary` as the home of the weight.
    """

    def __init__(self, aws: Any, params: Params, seed: int = 1) -> None:
        self._client, self._params, self._random = aws.client, params, Random(seed)

    @property
    def share(self) -> float:
        """Share of the calls that go to the new side now, 0 to 1."""
        kind = self._params.service.traffic.kind
        return READERS[kind](self._client, self._params).percent / 100

    def sides(self, calls: int) -> Counter[str]:
        """Number of `new` and `stable` among this many calls."""
        share = self.share
        return Counter("new" if self._random.random() < share else "stable" for _ in range(calls))

    def drain(self, queue_url: str) -> Counter[str]:
        """Hands each message of a queue to the version drawn for it; returns how many each version has done.

        If a version raises, its message stays in the queue, as with Lambda.
        """
        home, sqs = self._alias, self._client("sqs")
        done = Counter[str]()
        while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", []):
            for one in messages:
                side = next(iter(self.sides(1)))
                version = home.version if side == "new" else home.stable
                event = {"Records": [{"messageId": one["MessageId"], "body": one["Body"]}]}
                answer = self._client("lambda").invoke(
                    FunctionName=self._params.name(home.function), Qualifier=version, Payload=json.dumps(event)
                )
                if not answer.get("FunctionError"):
                    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=one["ReceiptHandle"])
                    done[version] += 1
        return done

    def live(
        self,
        start: dt.datetime,
        end: dt.datetime,
        per_hour: float,
        failing: Mapping[str, float] | None = None,
        seconds: float = 45.0,
    ) -> Counter[str]:
        """Publishes the calls of a span to CloudWatch, with the present weight; returns how many each side had.

        Args:
            per_hour: mean number of calls per hour.
            failing: share of the calls that fail, by side.
            seconds: mean seconds of one call.
        """
        data, total, at = list[dict[str, Any]](), Counter[str](), start
        while at < end:
            calls = self._drawn(per_hour * STEP.total_seconds() / 3600)
            for side, n in self.sides(calls).items():
                bad = sum(self._random.random() < (failing or {}).get(side, 0.0) for _ in range(n))
                took = [1000 * seconds * self._random.uniform(0.7, 1.3) for _ in range(n)]
                data += [
                    self._datum(f"{side}_invocations", at, [float(n)]),
                    self._datum(f"{side}_errors", at, [float(bad)]),
                    self._datum(f"{side}_duration", at, took),
                ]
                total[side] += n
            at += STEP
        cloudwatch = self._client("cloudwatch")
        for place in range(0, len(data), _AT_ONCE):
            cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=data[place : place + _AT_ONCE])
        return total

    @property
    def _alias(self) -> AliasHome:
        home = self._params.service.traffic
        assert isinstance(home, AliasHome)
        return home

    def _drawn(self, mean: float) -> int:
        """A random count with this mean: independent arrivals."""
        count, time = 0, self._random.expovariate(1.0)
        while time < mean:
            count, time = count + 1, time + self._random.expovariate(1.0)
        return count

    def _datum(self, metric: str, at: dt.datetime, values: list[float]) -> dict[str, Any]:
        where = address(self._params.metric(metric), self._params)
        return {"MetricName": where["MetricName"], "Dimensions": where["Dimensions"], "Timestamp": at, "Values": values}
