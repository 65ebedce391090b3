"""A bucket of the embedded S3 that is fit to keep an archive, and machines that write to it: each has a folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.kept_at import archive_root
from runbook_lib.record.home.s3 import Store
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from tests.archives import Machine, fit_bucket

_NUMBERS = itertools.count()


@pytest.fixture
def s3(embedded: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in embedded.env.items():
        monkeypatch.setenv(name, value)
    return embedded.client("s3")


@pytest.fixture
def bucket(s3: Any) -> Iterator[str]:
    """Its name: versioned, encrypted, not public."""
    name = f"records-{next(_NUMBERS)}"
    fit_bucket(s3, name)
    yield name


@pytest.fixture
def machine(bucket: str, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Machine]:
    monkeypatch.setattr("runbook_lib.record.home.bucket._DOWN", {})
    monkeypatch.setattr(Store, "_client", s3)  # opened once: each machine would take a tenth of a second for its own
    return lambda name: Machine(archive_root(f"s3://{bucket}/team", tmp_path / name))
