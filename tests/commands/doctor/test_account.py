"""The way to AWS: an endpoint that is away is not a caller that is unknown, and a clock is a clock."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.base.aws import Identity
from runbook_lib.base.errors import AwsError
from runbook_lib.commands.doctor import account
from runbook_lib.commands.doctor.model import Ground
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws

NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
FILE = params_dir() / "prod.yaml"


def ground(**values: Any) -> Ground:
    return Ground(FILE, {}, params=load_file(FILE, values))


def test_a_region_that_is_none() -> None:
    found = account.region(Ground(FILE, {}, params=_in("eu-nowhere-1")))
    assert found.state == "WRONG" and "eu-nowhere-1" in found.said
    assert account.region(ground()).state == "OK"


def _in(region: str) -> Any:
    return SimpleNamespace(region=region, source=str(FILE.parent))


@pytest.mark.parametrize(
    ("off", "state", "says"),
    [
        (0, "OK", "within a second or two"),
        (-2, "OK", "within a second or two"),
        (20, "OK", "20 s ahead of AWS's"),
        (-90, "NOTE", "90 s behind AWS's"),
        (301, "WRONG", "301 s ahead of AWS's"),
        (-4000, "WRONG", "1.1 h behind AWS's"),
    ],
)
def test_the_clock(off: int, state: str, says: str) -> None:
    here = ground()
    here.there, here.here = NOW, NOW + dt.timedelta(seconds=off)
    found = account.clock(here)
    assert (found.state, says in found.said) == (state, True), found
    assert bool(found.mend) == (state != "OK")


def test_an_embedded_aws_may_have_a_clock_of_its_own() -> None:
    here = ground()
    here.there, here.here = NOW, NOW + dt.timedelta(days=13)
    here.aws = SimpleNamespace(endpoint="http://127.0.0.1:4566")  # type: ignore[assignment]
    found = account.clock(here)
    assert (found.state, found.mend) == ("NOTE", "") and "on this machine" in found.said
    here.aws = SimpleNamespace(endpoint="https://sts.us-west-2.amazonaws.com")  # type: ignore[assignment]
    assert account.clock(here).state == "WRONG"


def test_an_endpoint_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(AwsError, match=r"http://127\.0\.0\.1:9/ does not answer"):
        account.endpoint(ground())


def test_it_answers_without_credentials(embedded: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", embedded.endpoint)
    here = ground()
    assert account.endpoint(here).state == "OK"
    assert here.there is not None and abs((here.there - embedded.now()).total_seconds()) < 60
    with pytest.raises(AwsError, match="no AWS credentials found"):
        account.credentials(here)


def test_another_account() -> None:
    here = ground()
    here.identity = Identity("000000000999", "arn:aws:iam::000000000999:user/x", NOW)
    found = account.account(here)
    assert found.state == "WRONG" and "000000000999" in found.said
    assert found.mend.startswith("sign in to account 000000000103, or edit `account_id` in ")
    assert Path(found.mend.rpartition(" ")[2]).name == "prod.yaml"
