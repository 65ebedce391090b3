"""The worker's concurrency as AWS has it now: reserved, the event source's maximum, and what the account has left."""

from __future__ import annotations

from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.asking import pages
from runbook_lib.params.load import Params


class Workers(Frozen):
    """How many workers may run at a time, and by which settings."""

    function: str
    reserved: int | None
    """Reserved concurrency of the worker; None: nothing is reserved, and the account's pool is its limit."""
    maximum: int | None
    """MaximumConcurrency of the event source; None: none is set (docs/domain.md, trap 21)."""
    mapping: str
    """UUID of the event source mapping of the job queue."""
    state: str
    """State of the mapping: Enabled, Updating, Disabled."""
    unreserved: int
    """Concurrency that the account's other functions share."""

    @property
    def in_force(self) -> int | None:
        """Number of workers that can run at a time: the smaller of both limits; None: neither is set."""
        limits = [one for one in (self.reserved, self.maximum) if one is not None]
        return min(limits, default=None)

    def facts(self) -> dict[str, int | None]:
        """The facts that a change of the workers promises and reads back."""
        return {"reserved": self.reserved, "maximum": self.maximum}


def read_workers(lambda_client: Any, params: Params, worker: str = "worker") -> Workers:
    """A worker's concurrency now.

    Args:
        worker: its key in `names`.

    Raises:
        AwsError: Lambda refused or did not answer, or nothing maps the job queue to the worker.
    """
    name, queue = params.name(worker), params.name(params.service.post_of(worker).queue)
    with aws_errors(f"reading the concurrency of {name} (lambda:GetFunctionConcurrency, ListEventSourceMappings)"):
        reserved = lambda_client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
        found = pages(lambda_client, "list_event_source_mappings", "EventSourceMappings", FunctionName=name)
        unreserved = lambda_client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    mine = [one for one in found if one.get("EventSourceArn", "").rpartition(":")[2] == queue]
    if not mine:
        raise AwsError(f"{name} has no event source for {queue}: nobody works on the queue; deploy the infrastructure")
    maximum = mine[0].get("ScalingConfig", {}).get("MaximumConcurrency")
    return Workers(
        function=name,
        reserved=None if reserved is None else int(reserved),
        maximum=None if maximum is None else int(maximum),
        mapping=str(mine[0]["UUID"]),
        state=str(mine[0].get("State", "")),
        unreserved=int(unreserved),
    )
