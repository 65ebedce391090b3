"""What is paid for: every item that a price list must know, and the usage of each side as priced lines.

A charge is a row here. Quantities come in the unit that AWS bills (`UNITS`); what no metric tells (sizes) is said in
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
"""Hours of a month, as AWS's own calculator has it: 365 x 24 / 12."""
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
"""Item to the unit that it is billed in."""


class Sizes(Frozen):
    """What no metric tells, for the bill: sizes in kilobytes (1,000 bytes), and the KPI metrics of each side."""

    report_kb: float = Field(ge=0)
    """A report in the bucket, and as it is downloaded."""
    answer_kb: float = Field(ge=0)
    """An answer of the API that holds no report, headers included."""
    item_kb: float = Field(ge=0)
    """A job in the table; the index holds a copy."""
    report_days: float = Field(gt=0)
    """How long a report is kept, where the bucket's lifecycle cannot be read."""
    kpi_async: int = Field(ge=0)
    """Custom metrics of the async path (those of submit, worker and status)."""
    kpi_sync: int = Field(ge=0)
    """Custom metrics of the synchronous Lambda."""


class Function(Frozen):
    """One Lambda in one window."""

    service: str
    """Row of the table, such as `Lambda worker`."""
    runs: float = Field(ge=0)
    """Invocations: failed, retried and timed-out ones included."""
    seconds: float = Field(ge=0)
    """Summed durations."""
    memory_mb: int = Field(gt=0)
    architecture: Architecture = "x86_64"

    def lines(self) -> tuple[UsageLine, ...]:
        """Requests and GB-seconds."""
        gb_s = self.seconds * self.memory_mb / 1024
        return (
            UsageLine(service=self.service, item="lambda.requests", quantity=self.runs),
            UsageLine(service=self.service, item=f"lambda.gb_seconds.{self.architecture}", quantity=gb_s),
        )


class Capacity(Frozen):
    """What table and index consumed on demand, and what was provisioned for them."""

    write_units: float = Field(default=0, ge=0)
    """Consumed on demand, table and index together: CloudWatch counts the index apart."""
    read_units: float = Field(default=0, ge=0)
    write_unit_hours: float = Field(default=0, ge=0)
    """Provisioned, table and index together: paid whether used or not."""
    read_unit_hours: float = Field(default=0, ge=0)

    def lines(self) -> tuple[UsageLine, ...]:
        """Request units, and unit-hours where there are any."""
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
    """What CloudWatch, the configuration and the census say of the async path in one window."""

    api: Api
    successes: int = Field(ge=0)
    hours: float = Field(default=0, ge=0)
    """Length of the window: what is paid by the hour or month."""
    submits: float = Field(ge=0)
    """Requests of the submit route."""
    polls: float = Field(ge=0)
    """Requests of the status route."""
    functions: tuple[Function, ...]
    queue_sent: float = Field(default=0, ge=0)
    queue_received: float = Field(default=0, ge=0)
    queue_deleted: float = Field(default=0, ge=0)
    queue_empty_receives: float = Field(default=0, ge=0)
    """Long polls that came back empty: paid also without traffic."""
    capacity: Capacity = Capacity()
    item_gb_months: float = Field(default=0, ge=0)
    """Items of the jobs table and their copies in the index, for as long as they live."""
    puts: float = Field(default=0, ge=0)
    gets: float = Field(default=0, ge=0)
    report_gb_months: float = Field(default=0, ge=0)
    """Reports in the bucket until the lifecycle expires them."""
    log_gb: float = Field(default=0, ge=0)
    custom_metrics: float = Field(default=0, ge=0)
    out_gb: float = Field(default=0, ge=0)
    """Answers of the API, and reports downloaded."""
    input_tokens: float = Field(default=0, ge=0)
    """Of every run that called the LLM, whatever came of it."""
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
    """What CloudWatch and the configuration say of the synchronous path in one window."""

    api: Api
    successes: int = Field(ge=0)
    """Answers that the gateway gave in time: what was finished after a 504 reached nobody (docs/domain.md, trap 2)."""
    hours: float = Field(default=0, ge=0)
    requests: float = Field(ge=0)
    function: Function
    log_gb: float = Field(default=0, ge=0)
    custom_metrics: float = Field(default=0, ge=0)
    out_gb: float = Field(default=0, ge=0)
    reported_usd: float = Field(default=0, ge=0)
    """The Lambda's own bill for its tokens, those of reports that nobody waited for any more included."""
    unreported_usd: float = Field(default=0, ge=0)
    """The same for runs that were cut off before they could report: their tokens are paid, too."""

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
    """What the runbook itself costs in one window: it watches, and CloudWatch charges for being asked."""

    hours: float = Field(default=0, ge=0)
    metrics_asked: float = Field(default=0, ge=0)
    """Metrics in GetMetricData calls, each page counted."""
    alarm_metrics: float = Field(default=0, ge=0)
    """Metrics watched by the alarms that the runbook makes: an alarm on metric math is paid by the metric."""
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
