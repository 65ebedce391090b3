"""In a fresh checkout pytest takes each test module apart for its assertions, a third of a second for forty of them, in
every worker anew, since all of them begin at once. Here it is done once for all, by one process for each core.

What pytest keeps on disk is its own; if it does so in another way, the workers take the modules apart as before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def modules() -> list[Path]:
    """The modules whose assertions pytest takes apart, the largest first."""
    found = {*HERE.rglob("test_*.py"), *HERE.rglob("conftest.py")}
    return sorted(found, key=lambda path: (-path.stat().st_size, path))


def ahead(config: pytest.Config, processes: int) -> None:
    """Writes what pytest would write at the first import of each module."""
    paths = modules()
    children = []
    for place in range(processes):
        child = os.fork()
        if not child:
            try:
                with suppress(Exception):
                    write(config, paths[place::processes])
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def write(config: pytest.Config, paths: Sequence[Path]) -> int:
    """Writes what is not there yet for these modules, and returns how many that were."""
    from _pytest.assertion import rewrite

    written = 0
    for path in paths:
        folder = rewrite.get_cache_dir(path)
        kept = folder / (path.name[: -len(".py")] + rewrite.PYC_TAIL)
        if rewrite._read_pyc(path, kept) is None and rewrite.try_makedirs(folder):
            stat, code = rewrite._rewrite_test(path, config)
            written += rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, stat, kept)
    return written
