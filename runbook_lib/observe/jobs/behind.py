"""One job behind the API: its item in the jobs table, and its result in the bucket.

They show what the API does not tell: whether a probe's mark has arrived, and what became of a job whose status never
changes.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.base.tagged import plain
from runbook_lib.base.template import filled
from runbook_lib.params.item import own, result_key
from runbook_lib.params.load import Params


class Behind:
    """Table and bucket of one environment; `aws` is anything that makes boto3 clients."""

    def __init__(self, aws: Any, params: Params) -> None:
        self.aws, self.params = aws, params

    def item(self, job_id: str) -> dict[str, Any]:
        """The job's plain item as the table has it; empty: there is none.

        Raises:
            AwsError: DynamoDB refused or did not answer.
        """
        table, key = self.params.name("table"), {self.params.service.contract.table.job_id: {"S": job_id}}
        with aws_errors(f"looking up a job in {table} (dynamodb:GetItem)"):
            answer = self.aws.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)
        return plain(answer.get("Item", {}))

    def job(self, job_id: str) -> dict[str, Any]:
        """The job's item in the runbook's own words (`params/item.py`); empty: there is none."""
        return own(self.item(job_id), self.params.service.contract)

    def result(self, job_id: str) -> object | None:
        """The job's result, parsed from JSON; None: it is not there, or is no JSON.

        Raises:
            AwsError: AWS refused or did not answer.
        """
        contract = self.params.service.contract
        key = result_key(self.job(job_id), contract) if contract.table.result_key else ""
        key = key or filled(contract.result.key, {"job_id": job_id})
        s3 = self.aws.client("s3")
        with aws_errors(f"reading the result {key} (s3:GetObject)"):
            try:
                found: object = json.loads(s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
            except (s3.exceptions.NoSuchKey, ValueError):
                return None
        return found

    @cached_property
    def _bucket(self) -> str:
        prefix = self.params.name("bucket_prefix")
        with aws_errors("looking for the results bucket (s3:ListBuckets)"):
            there = [one["Name"] for one in self.aws.client("s3").list_buckets()["Buckets"]]
        names = [name for name in there if name.startswith(prefix)]
        if len(names) != 1:
            raise AwsError(f"there are {len(names)} buckets '{prefix}…', expects exactly one")
        return str(names[0])
