"""What the engine adds to a run of plain papermill (`make bench`): the same notebook by `--engine runbook`, which seals
its record, and by papermill's own engine, in turn. Processor time of this process and of the kernels. Exits 1 where the
engine takes over 15 % more.

The notebook works a second in twenty cells, far less than a phase does: what is added weighs the more.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
from pathlib import Path

import nbformat
import papermill
from nbformat.v4 import new_code_cell, new_notebook

LIMIT = 1.15
ROUNDS = 5
CELLS = 20
OPEN = """import os
staging = os.environ.get("RUNBOOK_STAGING")
if staging:
    from runbook_lib.record.journal import Journal
    journal = Journal(staging)
    journal.append("opened", run_id=os.environ["RUNBOOK_RUN_ID"], notebook="tiny", origin="papermill",
                   params={"env": env, "release": release, "mode": mode})
else:
    from runbook_lib.record.journal import Journal"""
WORK = """import time
until = time.process_time() + 0.05
while time.process_time() < until:
    sum(range(1000))
print("x" * 2000)"""
CLOSE = 'if staging: journal.append("closed", decision="PROMOTE", reason="r", next="n")'


def used() -> float:
    """Seconds of processors that this process and its children that ended have had."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def run(folder: Path, engine: str | None) -> float:
    """Seconds of processors for one run."""
    began = used()
    papermill.execute_notebook(
        str(folder / "in.ipynb"), str(folder / "out.ipynb"), engine_name=engine, progress_bar=False
    )
    return used() - began


def main() -> int:
    """Measures, and says what is beyond the limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        given = new_code_cell('env = "dev"\nrelease = "r1"\nmode = "plan"', metadata={"tags": ["parameters"]})
        cells = [given, new_code_cell(OPEN), *(new_code_cell(WORK) for _ in range(CELLS)), new_code_cell(CLOSE)]
        spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(new_notebook(cells=cells, metadata=spec), folder / "in.ipynb")
        for engine in (None, "runbook"):  # what each loads once
            run(folder, engine)
        times = [(run(folder, None), run(folder, "runbook")) for _ in range(ROUNDS)]
    plain, ours = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"papermill: {plain:.2f} s; with the engine and its record: {ours:.2f} s ({ours / plain:.3f}); limit {LIMIT}")
    return int(ours / plain > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
