"""Fixtures shared by all rooms. Each test process (xdist worker) that asks has an embedded AWS of its own."""

from __future__ import annotations

import functools
import gc
import itertools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import botocore.loaders
import botocore.session
import pytest
import typer.main
import typer.testing
import yaml
from _pytest.unraisableexception import gc_collect_iterations_key
from hypothesis import HealthCheck, Phase, core, is_hypothesis_test, settings
from hypothesis.internal import entropy

from runbook_lib.act import command
from runbook_lib.act.guard import begun
from runbook_lib.base import errors, patience, redact
from runbook_lib.base.held import heard
from runbook_lib.base.process import GRAMMARS
from runbook_lib.base.project import named
from runbook_lib.base.telling import tellers
from runbook_lib.params import load as parameters
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.record.staging import unsealed
from runbook_lib.rehearse.emulator import embedded as embedded_aws
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import Sandbox, deploy
from tests import forks, loads, memory, quick_aws, quick_versions, rewritten, unsaid

T = TypeVar("T")
HERE = Path(__file__).parent
PARAMS = params_dir(HERE)
HEAVY = ("slow", "kernel", "browser", "emulator")
MUTANTS = "mutants"
QUICK = 5
"""Examples at most of each property where `make test-fast` draws them."""

# As in every command (`base/limits.py`).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# The tests start hundreds of Python processes: compiled modules are kept for the next one, whatever the shell says.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# jsonschema compiles the grammars of IRIs at import, a second in each process; no notebook's schema asks for them.
sys.modules.setdefault(GRAMMARS, None)  # type: ignore[arg-type]
# The modules of all tests live as long as their process: looking through them for garbage takes a tenth of the time.
gc.set_threshold(1_000_000, 20, 100)
memory.install()
quick_aws.install()
quick_versions.install()

# Nobody draws from numpy's global generator (ruff's NPY002), so hypothesis need not seed it and put it back for each
# example, which is a quarter of what an example costs.
entropy.NP_RANDOM = entropy.NP_RANDOM or SimpleNamespace()
# It takes a property's source apart for its seed, twice for each of its cases; once is enough.
core.function_digest = functools.cache(core.function_digest)
# PyYAML's own reader in C, where it has one: the policy's files take 5 ms and not 36. Classes of their own: moto adds
# CloudFormation's tags to what it finds under these names.
if hasattr(yaml, "CSafeLoader"):
    yaml.SafeLoader = type("SafeLoader", (yaml.CSafeLoader,), {})  # type: ignore[misc]
    yaml.SafeDumper = type("SafeDumper", (yaml.CSafeDumper,), {})  # type: ignore[misc]
# Each test that asks for the parameters of a file gets those that another has asked for, as long as nothing is changed.
parameters.load = loads.once(parameters.load)

# A shell that runs the tests in the background has them ignore Ctrl-C, and with them the children it is sent to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

HEARD = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

