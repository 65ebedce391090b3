"""All charges: every item that a price list must have, and the usage of each side as lines to price.

A charge is a row here. Quantities are in the unit that AWS bills (`UNITS`). Sizes, which no metric has, are in
`service.yaml`. docs/cost.md has the source of every line.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runbook_lib.judge.money.cost import Path, Usage, UsageLine
from runbook_lib.judge.terms import Frozen

Architecture = Literal["x86_64", "arm64"]
Api = Literal["rest", "http"]
MONTH_H = 730.0
"""Hours of a month, as in AWS's own calculator: 365 x 24 / 12."""
MONTH_DAYS = MONTH_H / 24

UNITS: dict[str, str] = {
    "lambda.requests": "request",
    "lambda.gb_seconds.x86_64": "GB-second",
    "lambda.gb_seconds.arm64": "GB-second",
    "apigateway.rest_requests": "request",
    "apigateway.http_requests": "request",
    "sqs.requests": "request",
    "dynamodb.write_units": "request unit",
    "dynamodb.read_units": "request unit",
    "dynamodb.write_capacity": "unit-hour",
    "dynamodb.read_capacity": "unit-hour",
    "dynamodb.storage": "GB-month",
    "s3.put_requests": "request",
    "s3.get_requests": "request",
    "s3.storage": "GB-month",
    "logs.ingested": "GB",
    "cloudwatch.custom_metrics": "metric-month",
    "cloudwatch.metrics_asked": "metric",
    "cloudwatch.alarm_metrics": "metric-month",
    "cloudwatch.dashboards": "dashboard-month",
    "transfer.out": "GB",
    "llm.input_tokens": "token",
    "llm.output_tokens": "token",
    "llm.reported": "USD",
}
"""Item to its unit on the bill."""


class Sizes(Frozen):
    """Sizes for the bill that no metric has, in kilobytes (1,000 bytes), and the number of KPI metrics of each side."""

    report_kb: float = Field(ge=0)
    """Size of a report in the bucket, which is also that of a download."""
    answer_kb: float = Field(ge=0)
    """Size of an answer of the API without a report, headers included."""
    item_kb: float = Field(ge=0)
    """Size of a job's item in the table; the index has a copy."""
    report_days: float = Field(gt=0)
    """Days for which a report is kept, where the bucket's lifecycle cannot be read."""
    kpi_async: int = Field(ge=0)
    """Number of custom metrics of the async path (those of submit, worker and status)."""
    kpi_sync: int = Field(ge=0)
    """Number of custom metrics of the synchronous Lambda."""


class Function(Frozen):
    """Usage of one Lambda in one window."""

    service: str
    """Row of the table, such as `Lambda worker`."""
    runs: float = Field(ge=0)
    """Number of invocations, with failed, retried and timed-out ones."""
    seconds: float = Field(ge=0)
    """Sum of the durations."""
    memory_mb: int = Field(gt=0)
    architecture: Architecture = "x86_64"

    def lines(self) -> tuple[UsageLine, ...]:
        """The function's requests and GB-seconds."""
        gb_s = self.seconds * self.memory_mb / 1024
        return (
            UsageLine(service=self.service, item="lambda.requests", quantity=self.runs),
            UsageLine(service=self.service, item=f"lambda.gb_seconds.{self.architecture}", quantity=gb_s),
        )


class Capacity(Frozen):
    """Units of table and index: consumed on demand, and provisioned."""

    write_units: float = Field(default=0, ge=0)
    """Units consumed on demand by table and index together; CloudWatch counts the index apart."""
    read_units: float = Field(default=0, ge=0)
    write_unit_hours: float = Field(default=0, ge=0)
    """Units provisioned for table and index together; they are paid whether used or not."""
    read_unit_hours: float = Field(default=0, ge=0)

    def lines(self) -> tuple[UsageLine, ...]:
        """The table's request units, and its unit-hours where there are any."""
        rows = (
            ("dynamodb.write_units", self.write_units, False),
            ("dynamodb.read_units", self.read_units, False),
            ("dynamodb.write_capacity", self.write_unit_hours, True),
            ("dynamodb.read_capacity", self.read_unit_hours, True),
        )
        return tuple(
            UsageLine(service="table", item=item, quantity=quantity, fixed=fixed)
            for item, quantity, fixed in rows
            if quantity or not fixed
        )


