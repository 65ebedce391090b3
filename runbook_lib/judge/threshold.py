"""The comparison with a limit for a gate's target and alert limit; in YAML a text such as `> 0.99`."""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, PlainSerializer

from runbook_lib.judge.terms import Frozen

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
_OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class Threshold(Frozen):
    """A comparison such as `> 0.99`, of a value with `limit`."""

    op: Literal["<", "<=", ">", ">="]
    limit: float

    def holds(self, value: float) -> bool:
        """Whether `value op limit`; never true for NaN."""
        return bool(_OPERATORS[self.op](value, self.limit))

    def count(self, values: Iterable[float]) -> int:
        """The number of `values` for which it is true."""
        return sum(map(_OPERATORS[self.op], values, itertools.repeat(self.limit)))

    def __str__(self) -> str:
        short = f"{self.limit:g}"
        return f"{self.op} {short if float(short) == self.limit else repr(self.limit)}"


def _threshold(raw: object) -> object:
    if isinstance(raw, str):
        match = re.fullmatch(rf"\s*(<=|>=|<|>)\s*({_NUMBER})\s*", raw, re.ASCII)
        if not match:
            raise ValueError("expects <, <=, > or >= and a number without unit or %, such as '> 0.99'")
        return Threshold(op=match[1], limit=float(match[2]))
    if not isinstance(raw, Threshold | Mapping):
        raise ValueError("expects a comparison in quotes, such as '> 0.99'")
    return raw


Comparison = Annotated[Threshold, BeforeValidator(_threshold), PlainSerializer(str)]