# How fast a busy machine draws examples says nothing of the code: timings are for the benchmarks.
_CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# `make test` draws the same examples wherever a commit is tested; `make test-random` draws others each time, and more.
settings.register_profile("same", _CALM, derandomize=True)
settings.register_profile("random", _CALM, max_examples=1000, print_blob=True)
settings.register_profile("quick", _CALM, derandomize=True, max_examples=QUICK)
# `make mutate-judge` asks only whether one fails.
settings.register_profile(MUTANTS, _CALM, derandomize=True, max_examples=15, phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# No test may ever reach a real account by accident.
for _name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
    os.environ.pop(_name, None)
os.environ |= {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(autouse=True)
def a_process_of_its_own() -> Iterator[None]:
    """A command is a process: what the tests before it changed, and who was told of it, is not its own.

    Nor is it that of a fixture of the next module, which is made before its first test: once one found the project of
    the test before, and spoilt its parameters.
    """
    _forget()
    dropped = sys.unraisablehook
    yield
    sys.unraisablehook = dropped
    _forget()


def _forget() -> None:
    for number, handler in HEARD.items():
        if signal.getsignal(number) is not handler:  # a command that seals what is cut short lets nobody interrupt it
            signal.signal(number, handler)
    heard.clear()
    unsealed.clear()
    begun.clear()
    errors.done_here.clear()
    named.clear()
    tellers.clear()
    redact.forget()


@pytest.fixture(autouse=True, scope="session")
def commands_by_fork() -> Iterator[None]:
    """Every run of a phase asks the sandbox's infrastructure tool, whose boot costs eight times what it does; a hundred
    modules start an embedded AWS. `rehearse/emulator/test_embedded.py` starts those that boot.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "subprocess", forks.processes)
        patch.setattr(embedded_aws, "subprocess", forks.processes)
        yield


@pytest.fixture(autouse=True, scope="session")
def one_command_line() -> Iterator[None]:
    """The tree of commands is made once for a process, as it is for one that a person starts, and not at each call."""
    with pytest.MonkeyPatch.context() as patch:
        made = functools.cache(typer.main.get_command)
        patch.setattr(typer.testing, "_get_command", made)
        patch.setattr(typer.main, "get_command", made)
        yield


@pytest.fixture(autouse=True, scope="session")
def one_picture_of_aws() -> Iterator[None]:
    """What AWS's services look like is read from botocore's files once for a process, and not for each session."""
    with pytest.MonkeyPatch.context() as patch:
        made = functools.cache(botocore.loaders.create_loader)
        for module in (botocore.session, botocore.loaders):
            patch.setattr(module, "create_loader", made)
        yield


@pytest.fixture(autouse=True, scope="session")
def what_gave_no_good_answer_is_asked_again_at_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patience, "AGAIN_S", (0.0, 0.0, 0.0))
        yield


@pytest.fixture(autouse=True, scope="session")
def no_disk_is_waited_for() -> Iterator[None]:
    """No test takes the power away: what is written is handed to the system, and its disk may take its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: os.fstat(handle if isinstance(handle, int) else handle.fileno()))
        yield


@pytest.fixture(autouse=True, scope="module")
def no_credentials_are_left() -> Iterator[None]:
    """A module leaves no credentials behind: pytest restores a variable that a test has set to what it was then, also
    within `only`, which has restored it before.
    """
    before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    yield
    for name in [name for name in os.environ if name.startswith("AWS_") and name not in before]:
        del os.environ[name]
    os.environ.update(before)


def rehearsal_params(env: str) -> Params:
    """The parameters of `env` as the rehearsal runs them."""
    return load_file(PARAMS / f"{env}.yaml", read_yaml(PARAMS / "rehearsal.yaml"))


def pytest_configure(config: pytest.Config) -> None:
    """A folder that the workers of this run share, in which `tests/made_before.py` keeps what was made once.

    In the processes that the tests start, as in their own, jsonschema does without its grammars. At its end a
    process looks through its garbage once: five times, pytest's default, is for another Python.
    """
    config.stash[gc_collect_iterations_key] = 1
    if not hasattr(config, "workerinput"):
        if config.getoption("numprocesses", None):
            rewritten.ahead(config, os.cpu_count() or 1)
        folder = tempfile.mkdtemp(prefix="runbook-tests-")
        os.environ["RUNBOOK_TESTS_SHARED"] = folder
        hidden = Path(folder, "hidden", f"{GRAMMARS}.py")
        hidden.parent.mkdir()
        hidden.write_text('raise ImportError("the tests do without it")\n')
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join([str(hidden.parent), *([before] if before else [])])
        config.add_cleanup(functools.partial(shutil.rmtree, folder, ignore_errors=True))


def pytest_sessionstart(session: pytest.Session) -> None:
    """A worker does not tell what nothing is made of."""
    unsaid.install(session.config)


def pytest_collection_finish() -> None:
    """What is collected lives as long as the process: no collector looks through it again, nor through its modules."""
    gc.freeze()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Refuses cases in no order, or named by one: each worker would have its own, and then no test runs at all."""
    for mark in metafunc.definition.iter_markers("parametrize"):
        cases = mark.args[1] if len(mark.args) > 1 else mark.kwargs.get("argvalues", ())
        if isinstance(cases, (set, frozenset)):
            raise pytest.UsageError(f"{metafunc.definition.nodeid}: give the cases as a list, a set has no order")
        values = itertools.chain.from_iterable(case if isinstance(case, tuple) else (case,) for case in cases)
        if callable(mark.kwargs.get("ids")) and any(isinstance(value, (set, frozenset)) for value in values):
            raise pytest.UsageError(f"{metafunc.definition.nodeid}: sets have no order, so no `ids` of them")


def pytest_make_parametrize_id(val: object) -> str | None:
    """A case that is a set has the same name in each worker: text is hashed in another way in each process."""
    return ", ".join(sorted(map(str, val))) or "nothing" if isinstance(val, (set, frozenset)) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks who starts an embedded AWS; puts the heaviest modules first, so that at the end no worker waits for one.

    Before them those that fork this process: near its end it has three times the memory, and a fork takes as much
    longer. They kill some hundred forks. Then whole walks and notebooks, the longest of all.

    A module stays together, in its own order, and has one worker (`--dist loadfile`): what is built for a module is
    built once.
    """
    for item in items:
        if isinstance(item, pytest.Function) and any(map(_starts_aws, _functions(item))):
            item.add_marker("emulator")
    if os.environ.get("HYPOTHESIS_PROFILE") == "quick":
        for item in items:
            draw_few(item)
    weights: dict[Path, int] = {}
    for item in items:
        weight = next((place for place, name in enumerate(HEAVY) if item.get_closest_marker(name)), len(HEAVY))
        weights[item.path] = min(weight, weights.get(item.path, weight))
    modules_of = {item.path: item.module for item in items if isinstance(item, pytest.Function)}
    forking = {path for path, module in modules_of.items() if weights[path] == 0 and _forks(vars(module))}
    items.sort(key=lambda item: (item.path not in forking, not _walks(item.path), weights[item.path]))


def _walks(path: Path) -> bool:
    return path.parent.name == "e2e" or path.suffix == ".ipynb"


def _functions(item: pytest.Function) -> Iterator[Callable[..., object]]:
    """The test's own function and those of the fixtures that it asks for, and they, and so on."""
    yield getattr(getattr(item.function, "hypothesis", None), "inner_test", item.function)
    for found in item._fixtureinfo.name2fixturedefs.values():
        yield from (one.func for one in found)


def _starts_aws(function: Callable[..., object]) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and EmbeddedAws.__name__ in code.co_names


def _forks(names: Mapping[str, object]) -> bool:
    """Whether a function of a module with these names forks this process, also by `tests/killed.py`."""
    codes = (getattr(value, "__code__", None) for value in names.values())
    return any(not {"fork", "killed"}.isdisjoint(code.co_names) for code in codes if code is not None)


def draw_few(item: pytest.Item) -> None:
    """Caps the examples of a property that says its own number; `tests/test_project.py` shows that it does."""
    test = getattr(item, "obj", None)
    if test is not None and is_hypothesis_test(test):
        own = getattr(test, "_hypothesis_internal_use_settings", settings())
        if own.max_examples > QUICK:  # each of its cases comes here, and settings remember what they were made from
            test._hypothesis_internal_use_settings = settings(own, max_examples=QUICK)


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedAws]:
    """An embedded AWS. Tests share it: its clock goes forward, never back."""
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture(scope="session")
def sandbox(embedded: EmbeddedAws) -> Sandbox:
    """The sandbox of prod, deployed once."""
    return deploy(embedded, rehearsal_params("prod"))
