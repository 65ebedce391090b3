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


@pytest.mark.slow
def test_where_no_file_may_be_written_that_is_said_of_the_machine() -> None:
    """It was said as a fault of the runbook: `tempfile.py:362; RUNBOOK_TRACEBACK=1 shows the way there`."""
    code, told = _ended(
        lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        """
import tempfile
from runbook_lib.cli.app import guarded
guarded(lambda: tempfile.mkdtemp())
""",
    )
    assert code == 1 and told.count("\n") == 1, told
    assert "no temporary folder of this machine (TMPDIR, /tmp) can be written" in told and "`ulimit -f`" in told
    assert "nothing was changed" in told and "RUNBOOK_TRACEBACK" not in told and "fault of the runbook" not in told


@pytest.mark.parametrize("hard", [64, 4096])
def test_the_soft_limit_of_files_is_raised_as_far_as_it_may_be(hard: int) -> None:
    code, told = _ended(
        lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (32, hard)),
        "import resource, sys; from runbook_lib.base import limits; limits.eased(); "
        "sys.stderr.write(str(resource.getrlimit(resource.RLIMIT_NOFILE)))",
    )
    assert (code, told) == (0, str((min(hard, 1024), hard)))


@pytest.mark.parametrize("most", [16, 95, 96])
def test_with_few_files_a_notebook_is_refused_in_a_sentence(most: int) -> None:
    """With 16 a library ended the process of a rollback: nobody read whether people had been told."""
    code, told = _ended(
        lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)),
        "from runbook_lib.cli.guarded import guarded; from runbook_lib.base.limits import enough_files; "
        "guarded(enough_files)",
    )
    said = f"this process may have {most} files open (`ulimit -n`), and a notebook's kernel needs 96"
    assert (code, said in told) == ((2, True) if most < 96 else (0, False)), told
