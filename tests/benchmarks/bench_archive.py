"""The archive with 10,000 records in chains of ten, as releases have them, and with 5,000 in one (`make bench`):
verifying is linear and takes under 10 s; sealing one more takes as long as in an empty archive; `list`, `status` and a
question are answered in under 1 s, and the site has a new run in under 2 s. Of `list`, the second call counts: the
first one reads everything, and keeps what it verified.

Records and files are copies of one sealed run, made longer to the middle length of real ones, each with its own id,
chain and leaf. Exits 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from runbook_lib.commands.questions import query
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.record import seen
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.audit import audit
from runbook_lib.record.chain import folder_name, read_record
from runbook_lib.record.frame import frame
from runbook_lib.record.journal import Journal
from runbook_lib.record.listing import list_rows
from runbook_lib.record.log import files
from runbook_lib.record.log.files import FOLDER, LEAVES, TREE, Tree, read_tree
from runbook_lib.record.log.leaf import Leaf
from runbook_lib.record.log.ledger import facts_of
from runbook_lib.record.log.merkle import appended, leaf_hash
from runbook_lib.record.place import new_run_id
from runbook_lib.record.seal import record_hash, written
from runbook_lib.record.site.build import build
from runbook_lib.rollout.forecasts import forecasts
from runbook_lib.rollout.known import needed
from runbook_lib.rollout.next_step import standing

VERIFY_S = 10.0
LINEAR = 1.5
"""Time a record in the large archive over that in one of a fifth."""
CONSTANT = 1.1
LIST_S = STATUS_S = QUERY_S = 1.0
SITE_S = 2.0
SEALS = 75
EACH = 10
"""Records of a step in a release; the largest release of `make rehearse` has some sixty in all."""
STEPS = needed(load_file(params_dir(Path(__file__).parent) / "prod.yaml").policy.steps)
PADDING = 10_000
"""Characters that a record is made longer by; the middle one of a rehearsal has some 2 kB, a phase 150 kB."""


def seal(archive: Archive, step: int = 1, release: str = "r0") -> float:
    """Seals one run and says how long it took: seconds of this process, whatever else the machine does."""
    notebook, env = STEPS[step]
    staging = archive.stage(env, release, notebook, new_run_id(), "interactive")
    journal = Journal(staging)
    journal.append("opened", run_id=staging.name, notebook=notebook, params={"env": env, "release": release})
    journal.append("note", text="x" * PADDING)
    journal.append("closed", decision="PROMOTE")
    began = time.process_time()
    seal_staged(archive, staging, status="completed")
    return time.process_time() - began


def filled(root: Path, count: int, each: int) -> Archive:
    """An archive of `count` records with its log: in chains of `each`, one for each step of a release."""
    archive = Archive(root)
    seal(archive, release="before")
    (first,) = archive.records()
    raw, began = read_record(first.folder), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    tree = read_tree(root / FOLDER)
    assert tree is not None
    lines, peaks = [(root / FOLDER / LEAVES).read_bytes().rstrip(b"\n")], list(tree.peaks)
    previous: dict[Path, str] = {}
    chains = -(-count // each)
    for number in range(1, count):
        # One release after the other, its steps in turn.
        release, within = divmod(number, each * min(len(STEPS), chains))
        notebook, env = STEPS[within % min(len(STEPS), chains)]
        at = began + dt.timedelta(seconds=number)
        own = {"run_id": f"{number:012x}", "env": env, "release": f"r{release}", "notebook": notebook}
        chain = archive.chain(env, own["release"], notebook).folder
        folder = chain / folder_name(own["run_id"], at)
        folder.mkdir(parents=True)
        for name in raw["files"]:
            os.link(first.folder / name, folder / name)
        record = {**raw, **own, "sealed_at": at.isoformat(timespec="milliseconds"), "previous": previous.get(chain)}
        record["hash"] = previous[chain] = record_hash(record)
        content = written(record)
        (folder / "record.json").write_bytes(content)
        facts = facts_of(folder.relative_to(root).as_posix(), content, record)
        lines.append(Leaf.model_validate({**facts, "index": number}).line())
        peaks = appended(peaks, number, leaf_hash(lines[-1]))
    for chain, head in previous.items():
        (chain / "HEAD").write_text(head + "\n")
    content = b"".join(line + b"\n" for line in lines)
    grown = Tree(tree.origin, count, len(content), tuple(peaks))
    (root / FOLDER / LEAVES).write_bytes(content)
    (root / FOLDER / TREE).write_bytes(grown.spelt())
    (root / FOLDER / "checkpoint").write_bytes(grown.checkpoint().note())
    return archive


def verifying(archive: Archive) -> float:
    """Seconds of this process for the whole archive; it must be intact."""
    began = time.process_time()
    done = audit(archive)
    took = time.process_time() - began
    assert done.state == "intact", done.damage[:3]
    print(f"verify {done.records:>6} records: {took:5.2f} s, {took / done.records * 1000:.2f} ms each")
    return took / done.records


def sealing(empty: Archive, full: Archive, step: int = 1) -> float:
    """How much longer a seal takes in the full archive: in turn, so that both meet the same machine."""
    seal(empty, step)
    times = [(seal(empty, step), seal(full, step)) for _ in range(SEALS)]
    here, there = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"seal: {here * 1000:.1f} ms beside few, {there * 1000:.1f} ms beside many ({there / here:.2f})")
    return there / here


def listing(archive: Archive) -> tuple[float, float]:
    """Seconds of this process until all records are listed, and after one new run, the better of two each; the first
    list reads everything. The log is read each time, as a command reads it.
    """
    times = []
    seen.SETTLED_NS = 0  # they were made just now
    for number in range(5):
        files._read.cache_clear()
        began = time.process_time()
        rows = list_rows(archive)
        frame(archive.root).whole()
        times.append(time.process_time() - began)
        assert all(row["intact"] for row in rows)
        if number >= 2:
            seal(archive)
    then, new = min(times[1:3]), min(times[3:])
    print(
        f"list {len(rows):>6} records: {times[0]:.2f} s the first time, {then:.2f} s then, {new:.2f} s after a new run"
    )
    return then, new


def standing_at(archive: Archive) -> float:
    """Seconds of this process for what `status` makes of the archive; AWS is not asked."""
    params = load_file(params_dir(Path(__file__).parent) / "prod.yaml", {"release": "r3"})
    state, now = TrafficState(dial_percent=0, switch_on=False, weight=0), dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    files._read.cache_clear()
    began = time.process_time()
    found = standing(params, archive, state, now)
    forecasts(params, archive, found.lines)
    took = time.process_time() - began
    print(f"status beside them: {took:.2f} s; {sum(line.state == 'passed' for line in found.lines)} steps passed")
    return took


def asking(archive: Archive) -> float:
    """Seconds of this process for a question to an index that is there, the better of two; the first one makes it."""
    times = []
    for _ in range(3):
        began = time.process_time()
        asked = query(archive.root, "SELECT notebook, decision, count(*), max(took_s) FROM runs GROUP BY ALL", print)
        times.append(time.process_time() - began)
        assert asked.answer.rows and not asked.left.damage
    seal(archive)
    began = time.process_time()
    query(archive.root, "SELECT count(*) FROM runs", print)
    new = time.process_time() - began
    print(
        f"query: {times[0]:.2f} s with the index to be made, {min(times[1:]):.2f} s then, {new:.2f} s after one new run"
    )
    return min(times[1:])


def browsing(archive: Archive, folder: Path) -> float:
    """Seconds of this process until the site has one new run, with the index and the other pages there."""
    times = []
    for _ in range(3):
        began = time.process_time()
        built = build(archive, folder / "site", print)
        times.append(time.process_time() - began)
        assert not built.left.damage
        seal(archive)
    size = built.page.stat().st_size / 1e6
    print(
        f"site: {times[0]:.2f} s for {built.pages} pages, {times[-1]:.2f} s after one new run; first page {size:.1f} MB"
    )
    return times[-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and says what is beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    count = parser.parse_args(arguments).records
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(XDG_CACHE_HOME=f"{folder}/cache", XDG_STATE_HOME=f"{folder}/state")
        small = verifying(filled(Path(folder, "small"), count // 5, EACH))
        archive = filled(Path(folder, "many"), count, EACH)
        each = verifying(archive)
        (listed, new), stood = listing(archive), standing_at(archive)
        asked = asking(archive)
        browsed = browsing(archive, Path(folder))
        long = filled(Path(folder, "long"), count // 2, count // 2)
        verifying(long)
        ratios = {"many": sealing(Archive(Path(folder, "empty")), archive)}
        ratios["one long chain"] = sealing(Archive(Path(folder, "other")), long, 0)
    if each * count > VERIFY_S:
        missed.append(f"verify of {count}: {each * count:.1f} s, limit {VERIFY_S:g}")
    if each > small * LINEAR:
        missed.append(f"verify is not linear: {each / small:.2f} times as long for each record")
    if listed > LIST_S:
        missed.append(f"list of {count}: {listed:.2f} s, limit {LIST_S:g}")
    if new > LIST_S:
        missed.append(f"list of {count} after one new run: {new:.2f} s, limit {LIST_S:g}")
    if stood > STATUS_S:
        missed.append(f"status beside {count}: {stood:.2f} s, limit {STATUS_S:g}")
    if asked > QUERY_S:
        missed.append(f"query beside {count}: {asked:.2f} s, limit {QUERY_S:g}")
    if browsed > SITE_S:
        missed.append(f"site beside {count} after one new run: {browsed:.2f} s, limit {SITE_S:g}")
    missed += [f"seal beside {name}: {ratio:.2f} times" for name, ratio in ratios.items() if ratio > CONSTANT]
    print("; ".join(missed) or "all within their limits")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
