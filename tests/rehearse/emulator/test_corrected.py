"""An item whose time to live has passed is gone when virtual time has gone on; every other one stays."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.observe.traffic.flag_ids import listed
from runbook_lib.params.load import load_file, params_dir, read_yaml
from runbook_lib.rehearse.emulator.corrected import EVERY_S, PAGE, Answer, expired, paged, typed
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import deploy


def test_only_numbers_before_now_are_expired() -> None:
    items = {
        "old": {"": {"ttl": {"N": "99"}}, "b": {"ttl": {"N": "100"}}},
        "new": {"": {"ttl": {"N": "101"}}},
        "none": {"": {"job_id": {"S": "none"}}},
        "text": {"": {"ttl": {"S": "1"}}},
    }
    assert list(expired(items, "ttl", 100.0)) == [("old", "")]
    assert list(expired(items, "other", 100.0)) == []


@pytest.mark.emulator
def test_an_expired_item_goes_as_time_goes() -> None:
    folder = params_dir()
    params = load_file(folder / "prod.yaml", read_yaml(folder / "rehearsal.yaml"))
    with EmbeddedAws() as aws:
        deploy(aws, params)
        table, dynamodb, start = params.name("table"), aws.client("dynamodb"), aws.now()

        def put(job: str, **ttl: dt.datetime) -> None:
            numbers = {name: {"N": str(int(at.timestamp()))} for name, at in ttl.items()}
            dynamodb.put_item(TableName=table, Item={"job_id": {"S": job}, "idempotency_key": {"S": job}, **numbers})

        put("short", ttl=start + dt.timedelta(hours=1))
        put("long", ttl=start + dt.timedelta(days=2))
        put("for ever")
        aws.move_to(start + dt.timedelta(seconds=EVERY_S * 2))
        found = dynamodb.scan(TableName=table)
        assert sorted(item["job_id"]["S"] for item in found["Items"]) == ["for ever", "long"]
        indexed = dynamodb.scan(TableName=table, IndexName="idempotency-key-index")
        assert sorted(item["job_id"]["S"] for item in indexed["Items"]) == ["for ever", "long"]


def _oldest_first(made: int) -> Any:
    """As MiniStack lists them."""

    def answer(app_id: str, env_id: str, query: Any) -> Answer:
        items = [{"DeploymentNumber": number} for number in range(1, made + 1)]
        return 200, {}, json.dumps({"Items": items[: int(query["max_results"])]}).encode()

    return answer


@given(made=st.integers(0, 180), size=st.one_of(st.none(), st.integers(1, 60)))
def test_every_deployment_is_on_one_page_newest_first(made: int, size: int | None) -> None:
    ask = paged(_oldest_first(made))
    seen: list[int] = []
    query: dict[str, Any] = {} if size is None else {"max_results": str(size)}
    while True:
        page = json.loads(ask("a", "e", query)[2])
        assert len(page["Items"]) <= min(size or PAGE, PAGE)
        seen += [one["DeploymentNumber"] for one in page["Items"]]
        if "NextToken" not in page:
            break
        query["next_token"] = page["NextToken"]
    assert seen == list(range(made, 0, -1))


def test_an_error_goes_through() -> None:
    told: Answer = 404, {}, b"{}"
    assert paged(lambda *_: told)("a", "e", {}) == told


def test_what_was_deployed_after_fifty_others_is_listed(embedded: EmbeddedAws) -> None:
    client = embedded.client("appconfig")
    application = client.create_application(Name="many")["Id"]
    where = {
        "ApplicationId": application,
        "EnvironmentId": client.create_environment(ApplicationId=application, Name="many")["Id"],
    }
    profile = client.create_configuration_profile(ApplicationId=application, Name="many", LocationUri="hosted")["Id"]
    version = client.create_hosted_configuration_version(
        ApplicationId=application, ConfigurationProfileId=profile, Content=b"{}", ContentType="application/json"
    )["VersionNumber"]
    for _ in range(PAGE + 2):
        client.start_deployment(
            **where,
            DeploymentStrategyId="AppConfig.AllAtOnce",
            ConfigurationProfileId=profile,
            ConfigurationVersion=str(version),
        )
        embedded.move_to(embedded.now() + dt.timedelta(hours=1))
    found = listed(client, where)
    assert list(found) == list(range(PAGE + 2, 0, -1))
    assert found[PAGE + 2]["State"] == "COMPLETE"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        listed(client, {**where, "EnvironmentId": "none"})


def test_the_share_of_a_canary_is_a_number() -> None:
    said: list[Any] = []
    apply = typed(lambda kept, patches: said.append((kept, patches)))
    share, other = (
        {"op": "replace", "path": f"/canarySettings/{one}", "value": "10.5"} for one in ("percentTraffic", "x")
    )
    apply("stage", [share, other])
    apply("stage", None)
    assert said == [("stage", [{**share, "value": 10.5}, other]), ("stage", [])]
