"""What a logger writes before each line is found without knowing its form, and no name is taken for it."""

from __future__ import annotations

import pytest

from runbook_lib.base.masking.fronts import alike
from runbook_lib.base.redact import redact_text

_ID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
LOGGERS = [
    "Nov  3 14:00:0{} host app: ",
    "<34>1 2026-11-30T14:00:0{}Z host app 12 ID47 - ",
    "INFO:root:",
    "2026-11-30 14:00:0{},123 - app - INFO - ",
    "E1130 14:00:0{}.000000       1 main.go:12] ",
    "app[{}]: ",
    f"2026-11-30T14:00:0{{}}.123Z\t{_ID}\tINFO\t",
    "Mon Nov 30 14:00:0{} 2026 ",
    "web_1  | 14:00:0{} ERROR ",
    "Step {}/5 : ",
    ">>> ",
]


@pytest.mark.parametrize("front", LOGGERS)
def test_what_a_logger_writes_hides_no_secret(front: str) -> None:
    secret = "zebra" + "stripe1"
    texts = (
        f"kind: Secret\ndata:\n  foo: {secret}",
        f"password:\n  {secret}",
        f"NAME        PASSWORD\nbob         {secret}",
        f"--password \\\n  {secret}",
    )
    for text in texts:
        lines = text.split("\n")
        shown = redact_text("\n".join(front.format(at) + line for at, line in enumerate(lines))).split("\n")
        assert secret not in "".join(shown), shown
        assert shown[:1] == [front.format(0) + lines[0]]
        assert text.startswith(("--", "NAME")) or all(
            line.startswith(front.format(at)) for at, line in enumerate(shown)
        )


def test_an_indentation_and_an_arn_are_no_beginning() -> None:
    lines = ["a 1: key: x", "a 2:    y", "by arn:aws:sns:us-east-1:1:token", "by arn:aws:sns:us-east-1:1:key"]
    assert list(alike(lines)) == [(0, 2, [5, 5]), (2, 4, [3, 3])]
    assert list(alike(["- key", "- b", "  secret", "  b"])) == []
