"""`runbook attest`, `approve`, `note`: into the chain with the caller's ARN, or one sentence that says why not."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from runbook_lib.base.errors import ArchiveError, Refused, UsageError
from runbook_lib.cli import people
from runbook_lib.cli.people import register
from runbook_lib.observe.ci import github as github_api
from runbook_lib.params.load import load_file
from runbook_lib.record import recording
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.entry import Entry, book, enter
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import RecordRef
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rollout.approval import evidence
from tests.github import RUN, github, review
from tests.jobs_token import CLAIMS, jwks, token
from tests.project import own_project

LET_IN = {"repository": "acme/orders", "environment": "approve-prod", "run": 42, "attempt": 1, "rejected_by": []}
ROOT = Path(__file__).resolve().parents[2]
Call = Callable[..., Result]

app = typer.Typer(rich_markup_mode="rich")
register(app)


@pytest.fixture
def call(tmp_path: Path, embedded: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """The commands in a project of their own, on the embedded AWS."""
    own_project(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Result:
        done = CliRunner().invoke(app, [*words, "--params", "params/prod.yaml"], env={"COLUMNS": "200"})
        if isinstance(done.exception, Exception):
            raise done.exception
        return done

    with only(embedded.env):
        yield run


def phase_1_passed(arn: str = "arn:aws:iam::000000000000:user/olga") -> RecordRef:
    """A sealed run of phase 1 that says PROMOTE, by that caller."""
    archive, name = Archive("archive"), "06_phase1_10_percent"
    _, staging, run_id, _ = recording.staged(archive.root, "prod", "rehearsal", name, "papermill")
    journal = Journal(staging)
    recording.opened(journal, run_id, name, "papermill", {"env": "prod", "release": "rehearsal", "mode": "apply"})
    journal.append("caller", account_id="000000000000", arn=arn, operator="Olga", as_of="", endpoint="")
    journal.append("closed", decision="PROMOTE", said=None, reason="all gates pass", next="")
    return seal_staged(archive, staging, status="completed")


def given() -> list[Any]:
    return list(book(Archive("archive"), "prod", "rehearsal").entered)


def test_an_attestation_is_in_the_chain_with_the_callers_arn_and_awss_time(call: Call, embedded: EmbeddedAws) -> None:
    done = call("attest", "qa_signoff", "--by", "Quinn", "--role", "qa", "--link", "https://example.org/q")
    assert "attestation of qa_signoff by Quinn is in the chain of prod" in done.stdout
    (one,) = given()
    assert (one.entry.kind, one.entry.item, one.entry.role, one.entry.link) == (
        "attestation",
        "qa_signoff",
        "QA",
        "https://example.org/q",
    )
    assert one.caller_arn.startswith("arn:aws:iam::000000000000:")
    assert abs((one.entry.when - embedded.now()).total_seconds()) < 60


def test_json_has_the_words_that_were_sealed(call: Call) -> None:
    """It had the password that the record masks: two texts for one entry, and one of them in a CI job's log."""
    said = json.loads(call("note", "the password=Zq7vK2mXw9LpR4tB was wrong", "--by", "Ada", "--json").stdout)
    assert said["text"] == given()[-1].entry.text == "the password=[redacted] was wrong"


def test_an_approval_by_number_and_a_note_as_json(call: Call) -> None:
    passed = phase_1_passed()
    shown = call("approve", "07", "--by", "Grace", "--role", "Engineering Lead").stdout
    assert "signs off" in shown and passed.run_id in shown and "PROMOTE" in shown
    assert shown.index("signs off") < shown.index("approval of 07"), "the verdict stands before the signature"
    said = json.loads(call("note", "The pager was slow.", "--json").stdout)
    assert (said["kind"], said["text"], said["env"]) == ("note", "The pager was slow.", "prod")
    approval, note = given()
    assert (approval.entry.item, approval.entry.role) == ("07_phase2_50_percent", "engineering lead")
    (stands,) = approval.entry.facts["evidence"]
    assert (stands["run_id"], stands["hash"]) == (passed.run_id, Archive("archive").load(passed).hash)
    assert note.entry.by.startswith("arn:"), "who says nothing about themselves is the caller"


