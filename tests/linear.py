"""Time in proportion to a text's length: how long a function takes for chains of one part."""

from __future__ import annotations

import time
from collections.abc import Callable

from runbook_lib.base import redact


def seconds(mask: Callable[[str], object], part: str, size: int, before: str = "") -> float:
    """Processor time for about `size` characters, of which none is known to be clean."""
    text = before + part * max(1, size // len(part))
    redact._Asked.clean.clear()
    began = time.process_time()
    mask(text)
    return time.process_time() - began


def grows(mask: Callable[[str], object], part: str, size: int, times: int, least: float) -> float:
    """How many times as long as for `size` characters it takes for `times` as many; less than `least` seconds count as
    that.
    """
    seconds(mask, part, size // 10)
    return seconds(mask, part, size * times) / max(seconds(mask, part, size), least)
