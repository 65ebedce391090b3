"""The jobs table's capacity as DynamoDB has it: billing mode, units of table and index, and whether it is ACTIVE."""

from __future__ import annotations

from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.judge.incidents.capacity import Units
from runbook_lib.judge.terms import Frozen
from runbook_lib.params.load import Params

ON_DEMAND, PROVISIONED = "PAY_PER_REQUEST", "PROVISIONED"


class Billing(Frozen):
    """Capacity of the table and its indexes, as described by DynamoDB."""

    table: str
    mode: str
    """PAY_PER_REQUEST or PROVISIONED."""
    status: str
    """Status of the table: ACTIVE or UPDATING."""
    units: dict[str, Units]
    """Provisioned units by name: the table's own and each index's; empty on demand."""
    indexes: tuple[str, ...]
    index_status: dict[str, str]

    @property
    def active(self) -> bool:
        """Whether the table and every index are ACTIVE."""
        return self.status == "ACTIVE" and all(one == "ACTIVE" for one in self.index_status.values())

    def facts(self) -> dict[str, Any]:
        """The facts that a change of the billing promises and reads back."""
        units = {name: [one.read, one.write] for name, one in self.units.items()}
        return {"mode": self.mode, "units": units, "active": self.active}


def read_billing(dynamodb: Any, params: Params) -> Billing:
    """Reads the table's present capacity.

    Raises:
        AwsError: there is no such table, DynamoDB refused, or its answer has no status.
    """
    name = params.name("table")
    with aws_errors(f"reading the capacity of {name} (dynamodb:DescribeTable)"):
        table = dynamodb.describe_table(TableName=name)["Table"]
    if "TableStatus" not in table:
        raise AwsError(f"DynamoDB does not tell the status of {name}: look at it in the console")
    indexes = {one["IndexName"]: one for one in table.get("GlobalSecondaryIndexes", [])}
    # On AWS a table that has always been provisioned has no summary.
    mode = table.get("BillingModeSummary", {}).get("BillingMode", PROVISIONED)
    parts = {name: table, **indexes} if mode == PROVISIONED else {}
    return Billing(
        table=name,
        mode=mode,
        status=table["TableStatus"],
        units={part: _units(found.get("ProvisionedThroughput", {})) for part, found in parts.items()},
        indexes=tuple(indexes),
        # The embedded AWS leaves out the status of an index; AWS always gives it.
        index_status={one: found.get("IndexStatus", "ACTIVE") for one, found in indexes.items()},
    )


def _units(throughput: dict[str, Any]) -> Units:
    return Units(read=int(throughput.get("ReadCapacityUnits", 0)), write=int(throughput.get("WriteCapacityUnits", 0)))
