"""What a worker of the tests (pytest-xdist) leaves unsaid: messages of which a quiet run makes nothing.

Each message is written, sent, read and handed to all plugins. A test sends that it begins, three reports, and that it
ends; a dot and a count are made of the report of its call alone, unless something else took time or said something.
"""

from __future__ import annotations

from typing import Any

import pytest

_LEAST_S = 0.005
"""What pytest's list of durations leaves out."""


def told(name: str, data: dict[str, Any] | None) -> bool:
    """Whether the message `name`, with the report `data` if it has one, makes a difference to a quiet run."""
    if data is None:
        return name not in ("logstart", "logfinish")
    nothing = data["outcome"] == "passed" and not data["sections"] and not data["user_properties"]
    return data["when"] == "call" or not nothing or data["duration"] >= _LEAST_S


def install(config: pytest.Config) -> None:
    """In a worker of a run that shows dots and writes no file of results; else nothing."""
    if not hasattr(config, "workerinput") or config.get_verbosity() >= 0 or config.getoption("xmlpath", None):
        return
    for worker in config.pluginmanager.get_plugins():
        if type(worker).__name__ == "WorkerInteractor":
            worker.sendevent = _briefly(worker.sendevent)


def _briefly(send: Any) -> Any:
    def sent(name: str, **message: Any) -> None:
        if told(name, message.get("data") if name == "testreport" else None):
            send(name, **message)

    return sent
