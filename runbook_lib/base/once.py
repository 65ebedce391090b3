"""An option of argparse that may be said once: with two values it is a mistake, not the last one's win."""

from __future__ import annotations

import argparse
from typing import Any


class Once(argparse.Action):
    """Keeps a value; another one for the same option is a mistake."""

    said: object = None

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, _: Any = None
    ) -> None:
        if self.said not in (None, value):
            parser.error(f"{self.dest} is said twice")
        self.said = value
        setattr(namespace, self.dest, value)
