"""One client's conversation with the API, act by act, as `contract` of service.yaml describes it."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import quote

from runbook_lib.act.requests.http_call import Answer, Send, over_http
from runbook_lib.base.foreign import head
from runbook_lib.base.json_body import at, filled_body, id_at
from runbook_lib.base.template import filled
from runbook_lib.base.waiting import steady, until
from runbook_lib.observe.jobs.behind import Behind
from runbook_lib.params.contract import Answers, Contract, State
from runbook_lib.params.service import Routes


class Failed(Exception):
    """An answer that differs from the contract, as a sentence."""


class Conversation:
    """One client's conversation with the API; each act returns a phrase about the answer."""

    def __init__(
        self,
        url: str,
        paths: Routes,
        probe_id: str,
        deadline_s: float,
        poll_s: float,
        *,
        contract: Contract | None = None,
        behind: Behind | None = None,
        send: Send | None = None,
    ) -> None:
        self.url, self.paths, self.deadline_s, self.poll_s = url.rstrip("/"), paths, deadline_s, poll_s
        self.contract, self.behind, self.send = contract or Contract(), behind, send or over_http
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.said = {"uuid": str(uuid.uuid4()), "now": now, "probe": probe_id}
        self.payload = filled_body(self.contract.submit.valid, self.said)
        self.job_id = ""
        self.link = ""

    def steps(self) -> dict[str, Callable[[], str]]:
        """The acts by the id of their step, in order."""
        looked = {"mark": self.mark} if self.behind is not None else {}
        return {
            "submit": self.submit,
            **looked,
            "duplicate": self.again,
            "invalid": self.invalid,
            "poll": self.poll,
            "download": self.download,
            "unknown": self.unknown,
            "sync": self.sync,
        }

    def submit(self) -> str:
        submit = self.contract.submit
        answer = self._submitted(self.payload)
        _expect(answer, submit.accepted, "contract.submit.accepted")
        self.job_id = _id(answer, submit.job_id)
        return f"{answer.status}, job {self.job_id}"

    def mark(self) -> str:
        """Checks that a probe's mark arrives where the users' figures look for it; else a probe counts as a user."""
        self._needs_job()
        if self.behind is None:
            raise Failed("not looked at: the jobs table is not at hand")
        place, prefix = self.contract.probe.arrives_in, self.contract.probe.prefix
        item = self.behind.item(self.job_id)
        if not item:
            raise Failed(f"the jobs table has no job {self.job_id} (contract.table.job_id): no mark has arrived")
        found = item.get(place)
        if not isinstance(found, str) or not found.startswith(prefix):
            seen = f"is {found!r}" if place in item else f"is missing (the item has {', '.join(sorted(item))})"
            raise Failed(
                f"'{place}' of the job {seen}, expects '{prefix}…' (contract.probe): this probe would count as a user"
            )
        own = self.said["probe"]
        if own not in found.removeprefix(prefix):
            raise Failed(
                f"'{place}' of the job is {found!r}, and does not have this run's own mark '{own}' (contract.probe): "
                f"what begins with '{prefix}' may be a user's, too, and every user would count as a probe"
            )
        return f"'{place}' begins with '{prefix}', and has this run's own mark"

    def again(self) -> str:
        self._needs_job()
        submit = self.contract.submit
        if submit.repeated is None:
            return "not asked: a second submission makes a second job (contract.submit.repeated)"
        answer = self._submitted(self.payload if submit.duplicate is None else filled_body(submit.duplicate, self.said))
        _expect(answer, submit.repeated, "contract.submit.repeated")
        if (found := _id(answer, submit.job_id)) != self.job_id:
            raise Failed(f"another job, {found}")
        return f"{answer.status}, the same job"

    def invalid(self) -> str:
        submit = self.contract.submit
        answer = self._submitted(filled_body(submit.invalid, self.said))
        made = id_at(answer.body, submit.job_id)
        if made and self.behind is not None and (item := self.behind.item(made)):
            found = item.get(self.contract.probe.arrives_in)
            bears = isinstance(found, str) and found.startswith(self.contract.probe.prefix)
            raise Failed(
                f"{_said(answer)}: a job was made of the body that must be refused (contract.submit.invalid)"
                + ("" if bears else f"; it has no mark, so job {made} counts as a user")
            )
        return str(_expect(answer, submit.refused, "contract.submit.refused").status)

    def poll(self) -> str:
        """Follows the job until the source that `told_by` names says that it has ended."""
        self._needs_job()
        polls = 0

        def ask() -> tuple[State, str]:
            nonlocal polls
            polls += 1
            return self._asked()

        told = until(ask, lambda said: said[0] != "running", limit_s=self.deadline_s, pause=steady(self.poll_s))
        match told:
            case "running", word:
                raise Failed(f"still {word} after {self.deadline_s:g} s")
            case "completed", word:
                unasked = "" if self.paths.status else "; not asked by HTTP: the API has no status route"
                return f"{word} after {polls} {'poll' if self.paths.status else 'look'}{'s' * (polls != 1)}{unasked}"
            case _, why:
                raise Failed(why)

    def _asked(self) -> tuple[State, str]:
        """State of the job, with a word for it or the reason of its failure: from the route, or as `told_by` says."""
        status = self.contract.status
        if not self.paths.status:
            return self._behind("no status route (api.routes.status)")
        answer = self._status(self.job_id)
        state, word = status.state(answer.status, answer.body), str(at(answer.body, status.word or "status"))
        if state is None:
            advice = "" if status.told_by != "status" else "; does the route never say more? then say `told_by: table`"
            raise Failed(
                f"{_said(answer)}: no answer that contract.status of service.yaml knows ({status.told()}){advice}"
            )
        if state == "unknown":
            raise Failed(f"{_said(answer)}: the route does not know the job (contract.status.unknown)")
        if state == "failed":
            return state, f"{word}: {at(answer.body, status.error or 'error')}"
        if state == "completed":
            self.link = str(at(answer.body, self.contract.result.link) or "")
            return state, word
        return (state, word) if status.told_by == "status" else self._behind(word)

    def _behind(self, word: str) -> tuple[State, str]:
        """State of the job from the table or the result, while the route says that it is under way."""
        if self.contract.status.told_by == "result":
            return (
                ("completed", "the result is there") if self._result() is not None else ("running", "without a result")
            )
        if self.behind is None:
            raise Failed(f"{word}, and the jobs table, which tells the rest (contract.status.told_by), is not at hand")
        job = self.behind.job(self.job_id)
        match job.get("status"):
            case "COMPLETED":
                return "completed", "COMPLETED in the table"
            case "FAILED":
                return "failed", f"FAILED in the table: {job.get('error')}"
            case other:
                return "running", f"{other} in the table"

    def download(self) -> str:
        if self.contract.result.fetched == "link" and not self.link:
            raise Failed("no link to download")
        self._needs_job()
        document = self._result()
        if document is None:
            raise Failed(f"there is no result (contract.result.fetched: {self.contract.result.fetched})")
        if wrong := self.contract.result.fault(document, self.job_id):
            raise Failed(f"the document is not this job's report: {wrong}")
        return "this job's report" if self.contract.result.fetched == "bucket" else "200, this job's report"

    def _result(self) -> object | None:
        """The job's result; None: it does not exist."""
        result = self.contract.result
        if result.fetched == "bucket":
            if self.behind is None:
                raise Failed("the results bucket (contract.result.fetched) is not at hand")
            return self.behind.result(self.job_id)
        if result.fetched == "link":
            answer = self.send("GET", self.link, {}, None)
            if answer.status != 200:
                raise Failed(f"{_said(answer)}, expects 200")
        else:
            path = filled(result.path, {"job_id": quote(self.job_id, safe="")})
            headers = self._headers(self.contract.status.headers, self.job_id)
            answer = self.send("GET", self.url + path, headers, None)
        if answer.status == 200 and answer.body is None:
            raise Failed(f"{_said(answer)}: the document is not JSON (contract.result)")
        return answer.body if answer.status == 200 else None

    def unknown(self) -> str:
        if not self.paths.status:
            return "not asked: the API has no status route (api.routes.status)"
        if self.contract.status.unknown is None:
            return "not asked: the route never says so (contract.status.unknown)"
        answer = self._status(str(uuid.uuid4()))
        if self.contract.status.state(answer.status, answer.body) != "unknown":
            raise Failed(f"{_said(answer)}, expects {self.contract.status.unknown.told()} (contract.status.unknown)")
        return str(answer.status)

    def sync(self) -> str:
        old = self.contract.sync
        headers = self._headers(self.contract.submit.headers)
        answer = self.send(old.method, self.url + self.paths.sync, headers, self.payload)
        # In production the gateway gives up after 29 s: there 504 is the usual answer, and so a valid one.
        if answer.status not in old.codes:
            raise Failed(_said(answer))
        if wrong := old.fault(answer.status, answer.body):
            raise Failed(f"{_said(answer)}: {wrong}")
        return str(answer.status)

    def _submitted(self, body: object) -> Answer:
        submit = self.contract.submit
        return self.send(submit.method, self.url + self.paths.submit, self._headers(submit.headers), body)

    def _status(self, job_id: str) -> Answer:
        status = self.contract.status
        headers = self._headers(status.headers, job_id)
        return self.send(status.method, self.url + self.paths.status_of(job_id), headers, None)

    def _headers(self, own: Mapping[str, str], job_id: str = "") -> dict[str, str]:
        """A request's own headers, and those with the mark of a probe."""
        said = {**self.said, "job_id": job_id}
        return {name: filled(text, said) for name, text in {**own, **self.contract.probe.headers}.items()}

    def _needs_job(self) -> None:
        if not self.job_id:
            raise Failed("no job was made")


def _expect(answer: Answer, wanted: Answers, key: str) -> Answer:
    if not wanted.fit(answer.status, answer.body):
        raise Failed(f"{_said(answer)}, expects {wanted.told()} ({key})")
    return answer


def _id(answer: Answer, path: str) -> str:
    found = id_at(answer.body, path)
    if not found:
        raise Failed(f"{_said(answer)}: no job id at '{path}' (contract.submit.job_id)")
    return found


def _said(answer: Answer) -> str:
    """An answer in words; text that is not JSON is shown as it came."""
    return f"{answer.status} {head(json.dumps(answer.text if answer.body is None else answer.body), 200)}"
