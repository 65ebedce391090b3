"""Reads the secrets that the contract's headers name, when a request is about to be sent. It keeps them nowhere.

Every value is masked from then on in whatever this process writes, prints or records (`base/redact.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from runbook_lib.base import redact
from runbook_lib.base.aws_errors import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.base.template import partly
from runbook_lib.params.contract import Contract
from runbook_lib.params.references import Reference, read

if TYPE_CHECKING:
    from runbook_lib.observe.asking import Clients


def with_secrets(contract: Contract, aws: Clients, env: str) -> Contract:
    """The contract with the values of its secrets in its headers: for the requests, never for a record.

    Raises:
        AwsError: a secret cannot be read, or does not fit into a header; the sentence names it, never its value.
    """
    if not contract.secrets:
        return contract
    values = {name: value_of(name, read(text, env), aws) for name, text in contract.secrets.items()}

    def known(headers: Mapping[str, str]) -> dict[str, str]:
        return {name: partly(text, values) for name, text in headers.items()}

    return contract.model_copy(
        update={
            "submit": contract.submit.model_copy(update={"headers": known(contract.submit.headers)}),
            "status": contract.status.model_copy(update={"headers": known(contract.status.headers)}),
            "secrets": {},
        }
    )


def value_of(name: str, kept: Reference, aws: Clients) -> str:
    """Reads the value of one secret, which is masked from then on.

    Raises:
        AwsError: it cannot be read, or does not fit into a header.
    """
    where = f"{kept.kind}:{kept.name}{'#' if kept.field else ''}{kept.field}"
    said = f"contract.secrets.{name} ({where})"
    value = _kept(said, kept, aws)
    redact.know(value)
    if not value:
        raise AwsError(f"{said} is empty; put the value there")
    if not all(" " <= one <= "~" for one in value) or value != value.strip():
        raise AwsError(f"{said} cannot be in a header (it has a line end, a space around it, or a sign beyond ASCII)")
    if len(value) < redact.LEAST:
        raise AwsError(f"{said} has fewer than {redact.LEAST} characters: too few to be masked everywhere")
    return value


def _kept(said: str, kept: Reference, aws: Clients) -> str:
    if kept.kind == "env":
        if kept.name not in os.environ:
            raise AwsError(f"{said}: the variable {kept.name} is not set; set it in the shell that starts the runbook")
        return os.environ[kept.name]
    if kept.kind == "ssm":
        with aws_errors(f"reading {said} (ssm:GetParameter)"):
            return str(aws.client("ssm").get_parameter(Name=kept.name, WithDecryption=True)["Parameter"]["Value"])
    with aws_errors(f"reading {said} (secretsmanager:GetSecretValue)"):
        text = aws.client("secretsmanager").get_secret_value(SecretId=kept.name).get("SecretString")
    if not isinstance(text, str):
        raise AwsError(f"{said} is binary; expects text")
    if not kept.field:
        return text
    redact.know(text)
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        whole = None
    found = whole.get(kept.field) if isinstance(whole, dict) else None
    if not isinstance(found, str):
        raise AwsError(f"{said}: the secret is not a JSON object with a text at '{kept.field}'")
    return found
