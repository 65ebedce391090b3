"""Tests side by side: all are collected once, and each worker is a fork of the process that did.

Other ways to run tests side by side start each worker anew, which imports and collects all of them again: ten seconds
of processor time each. Here a worker more costs nothing before its first test, so there can be more than the machine
has cores: a test that waits for a disk, a clock or the embedded AWS leaves its core to another.

A worker asks for a module when it has one test left, so the heaviest modules (`conftest.py` puts them first) never wait
for a worker that is busy, and what a module builds is built once. Nothing else is shared: a worker has its own folder
for temporary files, its own fixtures, and tells the first process what became of each test.

A plugin of pytest: `python -m pytest -p tests.workers --workers 3`.
"""

from __future__ import annotations

import atexit
import gc
import itertools
import os
import pickle
import signal
import socket
import sys
import time
import traceback
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

import pytest

NAME = "RUNBOOK_TESTS_WORKER"
"""Environment variable with the name of the worker that runs a test."""
_ASK, _REPORT, _WARNING, _DONE = "ask", "report", "warning", "done"
_LOOK_S = 1.0
_END_S = 5.0
"""Seconds for a worker to end when it is asked to."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The number of workers."""
    parser.addoption("--workers", default="1", metavar="N", help="processes side by side; auto: as many as cores")


