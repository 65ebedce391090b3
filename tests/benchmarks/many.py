"""Plays of many seeds, side by side, for the pages of docs/ that are made of them."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from runbook_lib.rehearse.quick.many import SELDOM

Found = TypeVar("Found")


def played(
    work: Callable[[int], Found], seeds: range, *, at_once: int, told_each: int, kept: Path | None = None
) -> list[Found]:
    """What `work` gives for each seed, in their order; on stderr how far it is.

    Args:
        at_once: seeds that a process is given at a time.
        told_each: plays after which it is said.
        kept: a file with what a run of the same code found before it was stopped; it is taken from there, and the rest
            is added.
    """
    began, found = time.monotonic(), _read(kept) if kept is not None and kept.exists() else dict[int, Found]()
    todo = [seed for seed in seeds if seed not in found]
    with ProcessPoolExecutor(os.cpu_count(), initializer=gc.set_threshold, initargs=SELDOM) as pool:
        for done, (seed, one) in enumerate(zip(todo, pool.map(work, todo, chunksize=at_once), strict=True), 1):
            found[seed] = one
            if kept is not None:
                with kept.open("ab") as file:
                    pickle.dump((seed, one), file)
            if done % told_each == 0:
                print(f"{done:,} of {len(todo):,} plays, {time.monotonic() - began:.0f} s", file=sys.stderr)
    return [found[seed] for seed in seeds]


def _read(kept: Path) -> dict[int, Any]:
    found = dict[int, Any]()
    with kept.open("rb") as file, contextlib.suppress(EOFError, pickle.UnpicklingError):  # stopped while it wrote
        while True:
            seed, one = pickle.load(file)
            found[seed] = one
    return found
