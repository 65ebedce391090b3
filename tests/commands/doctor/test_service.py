"""What must be there: told by the inventory's own checks, for the step that the account is at."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.base.errors import ArchiveError, AwsError
from runbook_lib.commands.doctor import service
from runbook_lib.commands.doctor.model import Found, Ground
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.observe.traffic.flag_ids import Misnamed, NotDeployed
from runbook_lib.params.load import load_file, params_dir

FILE = params_dir() / "prod.yaml"


class Account:
    """An account at a step, whose inventory says what a test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state: Any = SimpleNamespace(migrated=False, temporary_route=True, switch_on=True, weight=10.0)
        self.checks: dict[str, list[Check]] = {}
        monkeypatch.setattr(service.weights, "read_traffic", lambda *_: self._state())
        monkeypatch.setattr(service, "inspect", lambda _, __, step: self.checks.get(step, [FINE]))

    def _state(self) -> Any:
        if isinstance(self.state, Exception):
            raise self.state
        return self.state


FINE = check("inventory.table.status", "Jobs table: status", True, "ACTIVE")
GONE = check("inventory.sync.exists", "Synchronous Lambda: exists", False, "missing")
LOW = check("inventory.worker.memory", "Worker: memory", False, "128 MB, expects 1024 MB")
ADVICE = check("inventory.worker.shared", "Worker: role", False, "shared", required=False)
UNSEEN = [check(f"inventory.queue.{name}", f"Queue: {name}", None, f"{name}: not allowed") for name in ("a", "b", "c")]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(monkeypatch)


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.chdir(FILE.parents[1])
    yield Ground(FILE, {}, params=load_file(FILE), aws=SimpleNamespace(client=lambda _: None))  # type: ignore[arg-type]


def test_the_flags(account: Account, ground: Ground) -> None:
    assert service.flags(ground).said == "async is on, 10 % of the requests go there"
    account.state = NotDeployed("AppConfig has no application 'x'")
    found = service.flags(ground)
    assert found.state == "NOTE" and found.mend.startswith(
        "runbook run 02_deploy_dev --params params/dev.yaml   (or edit "
    )
    account.state = Misnamed("version 3 has no flag 'async', and has orders", "flag")
    found = service.flags(ground)
    assert found.state == "WRONG" and found.mend.startswith("edit traffic.flag in params/service.yaml, or ")


@pytest.mark.parametrize(
    ("check_id", "where"),
    [
        ("alarm_dlq.exists", "`name` of alarm dlq in params/gates.yaml"),
        ("route_submit.exists", "api.routes.submit in params/service.yaml"),
        ("flags.dial_profile", "traffic.dial_profile in params/service.yaml"),
        ("bucket.exists", "names.bucket_prefix in params/service.yaml"),
        ("failed_jobs_filter.exists", "contract.kpi.jobs_failed and failure_line in params/service.yaml"),
    ],
)
def test_what_is_not_there_may_go_by_another_name_and_the_mend_says_where_that_stands(
    account: Account, ground: Ground, check_id: str, where: str
) -> None:
    account.checks = {"async": [check(f"inventory.{check_id}", "It", False, "missing")]}
    (found,) = service.resources(ground)
    assert found.mend == f"deploy it, or edit {where}, if it goes by another name"


@pytest.mark.parametrize(
    ("check_id", "key"),
    [
        ("table.key_schema", "contract.table.job_id"),
        ("table.attributes", "contract.table.job_id"),
        ("table.index", "names.gsi"),
        ("queue.visibility_timeout", "visibility_timeout_s"),
        ("queue.redrive_target", "workers[0].dlq"),
        ("queue_2.redrive_target", "workers[1].dlq"),
        ("worker.reserved_concurrency", "workers[0].concurrency"),
        ("worker_2.reserved_concurrency", "workers[1].concurrency"),
    ],
)
def test_a_setting_that_service_yaml_tells_is_edited_there(account: Account, check_id: str, key: str) -> None:
    """A stranger was sent to inventory.yaml, where the line says {table.job_id}."""
    file = FILE.parents[1] / "examples" / "orders-export" / "params" / "prod.yaml"
    ground = Ground(file, {}, params=load_file(file), aws=SimpleNamespace(client=lambda _: None))  # type: ignore[arg-type]
    account.checks = {"async": [check(f"inventory.{check_id}", "It", False, "another")]}
    (found,) = service.resources(ground)
    assert f"or edit {key} in " in found.mend and found.mend.endswith("service.yaml")


def test_before_the_deployment_only_what_was_there_before_must_be(account: Account, ground: Ground) -> None:
    account.state, account.checks = NotDeployed("no"), {"async": [GONE], "baseline": [FINE]}
    (found,) = service.resources(ground)
    assert (found.state, found.said) == ("OK", "1 setting as they must be before the new resources are deployed")


