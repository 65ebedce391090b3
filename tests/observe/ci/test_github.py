"""GitHub is asked over https alone, and a token goes nowhere else."""

from __future__ import annotations

import pytest

from runbook_lib.base.errors import Refused
from runbook_lib.observe.ci.github import get, given
from tests.github import RUN, github


def test_a_variable_that_is_not_set_is_named() -> None:
    assert given({"A": "1", "B": "2"}, ("B", "A"), "it", "set it") == ["2", "1"]
    with pytest.raises(Refused, match="it cannot be asked: B is not set; set it"):
        given({"A": "1", "B": ""}, ("A", "B"), "it", "set it")


@pytest.mark.parametrize("address", ["http://127.0.0.1.example", "ftp://x", "file:///etc/passwd", "", "http://[::1]/"])
def test_another_address_gets_no_token(address: str) -> None:
    with pytest.raises(Refused, match="is no https address"):
        get(address, "geheim", "it", "")


def test_an_answer_and_what_forbids_it() -> None:
    with github(RUN, []) as job:
        at = f"{job['GITHUB_API_URL']}/repos/acme/orders/actions/runs/42"
        assert get(at, job["GITHUB_TOKEN"], "it", "mend it") == RUN
        with pytest.raises(Refused, match="it cannot be asked of GitHub: it answered 404; mend it"):
            get(at, "", "it", "mend it")
