"""A client's acts by answers that are handed over: no server, no AWS."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import IncompleteRead
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError

from runbook_lib.act.requests.conversation import Conversation
from runbook_lib.act.requests.http_call import Answer
from runbook_lib.act.requests.smoke import attempt
from runbook_lib.observe.jobs.behind import Behind
from runbook_lib.params.contract import Contract
from runbook_lib.params.service import Routes

ROUTES = Routes(sync="/old", submit="/jobs", status="/jobs/{job_id}")


class Table:
    """A jobs table with one item, whatever is asked."""

    def __init__(self, **item: Any) -> None:
        self.kept = item

    def item(self, _: str) -> dict[str, Any]:
        return self.kept


def client(contract: dict[str, Any], *answers: Answer, **item: Any) -> tuple[Conversation, list[tuple[str, Any]]]:
    """A client with a job, whose requests are answered one after the other, and what it asks."""
    asked, left = list[tuple[str, Any]](), list(answers)

    def send(method: str, url: str, headers: Mapping[str, str], _: object) -> Answer:
        asked.append((url, dict(headers)))
        return left.pop(0)

    told = Contract.model_validate(contract)
    behind = cast(Behind, Table(**item)) if item else None
    made = Conversation("http://api", ROUTES, "smoke-1", 1, 0.1, contract=told, behind=behind, send=send)
    made.job_id = "7"
    return made, asked


@pytest.mark.parametrize(
    ("prefix", "found", "said"),
    [
        ("probe:", "probe:smoke-1", ""),
        ("rb-", "rb-smoke-1-uuid", ""),
        ("client", "client", "does not have this run's own mark 'smoke-1'"),
        ("probe:", "probe:", "every user would count as a probe"),
        ("smoke-", "smoke-", "does not have this run's own mark"),
        ("probe:", "client", "this probe would count as a user"),
    ],
)
def test_a_mark_is_the_runs_own(prefix: str, found: str, said: str) -> None:
    made, _ = client({"probe": {"prefix": prefix}}, job_id="7", source=found)
    step = attempt("mark", "mark", made.mark)
    assert (step.ok, said in step.detail) == (not said, True)


def test_an_invalid_body_of_which_a_job_was_made_is_told() -> None:
    told = {"submit": {"refused": {"codes": [400]}}}
    made, _ = client(told, Answer(202, {"job_id": "9"}), job_id="9", source="client")
    step = attempt("invalid", "", made.invalid)
    assert not step.ok and "job 9 counts as a user" in step.detail
    assert client(told, Answer(400, {"message": "no"}), job_id="9")[0].invalid() == "400"


def test_an_id_in_a_path_is_quoted_and_in_a_header_it_is_not() -> None:
    told = {"result": {"fetched": "route", "path": "/doc/{job_id}"}, "status": {"headers": {"X-Job": "{job_id}"}}}
    made, asked = client(told, Answer(200, {"job_id": "a b", "report": "x"}))
    made.job_id = "a b"
    assert made.download() == "200, this job's report"
    assert asked == [("http://api/doc/a%20b", {"X-Job": "a b", "X-Runbook-Probe": "smoke-1"})]


@pytest.mark.parametrize("required", [(), ("text",)])
def test_what_is_no_json_is_no_result(required: tuple[str, ...]) -> None:
    told = {"result": {"fetched": "route", "path": "/doc/{job_id}", "required": required, "job_id": ""}}
    step = attempt("download", "", client(told, Answer(200, None, "<html>"))[0].download)
    assert not step.ok and "<html>" in step.detail and "is not JSON" in step.detail


def test_an_id_may_be_a_number_everywhere() -> None:
    told = {"result": {"fetched": "route", "path": "/doc/{job_id}"}}
    made, _ = client(told, Answer(202, {"job_id": 7}), Answer(200, {"job_id": 7, "report": "x"}))
    made.submit()
    assert (made.job_id, made.download()) == ("7", "200, this job's report")


@pytest.mark.parametrize("error", [IncompleteRead(b"{"), RecursionError("deep")])
def test_an_answer_that_cannot_be_read_raises_nothing(error: Exception) -> None:
    def act() -> str:
        raise error

    assert not attempt("submit", "", act).ok


def test_without_a_status_route_the_table_tells_and_what_is_not_asked_is_said() -> None:
    made, asked = client({"status": {"told_by": "table"}, "result": {"fetched": "bucket"}}, job_id="7")
    made.paths = Routes(sync="/old", submit="/jobs")
    jobs = iter([{"status": "PENDING"}, {"status": "COMPLETED"}])
    made.behind = cast(Behind, SimpleNamespace(job=lambda _: next(jobs)))
    made.poll_s = 0.001
    said = made.poll()
    assert said == "COMPLETED in the table after 2 looks; not asked by HTTP: the API has no status route"
    assert made.unknown() == "not asked: the API has no status route (api.routes.status)"
    assert asked == []


PAGE = Answer(200, None, "<html>Sign in</html>")


@pytest.mark.parametrize(
    ("told", "answer", "wrong"),
    [
        ({}, PAGE, "is not JSON (contract.sync.answers)"),
        ({}, Answer(200, {"report": "x"}), ""),
        ({}, Answer(200, [1]), ""),
        ({}, Answer(504, None, "<html>Gateway Timeout</html>"), ""),
        ({}, Answer(302, None), "302"),
        ({"codes": [204]}, Answer(204, None), ""),
        ({"answers": "any"}, PAGE, ""),
        ({"required": ["data.report"]}, Answer(200, {"data": {"report": "x"}}), ""),
        ({"required": ["data.report"]}, Answer(200, {"login": "https://sso.example"}), "nothing at 'data.report'"),
        ({"required": ["data.report"]}, Answer(504, {"message": "Endpoint request timed out"}), ""),
    ],
)
def test_a_login_page_is_no_answer_of_the_old_route(told: dict[str, Any], answer: Answer, wrong: str) -> None:
    """A portal in between answers 200, too: with its page."""
    step = attempt("sync", "", client({"sync": told}, answer)[0].sync)
    assert (step.ok, wrong in step.detail) == (not wrong, True), step.detail


def test_fields_are_declared_of_json_only() -> None:
    with pytest.raises(ValidationError, match="leave one of them out"):
        Contract.model_validate({"sync": {"answers": "any", "required": ["a"]}})