@pytest.mark.parametrize(
    ("migrated", "temporary", "checks", "expected"),
    [
        (False, True, {"async": [LOW]}, ["WRONG"]),
        (True, True, {"async": [LOW]}, ["OK"]),
        (True, True, {"migrate": [LOW]}, ["WRONG"]),
        (True, False, {"remove_temporary": [LOW]}, ["WRONG"]),
        (True, False, {"remove_temporary": [GONE]}, ["OK"]),
        (True, False, {"remove_temporary": [GONE], "remove_sync": [LOW]}, ["WRONG"]),
    ],
)
def test_the_step_follows_from_the_routes(
    account: Account, ground: Ground, migrated: bool, temporary: bool, checks: Any, expected: list[str]
) -> None:
    account.state.migrated, account.state.temporary_route, account.checks = migrated, temporary, checks
    assert [one.state for one in service.resources(ground)] == expected


def test_each_deviation_is_a_line_and_what_could_not_be_seen_one_a_resource(account: Account, ground: Ground) -> None:
    account.checks = {"async": [FINE, GONE, LOW, ADVICE, *UNSEEN]}
    gone, low, unseen = service.resources(ground)
    assert gone.mend == "deploy it, or edit names.sync in params/service.yaml, if it goes by another name"
    assert low.said == "Worker: memory: 128 MB, expects 1024 MB"
    assert low.mend.endswith("or edit params/inventory.yaml (inventory.worker.memory)")
    assert unseen.said == "a: not allowed (and 2 settings more of it)"


def test_sinks_are_looked_up_and_nothing_is_sent(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    topics = SimpleNamespace(get_topic_attributes=lambda **request: asked.append(request["TopicArn"]))
    ground.aws = SimpleNamespace(client=lambda _: topics)  # type: ignore[assignment]
    assert [one.said for one in service.sinks(ground)] == ["the topic careervp-vpr-alarms-topic-prod"]
    assert [arn.rpartition(":")[2] for arn in asked] == ["careervp-vpr-alarms-topic-prod"]
    assert ground.params is not None
    notify = ground.params.service.notify.model_copy(update={"webhook_env": "OUR_CHAT", "pagerduty_ssm": "pager"})
    changed = ground.params.service.model_copy(update={"notify": notify})
    ground.params = ground.params.model_copy(update={"service": changed})

    def refuses(*_: Any) -> str:
        raise AwsError("pager holds no https address")

    monkeypatch.delenv("OUR_CHAT", raising=False)
    monkeypatch.setattr(service.pager, "address", refuses)
    found = list(service.sinks(ground))
    assert [one.state for one in found] == ["WRONG", "WRONG", "OK"]
    assert "the variable OUR_CHAT" in found[0].said and found[1].said == "pager holds no https address"
    assert {one.mend for one in found[:2]} == {"edit `notify` in params/service.yaml"}
    monkeypatch.setenv("OUR_CHAT", "https://chat.example/hook")
    monkeypatch.setattr(service.pager, "address", lambda *_: "https://pager.example/key")
    (told,) = service.sinks(ground)
    assert told.said.endswith(", the chat's webhook, the pager") and "https" not in told.said


@pytest.mark.parametrize(("code", "state"), [("NotFound", "NOTE"), ("AuthorizationError", None)])
def test_a_topic_that_is_not_seen_is_not_ok(ground: Ground, code: str, state: str | None) -> None:
    def refused(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetTopicAttributes")

    ground.aws = SimpleNamespace(client=lambda _: SimpleNamespace(get_topic_attributes=refused))  # type: ignore[assignment]
    if state is None:
        with pytest.raises(AwsError, match="sns:GetTopicAttributes"):
            list(service.sinks(ground))
    else:
        assert [one.state for one in service.sinks(ground)] == [state]


def test_secret_headers_are_read_and_not_shown(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one.state for one in service.headers(ground)] == ["OK"]
    assert ground.params is not None
    contract = ground.params.service.contract.model_copy(update={"secrets": {"api_key": "env:OUR_KEY"}})
    changed = ground.params.service.model_copy(update={"contract": contract})
    ground.params = ground.params.model_copy(update={"service": changed})
    monkeypatch.delenv("OUR_KEY", raising=False)
    assert [(one.state, "OUR_KEY is not set" in one.said) for one in service.headers(ground)] == [("NOTE", True)]
    ground.role = "operator"
    assert [one.state for one in service.headers(ground)] == ["WRONG"]
    monkeypatch.setenv("OUR_KEY", "its value is nobody's")
    assert [one.said for one in service.headers(ground)] == ["api_key can be read"]


def test_who_signs_and_who_keeps(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def only() -> Found:
        (found,) = service.keeping(ground)
        return found

    assert only().state == "NOTE"
    witness = SimpleNamespace(name="ssm:ours", readable=True, read=lambda: None)
    monkeypatch.setattr(service, "witnesses_of", lambda _: (witness,))
    assert (only().state, only().said) == ("OK", "kept by ssm:ours")

    def none(_: Any) -> Any:
        raise ArchiveError("the signing key x is not there")

    monkeypatch.setattr(service, "signer_of", none)
    assert (only().state, only().mend) == ("WRONG", "edit `archive` in params/service.yaml")
