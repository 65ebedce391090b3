"""Runs MiniStack in virtual time, as a child of `EmbeddedAws`.

Called as `python -m runbook_lib.rehearse.emulator.launcher EPOCH PARENT`.

Protocol, one line each way: `move EPOCH` on stdin moves the clock there, and the answer on stdout is `ok EPOCH`; a
first `ok` comes when the clock runs. The end of stdin, or another parent than the process PARENT, means that the parent
is gone: this process then takes everything down and ends.
"""

from __future__ import annotations

import gc
import os
import runpy
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TextIO

from runbook_lib.base.process import ends_with

_ABSENT = ("docker", "duckdb")
"""MiniStack does without these packages where it does not find them. The sandbox's functions are processes and nobody
asks Athena; importing them takes a sixth of its start."""


def _end() -> None:
    """Ends the Lambda workers, removes the temporary folder, and ends the process at once."""
    runtime = sys.modules.get("ministack.core.lambda_runtime")
    try:
        if runtime is not None:
            runtime.reset()
        shutil.rmtree(tempfile.gettempdir(), ignore_errors=True)
    finally:
        os._exit(0)


def main(epoch: float, parent: int) -> None:
    """Starts the clock at `epoch` (seconds, UTC), then the emulator; never returns."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the emulator's output goes to the log, not into the protocol
    os.environ.pop("PYTHONPATH", None)  # it was for this process, not for the Lambda workers

    # time_machine registers a pytest plugin if pytest can be imported: 0.3 s for nothing here.
    sys.modules["pytest"] = None  # type: ignore[assignment]
    import time_machine

    coordinates = time_machine.travel(epoch, tick=True).start()
    del sys.modules["pytest"]
    sys.modules.update(dict.fromkeys(_ABSENT))  # type: ignore[arg-type]

    from runbook_lib.rehearse.emulator import (
        alarm_clock,
        corrected,
        inbox,
        lambda_forks,
        metric_filters,
        queue_gauge,
        remembered,
    )

    # Weeks of metrics are millions of small objects without cycles: searching them repeatedly finds nothing.
    gc.set_threshold(200_000, 50, 1_000)
    evaluate_alarms = alarm_clock.install(time.time)
    queue_gauge.install(time.time)
    lambda_forks.limit()
    lambda_forks.install()
    metric_filters.install(evaluate_alarms)
    inbox.install(Path(tempfile.gettempdir()))
    remembered.install()
    corrected.page_deployments()
    corrected.type_patches()
    reap = corrected.expire()

    def obey(answers: TextIO) -> None:
        print("ok", time.time(), file=answers, flush=True)
        for line in sys.stdin:
            _, target = line.split()
            coordinates.move_to(float(target))
            reap(time.time())
            evaluate_alarms()
            print("ok", time.time(), file=answers, flush=True)
        _end()

    threading.Thread(target=obey, args=(answers,), daemon=True).start()
    ends_with(parent, _end)
    sys.argv = ["ministack"]
    runpy.run_module("ministack", run_name="__main__")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
