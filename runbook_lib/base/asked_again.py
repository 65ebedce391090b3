"""Asks a question to AWS again where something in between spoilt its answer; never an order.

One web page of a proxy among the sixty questions of an inventory was its verdict. All clients of a command share one
limit of time, so that it ends soon behind a login page, which spoils every answer.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from runbook_lib.base.aws_errors import cause_of, code_of, numbered, spoilt
from runbook_lib.base.patience import Silence, again

_QUESTION = re.compile(r"(Batch)?Get|List|Describe|Head|Lookup|Query$|Scan$|Filter|Test(?!Invoke)|Simulate")
"""How the name of an operation begins that changes nothing. `ReceiveMessage` hides what it receives."""


def is_question(asked: str) -> bool:
    """Whether an operation of AWS changes nothing.

    >>> is_question("GetDeployment"), is_question("StopDeployment"), is_question("ReceiveMessage")
    (True, False, False)
    """
    return bool(_QUESTION.match(asked))


def listen(client: Any, lost: Silence) -> None:
    """From now on asks again what was spoilt, until all that was `lost` by it is too much."""
    call = client._make_api_call

    def made(asked: str, request: Any) -> Any:
        if not is_question(asked):
            return call(asked, request)
        told = f"the answer to {asked} is not from AWS, or not whole"
        # A copy each time: botocore writes into it, and does not decode the names of a list that is asked for twice.
        return again(lambda: call(asked, copy.deepcopy(request)), _on_the_way, lost, told)

    client._make_api_call = made


def _on_the_way(error: Exception) -> bool:
    """Whether the answer is not AWS's, or not whole: a refusal by AWS has the number of its request and a body with a
    code. HTTP gives none to what HEAD asks, nor to what is as whoever asks knows it (304).
    """
    from botocore.exceptions import ClientError

    cause = cause_of(error)
    if not isinstance(cause, ClientError):
        return spoilt(error)
    bare = cause.operation_name.startswith("Head") or code_of(cause) == "304"
    return not numbered(cause) or (spoilt(error) and not bare)
