"""Kernels of whole journeys, for tests that ask what the runs decided and recorded: forks without what was done before.

A process that has imported all that a notebook needs forks them (`rehearse/play/nursery.py`), and in it

- figures are made, with all that is in them, and not painted: nobody looks at them, and painting them is half of what
  a look at a soak costs. Painted they are in the kernels that boot by themselves (`e2e/test_ways.py`, `test_wheel.py`,
  `test_browser.py`, `test_killed.py`, `make rehearse`), and in the tests of `show/`;
- a forecast of harm is taken from the run that made it first for the same policy and weight, in whichever worker of
  this run of the tests; of each run's own traffic it is in the kernels that boot by themselves, and in
  `tests/steps/test_harm.py`;
- the sandbox's infrastructure tool is a fork, as in the tests' own processes (`tests/forks.py`).
"""

from __future__ import annotations

import atexit
import functools
from pathlib import Path
from typing import Self

import pytest

from runbook_lib.rehearse.play.nursery import PRELOAD, Nursery

ROOT = Path(__file__).resolve().parents[1]


class Lent:
    """The worker's nursery for a rehearsal that ends its own: it is not ended."""

    def __init__(self) -> None:
        self.provisioner = nursery().provisioner

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@functools.cache
def nursery() -> Nursery:
    """The process that forks kernels, one for each worker that runs notebooks in them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.chdir(ROOT)  # the first test that asks may stand in a folder of its own
        found = Nursery((*PRELOAD, "tests.made_before"))
    atexit.register(found.close)
    return found
