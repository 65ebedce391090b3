"""JupyterLab ends with the lab, also where that is killed: with its kernels, and also where it hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.gone import gone

PARENT = """
import os, signal, subprocess, sys
module = "import sys; from runbook_lib.rehearse.play import jupyter; jupyter.GOES_S = 1; "
module += "jupyter.main(int(sys.argv.pop(1)), sys.argv.pop(1))"
child = subprocess.Popen([sys.executable, "-c", module, str(os.getpid()), sys.argv[1], sys.argv[2]], cwd=sys.argv[2])
child.wait()
"""
MODULES = {
    "ends": "signal.signal(15, lambda *_: (Path(sys.argv[1], 'asked').touch(), os._exit(0)))",
    "hangs": "signal.signal(15, lambda *_: Path(sys.argv[1], 'asked').touch())",
}


def until(what: str, done: object) -> None:
    deadline = time.monotonic() + 20
    while not done():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODULES)
def test_a_lab_that_is_killed_leaves_no_jupyterlab(kind: str, tmp_path: Path) -> None:
    source = "import os, signal, sys, time\nfrom pathlib import Path\n"
    source += f"{MODULES[kind]}\nPath(sys.argv[1], 'pid').write_text(str(os.getpid()))\n"
    (tmp_path / "served.py").write_text(f"{source}while True: time.sleep(0.1)\n")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    lab = subprocess.Popen([sys.executable, "-c", PARENT, "served", str(tmp_path)], env=env)
    pid = tmp_path / "pid"
    until("it serves", lambda: pid.exists() and pid.read_text())
    lab.send_signal(signal.SIGKILL)
    lab.wait(10)
    until("it is gone", lambda: gone(int(pid.read_text())))
    assert (tmp_path / "asked").exists()


@pytest.mark.slow
def test_jupyterlab_boots_without_the_grammars_that_no_notebook_needs(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text("import sys, jsonschema\nprint(sys.modules['rfc3987_syntax'])\n")
    code = "import os; from runbook_lib.rehearse.play import jupyter; jupyter.main(os.getppid(), 'served')"
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "None"


def test_a_jupyterlab_that_is_broken_says_so_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import a_module_that_is_not_here")
    code = f"from runbook_lib.rehearse.play import jupyter; jupyter.main({os.getpid()}, 'broken')"
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    told = "JupyterLab cannot run: ModuleNotFoundError: No module named 'a_module_that_is_not_here'"
    assert (done.returncode, done.stderr.strip()) == (1, told)