class AsyncCounts(Frozen):
    """Counts of the async path in one window, from CloudWatch, the configuration and the census."""

    api: Api
    successes: int = Field(ge=0)
    hours: float = Field(default=0, ge=0)
    """Length of the window, for charges by the hour or month."""
    submits: float = Field(ge=0)
    """Requests of the submit route."""
    polls: float = Field(ge=0)
    """Requests of the status route."""
    functions: tuple[Function, ...]
    queue_sent: float = Field(default=0, ge=0)
    queue_received: float = Field(default=0, ge=0)
    queue_deleted: float = Field(default=0, ge=0)
    queue_empty_receives: float = Field(default=0, ge=0)
    """Long polls without a message; they are paid without traffic too."""
    capacity: Capacity = Capacity()
    item_gb_months: float = Field(default=0, ge=0)
    """Items of the jobs table and their copies in the index, until they expire."""
    puts: float = Field(default=0, ge=0)
    gets: float = Field(default=0, ge=0)
    report_gb_months: float = Field(default=0, ge=0)
    """Reports in the bucket until the lifecycle expires them."""
    log_gb: float = Field(default=0, ge=0)
    custom_metrics: float = Field(default=0, ge=0)
    out_gb: float = Field(default=0, ge=0)
    """Answers of the API and downloaded reports."""
    input_tokens: float = Field(default=0, ge=0)
    """Tokens of every run that called the LLM, with or without success."""
    output_tokens: float = Field(default=0, ge=0)

    def usage(self) -> Usage:
        """The priced lines of these counts."""
        requests = f"apigateway.{self.api}_requests"
        rows: tuple[tuple[str, str, float], ...] = (
            ("API submit", requests, self.submits),
            ("API polls", requests, self.polls),
            ("queue", "sqs.requests", self.queue_sent + self.queue_received + self.queue_deleted),
            ("table", "dynamodb.storage", self.item_gb_months),
            ("bucket", "s3.put_requests", self.puts),
            ("bucket", "s3.get_requests", self.gets),
            ("bucket", "s3.storage", self.report_gb_months),
            ("logs", "logs.ingested", self.log_gb),
            ("data out", "transfer.out", self.out_gb),
            ("LLM", "llm.input_tokens", self.input_tokens),
            ("LLM", "llm.output_tokens", self.output_tokens),
        )
        return _usage(
            "async",
            self.successes,
            rows,
            self.functions,
            self.capacity.lines(),
            (
                ("queue", "sqs.requests", self.queue_empty_receives),
                ("KPI metrics", "cloudwatch.custom_metrics", self.custom_metrics * self.hours / MONTH_H),
            ),
        )


class SyncCounts(Frozen):
    """Counts of the synchronous path in one window, from CloudWatch and the configuration."""

    api: Api
    successes: int = Field(ge=0)
    """Answers that the gateway gave in time; a report that was finished after a 504 reached nobody (docs/domain.md,
        trap 2)."""
    hours: float = Field(default=0, ge=0)
    requests: float = Field(ge=0)
    function: Function
    log_gb: float = Field(default=0, ge=0)
    custom_metrics: float = Field(default=0, ge=0)
    out_gb: float = Field(default=0, ge=0)
    reported_usd: float = Field(default=0, ge=0)
    """The Lambda's own sum for its tokens, with those of reports for which nobody waited any more."""
    unreported_usd: float = Field(default=0, ge=0)
    """Cost of the LLM in runs that were stopped before they could report; their tokens are paid too."""

    def usage(self) -> Usage:
        """The priced lines of these counts."""
        rows = (
            ("API sync", f"apigateway.{self.api}_requests", self.requests),
            ("logs", "logs.ingested", self.log_gb),
            ("data out", "transfer.out", self.out_gb),
            ("LLM", "llm.reported", self.reported_usd),
            ("LLM, not reported", "llm.reported", self.unreported_usd),
        )
        fixed = (("KPI metrics", "cloudwatch.custom_metrics", self.custom_metrics * self.hours / MONTH_H),)
        return _usage("sync", self.successes, rows, (self.function,), (), fixed)


class RunbookCounts(Frozen):
    """Counts for the runbook's own cost in one window: CloudWatch charges for queries."""

    hours: float = Field(default=0, ge=0)
    metrics_asked: float = Field(default=0, ge=0)
    """Number of metrics in GetMetricData calls; every page counts."""
    alarm_metrics: float = Field(default=0, ge=0)
    """Number of metrics in the runbook's own alarms: an alarm on metric math is paid by the metric."""
    dashboards: float = Field(default=0, ge=0)

    def usage(self) -> Usage:
        """The priced lines of these counts."""
        fixed = (
            ("questions", "cloudwatch.metrics_asked", self.metrics_asked),
            ("alarms", "cloudwatch.alarm_metrics", self.alarm_metrics * self.hours / MONTH_H),
            ("dashboard", "cloudwatch.dashboards", self.dashboards * self.hours / MONTH_H),
        )
        return _usage("runbook", 0, (), (), (), fixed)


def _usage(
    path: Path,
    successes: int,
    rows: tuple[tuple[str, str, float], ...],
    functions: tuple[Function, ...],
    more: tuple[UsageLine, ...],
    fixed: tuple[tuple[str, str, float], ...],
) -> Usage:
    lines = [UsageLine(service=service, item=item, quantity=quantity) for service, item, quantity in rows]
    lines[0:0] = [*(line for function in functions for line in function.lines()), *more]
    lines += [UsageLine(service=service, item=item, quantity=quantity, fixed=True) for service, item, quantity in fixed]
    return Usage(path=path, successes=successes, lines=tuple(lines))