def test_an_approval_by_its_run(call: Call) -> None:
    old, new = phase_1_passed(), phase_1_passed()
    said = json.loads(call("approve", new.run_id, "--by", "Grace", "--role", "engineering lead", "--json").stdout)
    assert (said["item"], said["facts"]["evidence"][0]["run_id"]) == ("07_phase2_50_percent", new.run_id)
    with pytest.raises(Refused, match=f"run {old.run_id} is not the newest that passed: that is run {new.run_id}"):
        call("approve", old.run_id, "--by", "Grace", "--role", "engineering lead")
    with pytest.raises(ArchiveError, match="no record starts with 'ffffffffffff'"):
        call("approve", "ffffffffffff", "--by", "Grace", "--role", "engineering lead")
    assert len(given()) == 1


def test_a_person_who_is_asked_may_say_no(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    phase_1_passed()
    monkeypatch.setattr(people, "asks", lambda: True)
    monkeypatch.setattr(people, "agreed", lambda _: False)
    with pytest.raises(Refused, match="07_phase2_50_percent is not approved: the answer was no"):
        call("approve", "07", "--by", "Grace", "--role", "engineering lead")
    assert given() == []


def test_a_yes_to_records_that_are_not_the_newest_any_more_is_no_approval(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question may stand for an hour: meanwhile the phase was run again."""
    phase_1_passed()
    monkeypatch.setattr(people, "asks", lambda: True)
    monkeypatch.setattr(people, "agreed", lambda _: bool(phase_1_passed()))
    with pytest.raises(Refused, match="its records changed while the question stood"):
        call("approve", "07", "--by", "Grace", "--role", "engineering lead")
    monkeypatch.setattr(people, "agreed", lambda _: True)
    call("approve", "07", "--by", "Grace", "--role", "engineering lead")
    assert len(given()) == 1


def test_what_has_not_passed_is_not_approved(call: Call) -> None:
    with pytest.raises(Refused, match="07_phase2_50_percent cannot be approved yet: no sealed record of 06"):
        call("approve", "07", "--by", "Grace", "--role", "engineering lead")
    assert given() == []


def test_the_operator_is_warned_or_refused(call: Call, tmp_path: Path, embedded: EmbeddedAws) -> None:
    phase_1_passed(json.loads(call("note", "who am I", "--json").stdout)["by"])
    done = call("approve", "07", "--by", "Grace", "--role", "engineering lead")
    assert "two people" in done.stderr
    gates = tmp_path / "params" / "gates.yaml"
    gates.write_text(gates.read_text().replace("four_eyes: advised", "four_eyes: enforced"))
    with pytest.raises(Refused, match="another person must"):
        call("approve", "07", "--by", "Grace", "--role", "engineering lead")
    assert len(given()) == 2


def test_the_list_says_what_is_wanted_given_and_missing(call: Call) -> None:
    call("attest", "code_review", "--by", "Ada", "--role", "reviewer")
    rows = {row["item"]: row for row in json.loads(call("attest", "--list", "--json").stdout)["items"]}
    assert rows["code_review"]["state"] == "given" and "Ada (reviewer)" in rows["code_review"]["said"]
    assert rows["on_call_present"]["state"] == "missing"
    shown = call("attest", "--list").stdout
    for part in ("code_review", "given", "missing", "engineering lead", "08_phase3_100_percent"):
        assert part in shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["attest"], "expects an item"),
        (
            ["attest", "code_revue", "--by", "Ada", "--role", "reviewer"],
            "'code_revue' is not an item to attest.*code_review",
        ),
        (["attest", "code_review", "--by", "Ada", "--role", "QA"], "--role is 'QA'.*the reviewer is asked"),
        (["attest", "code_review", "--role", "reviewer"], "--by is empty"),
        (["attest", "code_review", "--by", " ", "--role", "reviewer"], "--by is empty"),
        (["approve", "99", "--by", "Ada", "--role", "QA"], "notebook '99'"),
        (["approve", "0", "--by", "Ada", "--role", "QA"], "no single step has that name"),
        (["approve", "07", "--by", "Ada", "--role", "QA"], "approved by the engineering lead"),
        (["approve", "06", "--by", "Ada", "--role", "QA"], "not approved by anybody"),
        (["note", "  "], "expects a text"),
        (["note", "x", "--set", "account_id=000000000999"], "000000000999"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_is_sealed(call: Call, words: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        call(*words)
    assert given() == []


@pytest.mark.parametrize("command", ["attest", "approve", "note"])
def test_help_has_an_example(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert f"runbook {command}" in done.stdout


def _approvals(project: Path, text: str) -> None:
    gates = project / "params" / "gates.yaml"
    before = f"{text.partition(':')[0]}: {{}}"
    assert before in gates.read_text()
    gates.write_text(gates.read_text().replace(before, text))


def test_a_user_in_a_group_of_iam_approves(call: Call, tmp_path: Path, embedded: EmbeddedAws) -> None:
    phase_1_passed()
    iam, group = embedded.client("iam"), "arn:aws:iam::000000000000:group/approvers"
    iam.create_user(UserName="gretel")
    key = iam.create_access_key(UserName="gretel")["AccessKey"]
    hers = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    _approvals(tmp_path, f"  callers: {{engineering lead: ['{group}']}}")
    words = ("approve", "07", "--role", "engineering lead")
    with (
        only({**embedded.env, **hers}),
        pytest.raises(Refused, match=f"user/gretel is in {group} cannot be told: .*iam:GetGroup"),
    ):
        call(*words)
    iam.create_group(GroupName="approvers")
    with (
        only({**embedded.env, **hers}),
        pytest.raises(Refused, match=f"user/gretel may not approve as the engineering lead: {group} may"),
    ):
        call(*words)
    iam.add_user_to_group(GroupName="approvers", UserName="gretel")
    with only({**embedded.env, **hers}):
        call(*words)
    (one,) = given()
    assert one.entry.by == "gretel" and one.caller_arn.endswith("user/gretel")


def test_reviewers_of_the_environment_approve_by_a_job(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase_1_passed()
    said = "{callers: ['*'], repository: acme/orders, environment: approve-prod, reviewers: [grace]}"
    _approvals(tmp_path, f"  ci: {{engineering lead: {said}}}")
    words = ("approve", "07", "--role", "engineering lead")
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    with pytest.raises(Refused, match="who let this job into approve-prod cannot be asked"):
        call(*words)
    for reviews, ok in (([review("olga")], False), ([review("olga"), review("Grace")], True)):
        with github(RUN, reviews) as job, monkeypatch.context() as patch:
            for name, value in job.items():
                patch.setenv(name, value)
            if not ok:
                with pytest.raises(Refused, match="by olga, not by grace"):
                    call(*words)
                continue
            call(*words)
    (one,) = given()
    assert one.entry.by == "Grace" and one.entry.facts["review"]["run"] == 42
    assert "the-jobs-own" not in (Archive("archive").records()[-1].folder / "record.json").read_text()


def test_githubs_signature_is_on_the_approval_and_a_forged_entry_has_none(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedded: EmbeddedAws
) -> None:
    """Whoever can write to the archive can say that a reviewer let a job in; he cannot have GitHub sign it."""
    phase_1_passed()
    said = "{callers: ['*'], repository: acme/orders, environment: approve-prod, reviewers: [grace], keys: jwks.json}"
    _approvals(tmp_path, f"  ci: {{engineering lead: {said}}}")
    (tmp_path / "params" / "jwks.json").write_text(json.dumps(jwks("ours")))

    def signed(address: str, *_: object) -> dict[str, str]:
        aud = address.partition("audience=")[2].replace("%3A", ":")
        return {"value": token({**CLAIMS, "aud": aud, "iat": int(embedded.now().timestamp())})}

    whole = github_api.get
    monkeypatch.setattr(github_api, "get", lambda at, *more: (signed if "audience" in at else whole)(at, *more))
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.example/?x=1")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t")

    def state() -> dict[str, Any]:
        rows = json.loads(call("attest", "--list", "--json").stdout)["items"]
        return next(row for row in rows if row["item"] == "approval" and row["notebook"].startswith("07"))

    loaded, archive = load_file(Path("params/prod.yaml")), Archive("archive")
    stands = evidence(archive, loaded, "07_phase2_50_percent")
    let_in = {**LET_IN, "approved_by": ["grace"], "started_by": ["olga"]}
    facts = {"evidence": [one.model_dump() for one in stands], "review": let_in}
    words: dict[str, Any] = {"kind": "approval", "item": "07_phase2_50_percent"}
    words |= {"by": "grace", "role": "engineering lead"}
    words |= {"at": (embedded.now() - dt.timedelta(hours=1)).isoformat(), "facts": facts}
    enter(archive, loaded, Entry.model_validate(words), "arn:x")
    assert state()["state"] == "missing" and "has no token of GitHub's" in state()["said"]
    with github(RUN, [review("grace")]) as job:
        for name, value in job.items():
            monkeypatch.setenv(name, value)
        call("approve", "07", "--role", "engineering lead")
    assert state()["state"] == "given", state()
    (tmp_path / "params" / "jwks.json").write_text(json.dumps(jwks("theirs")))
    assert state()["state"] == "missing" and "none of the keys has signed it" in state()["said"]
    (tmp_path / "params" / "jwks.json").unlink()
    assert "jwks.json cannot be read" in state()["said"]
