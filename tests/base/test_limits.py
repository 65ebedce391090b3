"""A command under `ulimit`: real processes, since a limit cannot be taken back."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

LIMITED = ("params", "check", "-f", "params/dev.yaml")


def _ended(limit: Callable[[], object], *command: str) -> tuple[int, str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS")}
    done = subprocess.run(
        [sys.executable, "-c", *command],
        preexec_fn=limit,
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr


@pytest.mark.slow
def test_too_little_address_space_is_one_sentence() -> None:
    """OpenBLAS stood for ever with 250 MB, whatever signal it was sent, and ended by itself with 150 MB."""
    limit = 250 << 20
    code, told = _ended(
        lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        f"import sys; sys.argv = ['runbook', *{LIMITED}]; from runbook_lib.cli.entry import main; main()",
    )
    assert code == 2 and told.count("\n") == 1, told
    assert "250 MB of address space (`ulimit -v`), and a command needs 768 MB" in told and "nothing was changed" in told


@pytest.mark.slow
@pytest.mark.parametrize("soft", [True, False])
def test_processor_time_that_is_used_up_is_told_before_the_process_is_killed(soft: bool) -> None:
    """Where soft and hard limit are the same, as bash sets them, the process was killed without a word."""
    code, told = _ended(
        lambda: resource.setrlimit(resource.RLIMIT_CPU, (1 if soft else 5, 50 if soft else 5)),
        """
from runbook_lib.base import limits
limits.eased()
from runbook_lib.cli.app import guarded
def work():
    while True: pass
guarded(work)
""",
    )
    assert code == 130 and "its processor time is used up (`ulimit -t`); nothing was changed" in told, told
