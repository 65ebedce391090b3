"""Plays of many seeds, side by side, for the pages of docs/ that are made of them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Found = TypeVar("Found")


def played(work: Callable[[int], Found], seeds: range, *, at_once: int, told_each: int) -> list[Found]:
    """What `work` gives for each seed, in their order; on stderr how far it is.

    Args:
        at_once: seeds that a process is given at a time.
        told_each: plays after which it is said.
    """
    began, found = time.monotonic(), list[Found]()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, one in enumerate(pool.map(work, seeds, chunksize=at_once), 1):
            found.append(one)
            if done % told_each == 0:
                print(f"{done:,} of {len(seeds):,} plays, {time.monotonic() - began:.0f} s", file=sys.stderr)
    return found
