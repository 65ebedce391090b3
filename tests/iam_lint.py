"""The linter of IAM policies (`parliament`), which looks for its files by a module that setuptools has no more."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any


def _resource_filename(package: str, name: str) -> str:
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    return str(Path(spec.origin).parent / name)


def parliament() -> Any:
    """The linter. The stand-in is gone afterwards: `monkeypatch.syspath_prepend` asks more of such a module."""
    shim = ModuleType("pkg_resources")
    shim.resource_filename = _resource_filename  # type: ignore[attr-defined]
    there = sys.modules.setdefault("pkg_resources", shim)
    try:
        return importlib.import_module("parliament")
    finally:
        if there is shim:
            del sys.modules["pkg_resources"]