def modules(items: Sequence[pytest.Item]) -> list[list[int]]:
    """The places of the tests, module by module, in their order."""
    return [
        [place for place, _ in tests]
        for _, tests in itertools.groupby(enumerate(items), key=lambda numbered: numbered[1].path)
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Runs the tests in workers, if more than one is asked for."""
    asked = session.config.getoption("--workers")
    count = (os.cpu_count() or 1) if asked == "auto" else int(asked)
    parts = modules(session.items)
    if session.config.option.collectonly or session.testsfailed or min(count, len(parts)) < 2:
        return None
    gc.collect()
    gc.freeze()  # what was collected stays: a worker that looks through it for garbage copies it
    with Workers(session, parts, min(count, len(parts))) as workers:
        workers.run()
    return True


@dataclass
class Worker:
    """One of the forks, as the first process knows it."""

    name: str
    pid: int
    channel: Connection
    left: list[int] = field(default_factory=list)
    """Places of the tests that it has been given and has not finished."""


class Workers:
    """The forks, and what is left to do."""

    def __init__(self, session: pytest.Session, parts: Sequence[list[int]], count: int) -> None:
        self._session, self._hook = session, session.config.hook
        self._todo = deque(parts)
        self._names = (f"w{number}" for number in itertools.count())
        # Where the workers' folders are: made here, and removed with this process's own.
        self._folder = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        self._workers: dict[Connection, Worker] = {}
        self._count = count

    def __enter__(self) -> Workers:
        for _ in range(self._count):
            self._fork()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the workers that are left where this process was interrupted."""
        end = time.monotonic() + _END_S
        for worker in self._workers.values():
            os.kill(worker.pid, signal.SIGTERM)
        for worker in self._workers.values():
            while not os.waitpid(worker.pid, os.WNOHANG)[0]:
                if time.monotonic() > end:
                    os.kill(worker.pid, signal.SIGKILL)
                time.sleep(0.02)

    def _fork(self) -> None:
        ours, its = map(Connection, (one.detach() for one in socket.socketpair()))
        name = next(self._names)
        pid = os.fork()
        if pid == 0:
            ours.close()
            for other in self._workers:
                other.close()
            _become(self._session, name, its, self._folder)
        its.close()
        self._workers[ours] = Worker(name, pid, ours)

    def run(self) -> None:
        """Until all tests have been run, or no more shall be.

        Raises:
            Failed: as many failed as `--maxfail` says.
            Interrupted: a test asked pytest to stop.
        """
        while self._workers:
            ready = wait(list(self._workers), _LOOK_S)
            for channel, worker in list(self._workers.items()):
                # What a test has left running may hold the channel of a worker that is gone.
                if channel in ready or (not ready and _gone(worker)):
                    self._heard(worker)
            if self._session.shouldfail:
                raise self._session.Failed(self._session.shouldfail)
            if self._session.shouldstop:
                raise self._session.Interrupted(self._session.shouldstop)

    def _heard(self, worker: Worker) -> None:
        try:
            kind, what = worker.channel.recv() if worker.channel.poll() else (_DONE, None)
        except (EOFError, ConnectionError):
            kind = _DONE
        if kind == _DONE:
            self._ended(worker)
            return
        if kind == _ASK:
            part = self._todo.popleft() if self._todo else []
            worker.left += part
            worker.channel.send(part)
        elif kind == _REPORT:
            report = self._hook.pytest_report_from_serializable(config=self._session.config, data=what)
            self._hook.pytest_runtest_logreport(report=report)
            if report.when == "teardown":
                done = self._session.items[worker.left.pop(0)]
                self._hook.pytest_runtest_logfinish(nodeid=done.nodeid, location=done.location)
        else:
            message, category, file, line, when, nodeid = what
            told = warnings.WarningMessage(category(message), category, file, line)
            self._hook.pytest_warning_recorded.call_historic(
                kwargs={"warning_message": told, "when": when, "nodeid": nodeid, "location": None}
            )

    def _ended(self, worker: Worker) -> None:
        """A worker that ended in the middle of a test has failed it; another one takes what it left."""
        del self._workers[worker.channel]
        worker.channel.close()
        code = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        if not worker.left and code == 0:
            return
        if not worker.left:
            raise RuntimeError(f"worker {worker.name} ended with {code}")
        item = self._session.items[worker.left.pop(0)]
        said = f"the worker {worker.name} ended with {code} while it ran this test"
        self._hook.pytest_runtest_logreport(
            report=pytest.TestReport(
                item.nodeid, item.location, dict.fromkeys(item.keywords, 1), "failed", said, "call"
            )
        )
        if worker.left:
            self._todo.appendleft(worker.left)
        if self._todo:
            self._fork()


def _gone(worker: Worker) -> bool:
    """Whether it has ended; its exit status is asked for later."""
    return os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _become(session: pytest.Session, name: str, channel: Connection, folder: Any) -> None:
    """In a fork: the worker, until nothing is left to do."""
    code = 1
    try:
        os.environ[NAME] = name
        config = session.config
        reporter = config.pluginmanager.getplugin("terminalreporter")
        config.pluginmanager.unregister(reporter)  # the first process tells
        capture = config.pluginmanager.getplugin("capturemanager")
        capture.stop_global_capturing()  # into the files of the first process
        capture.start_global_capturing()
        factory = config._tmp_path_factory  # type: ignore[attr-defined]
        factory._basetemp, factory._given_basetemp = None, folder / name
        teller = _Teller(config, channel)
        config.pluginmanager.register(teller)
        teller.begun = True
        _run(session, _given(channel))
        lines = config.pluginmanager.getplugin("tests.lines")
        if lines is not None:
            lines.pytest_sessionfinish(session)
        atexit._run_exitfuncs()
        channel.send((_DONE, None))
        code = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        channel.close()
        os._exit(code)


def _given(channel: Connection) -> Iterator[int]:
    """The places of the tests, which are asked for module by module."""
    while True:
        channel.send((_ASK, None))
        part = channel.recv()
        if not part:
            return
        yield from part


def _run(session: pytest.Session, places: Iterator[int]) -> None:
    """As pytest's own loop: each test hears which is the next, so that fixtures which that needs stay."""
    place = next(places, None)
    while place is not None:
        following = next(places, None)
        item = session.items[place]
        after = None if following is None else session.items[following]
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        place = following


class _Teller:
    """A plugin in a worker that tells the first process what became of a test."""

    def __init__(self, config: pytest.Config, channel: Connection) -> None:
        self._config, self._channel = config, channel
        self.begun = False
        """Before that it hears of the warnings of others: pytest tells each new plugin all of them."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._channel.send((_REPORT, data))

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, when: str, nodeid: str) -> None:
        if not self.begun:
            return
        text, category = str(warning_message.message), warning_message.category
        what = (text, category, warning_message.filename, warning_message.lineno, when, nodeid)
        try:
            pickle.dumps(what)
            category(text)
        except Exception:  # a category of the test's own, which the first process does not know
            what = (f"{category.__name__}: {text}", UserWarning, *what[2:])
        self._channel.send((_WARNING, what))
