"""Whatever request of a seal into a bucket fails, the archive stays whole, and no record is lost or doubled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.base import asked_again, patience
from runbook_lib.base.errors import ArchiveError, done_here
from runbook_lib.base.kept_at import archive_root
from runbook_lib.commands.archive import sync
from runbook_lib.record.home import bucket as module
from runbook_lib.record.place import ENTRY, new_run_id
from runbook_lib.record.sealing import sealed
from tests.archives import Machine

Machines = Callable[[str], Machine]


def _refused(asked: str, code: str, status: int) -> ClientError:
    answer = {"RequestId": "1f", "HTTPStatusCode": status, "HTTPHeaders": {}}
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": answer}, asked)


Which = Callable[[list[str]], bool]
"""Whether the last one of these requests fails."""
HOW = ("denied", "failing", "closed", "closed after it", "sent twice")


@contextlib.contextmanager
def faults(client: Any, which: Which, how: str) -> Iterator[list[str]]:
    """Fails the requests that `which` picks. The client asks again as that of a command does; gives what was asked."""
    whole, asked_all = client._make_api_call, list[str]()

    def call(asked: str, request: Any) -> Any:
        asked_all.append(f"{asked} {request.get('Prefix') or request.get('Key')}")
        if not which(asked_all):
            return whole(asked, request)
        if how == "denied":
            raise _refused(asked, "AccessDenied", 403)
        if how == "failing":
            raise _refused(asked, "SlowDown", 503)
        if how != "closed":
            with contextlib.suppress(ClientError):
                whole(asked, request)
        if how == "sent twice":
            return whole(asked, request)
        raise ConnectionClosedError(endpoint_url="http://127.0.0.1:1")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client, "_make_api_call", call)
        patched.setattr(patience, "AGAIN_S", (0.0,) * 4)
        asked_again.listen(client, patience.Silence(60.0))
        yield asked_all


def _seals(one: Machine) -> str:
    """What a command does that leaves a record: it looks at the records, seals what waits, and seals its own. Says why
    it could not.
    """
    one.archive.refresh("r1")
    staging = one.staged()
    with contextlib.suppress(ArchiveError):
        one.archive.sweep()
    return sealed(one.archive, staging, "completed")[1]


COPIES = ("none", "up to date", "behind")


def _through(machine: Machines, s3: Any, which: Which, how: str, copy: str, *, other: bool) -> int:
    """Bob's command meets the faults; another one seals (`other`), and he does again.

    Args:
        copy: what Bob's copy has of the archive when his command begins.

    Returns:
        How many requests his command made.
    """
    module._DOWN.clear()
    ada, bob, eve = (machine(f"{name}-{new_run_id()}") for name in ("ada", "bob", "eve"))
    before = [ada, *([] if copy == "none" else [bob]), *([ada, ada] if copy == "behind" else [])]
    for one in before:
        one.seal()
    with faults(s3, which, how) as asked:
        trouble = _seals(bob)
    module._DOWN.clear()
    assert not eve.audit().damage, trouble
    assert bool(trouble) == bool([*bob.archive.staging.glob("[!.]*")]) or "s3:DeleteObject" in trouble
    if other:
        ada.seal()
    sync(bob.archive.root)
    bob.seal()
    for one in (ada, bob, eve):
        done, refs = one.audit(), one.archive.records()
        many = len(before) + 2 + other
        assert not done.damage and done.state == "intact", (done.damage, done.unknown, trouble)
        assert len([ref for ref in refs if ref.notebook != ENTRY]) == many, "a note may say what was completed"
        assert len({ref.run_id for ref in refs}) == len(refs)
        assert not [said for ref in refs for said in one.archive.load(ref).warnings if "is damaged" in said]
    assert not [*bob.archive.staging.glob("[!.]*")]
    return len(asked)


@pytest.fixture
def fresh(machine: Machines, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Machines]:
    """Machines of another archive each time; what one of them left of its lease, the next takes over."""
    monkeypatch.setattr(module, "LEASE_S", -1.0)

    def made() -> Machines:
        uri = f"s3://{bucket}/{new_run_id()}"
        return lambda name: Machine(archive_root(uri, tmp_path / name))

    return made


def _first_list(asked: list[str]) -> bool:
    """The first one of a release's records."""
    lists = [one.startswith("List") and "/env=" in one for one in asked]
    return lists[-1] and sum(lists) == 1


@pytest.mark.parametrize("other", [True, False])
@pytest.mark.parametrize(("copy", "how"), [("none", "closed after it"), ("behind", "denied")])
def test_records_that_could_not_be_listed_are_listed_before_the_next_seal(
    fresh: Callable[[], Machines], s3: Any, copy: str, how: str, other: bool
) -> None:
    """A record was put behind an older one, or behind none, and the chain stayed damaged."""
    _through(fresh(), s3, _first_list, how, copy, other=other)


@given(
    copy=st.sampled_from(COPIES),
    how=st.sampled_from(HOW),
    failing=st.one_of(
        st.integers(1, 45).map(lambda at: {at}),
        st.tuples(st.integers(1, 45), st.sampled_from((5, 1000))).map(lambda one: range(one[0], sum(one))),
        st.sets(st.integers(1, 45), min_size=2, max_size=12),
    ),
    other=st.booleans(),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_fails_the_archive_is_intact_and_each_record_is_there_once(
    fresh: Callable[[], Machines], s3: Any, copy: str, how: str, failing: Any, other: bool
) -> None:
    _through(fresh(), s3, lambda asked: len(asked) in failing, how, copy, other=other)


def test_nothing_is_put_behind_a_record_that_is_not_the_newest(
    fresh: Callable[[], Machines], s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the copy has missed: HEAD is asked for before the seal begins."""
    machine = fresh()
    ada, bob = machine("ada"), machine("bob")
    bob.seal()
    ada.seal()
    monkeypatch.setattr(module, "pull", lambda *_, **__: 0)
    with faults(s3, lambda _: False, "") as asked:
        assert "HEAD was written by another one" in _seals(bob)
    assert not done_here
    assert {one.rpartition("/")[2] for one in asked if one.startswith("Put")} == {"writer.json"}


def test_a_record_that_does_not_follow_its_chain_is_not_taken_for_sealed(
    fresh: Callable[[], Machines], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version, or one that lost its lease, put it there: its run is sealed again behind the newest one."""
    machine = fresh()
    ada, bob = machine("ada"), machine("bob")
    bob.seal()
    ada.seal()
    with monkeypatch.context() as patched:
        patched.setattr(module, "pull", lambda *_, **__: 0)
        patched.setattr(module.Bucket, "unmoved", lambda *_: None)
        assert "HEAD was written by another one" in _seals(bob)
        assert "has begun" in " ".join(done_here.values())
    done_here.clear()
    ada.seal()
    assert len(sync(bob.archive.root).sealed) == 1
    done = machine("eve").audit()
    assert not done.damage
    assert len([ref for ref in ada.archive.records() if ref.notebook != ENTRY]) >= 3
