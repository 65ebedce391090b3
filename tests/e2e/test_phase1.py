"""Phase 1 on the embedded AWS: what it changes, and what it makes of what AWS does by itself."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.act.traffic.homes import home_of
from runbook_lib.base.errors import Refused
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import deploy

from .conftest import PHASE2, START, Rollout

pytestmark = [pytest.mark.emulator, pytest.mark.kernel, pytest.mark.slow]

SETTLED = dt.timedelta(minutes=7)
"""Clients' polling and the delay of metrics and jobs: so long after its hour a look can be decided."""
JOBS, TIME = "jobs in the table", "when"
SEEN = {
    "cloudformation": [("describe_stacks", {}), ("list_stacks", {})],
    "cloudwatch": [
        ("describe_alarms", {}),
        ("describe_alarm_history", {}),
        ("list_metrics", {}),
        ("list_dashboards", {}),
    ],
    "dynamodb": [("list_tables", {}), ("describe_table", {"TableName": "table"}), ("scan", {"TableName": "table"})],
    "events": [("list_rules", {})],
    "iam": [("list_roles", {})],
    "lambda": [
        ("list_functions", {}),
        ("list_event_source_mappings", {}),
        ("get_function_concurrency", {"FunctionName": "worker"}),
        ("get_policy", {"FunctionName": "submit"}),
    ],
    "logs": [("describe_log_groups", {}), ("describe_metric_filters", {})],
    "s3": [("list_buckets", {})],
    "sns": [("list_topics", {}), ("list_subscriptions", {})],
    "sqs": [("list_queues", {})],
    "ssm": [("describe_parameters", {})],
    "apigateway": [("get_rest_apis", {})],
}
"""What is asked of each service for a snapshot; names of the service's resources are put in."""


def ask(client: Any, call: str, **given: Any) -> Any:
    """A whole answer, all pages of it, as JSON."""
    if client.can_paginate(call):
        answers = list(client.get_paginator(call).paginate(**given))
    else:
        answers = [getattr(client, call)(**given)]
    for answer in answers:
        del answer["ResponseMetadata"]
    return json.loads(json.dumps(answers, default=str))


def snapshot(rollout: Any) -> dict[str, Any]:
    """All that a run could have changed, by service and call."""
    client, name = rollout.aws.client, rollout.params.name
    seen = {
        f"{service}.{call}": ask(client(service), call, **{key: name(value) for key, value in given.items()})
        for service, calls in SEEN.items()
        for call, given in calls
    }
    for url in client("sqs").list_queues()["QueueUrls"]:
        seen[f"sqs {url}"] = ask(client("sqs"), "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
    for bucket in client("s3").list_buckets()["Buckets"]:
        seen[f"s3 {bucket['Name']}"] = ask(client("s3"), "list_objects_v2", Bucket=bucket["Name"])
    for api in client("apigateway").get_rest_apis()["items"]:
        for call in ("get_stages", "get_deployments", "get_resources"):
            seen[f"api {api['id']} {call}"] = ask(client("apigateway"), call, restApiId=api["id"])
    group = f"/aws/lambda/{name('worker')}"
    seen["log of the worker"] = ask(client("logs"), "filter_log_events", logGroupName=group)
    # How large the table is follows from its items, which are looked at one by one, in no order.
    items = [item for page in seen.pop("dynamodb.scan") for item in page["Items"]]
    seen |= {JOBS: sorted(items, key=str), "dynamodb.describe_table": without_sizes(seen["dynamodb.describe_table"])}
    return seen | flags(client("appconfig")) | {TIME: rollout.aws.now().timestamp()}


def flags(client: Any) -> dict[str, Any]:
    """AppConfig: strategies, applications, environments, profiles with their versions and documents, deployments."""
    seen = {"appconfig strategies": ask(client, "list_deployment_strategies")}
    for application in client.list_applications()["Items"]:
        here = {"ApplicationId": application["Id"]}
        seen[f"appconfig {application['Name']}"] = application
        for profile in ask(client, "list_configuration_profiles", **here)[0]["Items"]:
            where = {**here, "ConfigurationProfileId": profile["Id"]}
            versions = ask(client, "list_hosted_configuration_versions", **where)
            for version in versions[0]["Items"]:
                document = client.get_hosted_configuration_version(**where, VersionNumber=version["VersionNumber"])
                version["Content"] = document["Content"].read().decode()
            seen[f"appconfig profile {profile['Name']}"] = [profile, versions]
        for environment in ask(client, "list_environments", **here)[0]["Items"]:
            where = {**here, "EnvironmentId": environment["Id"]}
            deployments = ask(client, "list_deployments", **where)
            for one in deployments[0]["Items"]:
                number = one["DeploymentNumber"]
                one["Whole"] = ask(client, "get_deployment", **where, DeploymentNumber=number)
            seen[f"appconfig environment {environment['Name']}"] = [environment, deployments]
    return seen


def without_sizes(found: Any) -> Any:
    if isinstance(found, list):
        return [without_sizes(one) for one in found]
    if not isinstance(found, dict):
        return found
    return {key: without_sizes(value) for key, value in found.items() if not key.endswith(("ItemCount", "SizeBytes"))}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """What differs, but for the time, and for jobs that DynamoDB itself has deleted by then, or soon will."""
    over = [job for job in before[JOBS] if float(job["ttl"]["N"]) <= after[TIME]]
    before, after = (
        {**seen, JOBS: [job for job in seen[JOBS] if job not in over], TIME: None} for seen in (before, after)
    )
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def test_a_job_that_expires_between_two_snapshots_is_no_change_and_any_other_is() -> None:
    """The stage is shared: whatever other tests have put into the table lies there until its time is over."""

    def job(id: str, ttl: int, **more: Any) -> dict[str, Any]:
        return {"job_id": {"S": id}, "ttl": {"N": str(ttl)}, **more}

    def seen(at: int, *jobs: Any) -> dict[str, Any]:
        return {JOBS: list(jobs), TIME: at, "sqs": []}

    over, due, alive = job("over", 90), job("due", 110), job("alive", 3600)
    before = seen(100, over, due, alive)
    for left in ([over, due, alive], [due, alive], [alive]):
        assert changed(before, seen(120, *left)) == set()
    assert changed(before, seen(105, alive)) == {JOBS}, "it was not its time yet"
    assert changed(before, seen(120, alive, job("fresh", 90))) == {JOBS}
    assert changed(before, seen(120, job("alive", 3600, error={"S": "altered"}))) == {JOBS}
    assert changed(before, seen(120)) == {JOBS}


def test_plan_changes_nothing_and_apply_nothing_but_the_dial_once(rollout: Any) -> None:
    rollout.quiet()
    world = rollout.world()
    world.advance_by(hours=1, minutes=5)
    untouched = snapshot(rollout)
    planned = rollout.run()
    assert (planned.exit_code, planned.decision) == (0, "PLANNED")
    assert changed(untouched, snapshot(rollout)) == set()
    assert rollout.record(planned).changes == ()

    shifted = rollout.run(**rollout.apply)
    assert (shifted.exit_code, shifted.decision) == (0, "SOAK")
    moved = snapshot(rollout)
    # A version of the same document, made for an earlier shift, is used again.
    allowed = {"appconfig environment prod", "appconfig profile vpr-async-dial"}
    assert {"appconfig environment prod"} <= changed(untouched, moved) <= allowed
    state = rollout.state()
    assert (state.weight, state.dial_deployment.state) == (10, "BAKING")
    # Over 0, and every change was written down before it was made, and read back.
    changes = rollout.record(shifted).changes
    assert [change.intent["after"]["percent"] for change in changes] == [0, 10]
    assert all(change.outcome["ok"] for change in changes)

    # The soak has begun: applying again does not shift again, and planning still changes nothing.
    again = rollout.by_hand(**rollout.apply)
    assert (again.moment, again.decision, again.changes) == ("during", "SOAK", ())
    assert rollout.by_hand().moment == "during"
    assert changed(moved, snapshot(rollout)) == set()


def test_a_guard_takes_the_weight_back_with_no_notebook_open_and_the_next_look_says_so(rollout: Any) -> None:
    rollout.quiet()
    world = rollout.world("async_failing")
    world.advance_by(hours=1, minutes=5)
    assert rollout.by_hand(**rollout.apply).decision == "SOAK"
    shift = rollout.state().dial_deployment
    assert (rollout.state().weight, shift.state) == (10, "BAKING")

    world.advance_by(hours=6)

    state = rollout.state()
    assert (state.weight, state.switch_on) == (0, True)
    assert (state.dial_deployment.number, state.dial_deployment.state) == (shift.number, "ROLLED_BACK")
    fired = dt.datetime.fromisoformat(state.dial_deployment.taken_back_at)
    assert dt.timedelta(0) < fired - dt.datetime.fromisoformat(shift.started_at) < dt.timedelta(hours=6)
    before = snapshot(rollout)
    looked = rollout.run()
    assert (looked.exit_code, looked.decision) == (4, "ROLLBACK")
    record = rollout.record(looked)
    assert (record.moment, record.status) == ("taken_back", "completed")
    assert "careervp-vpr-failed-jobs-guard-prod" in record.outcome["reason"]
    assert fired.strftime("%Y-%m-%d %H:%M") in record.outcome["reason"]
    assert looked.headline == record.told.line
    assert "careervp-vpr-failed-jobs-guard-prod" in Path(looked.report).read_text()
    # Turning the switch off as well is left to a run that may.
    assert changed(before, snapshot(rollout)) == set()

    # The same attempt is over; the next one begins anew, at weight 0, and turns a switch on that a rollback left off.
    home_of(rollout.aws, rollout.guard(), rollout.params).switch_off(
        "runbook release=r notebook=rollback_1 attempt=1 run=y"
    )
    world.advance_by(hours=2)
    plan = rollout.by_hand(attempt=2)
    assert (plan.moment, plan.decision) == ("before", "PLANNED") and not rollout.state().switch_on
    anew = rollout.by_hand(attempt=2, **rollout.apply)
    assert (anew.moment, anew.decision, anew.attempt) == ("before", "SOAK", 2)
    assert rollout.state().weight == 10
    over = rollout.by_hand_or_failed()
    assert (over.status, over.decision) == ("failed", None) and "--set attempt=2" in over.failed()
    later = rollout.by_hand(attempt=2)
    assert (later.moment, later.decision) == ("during", "SOAK")


def test_where_cloudwatch_is_empty_the_final_look_is_a_hold_without_data(rollout: Any) -> None:
    # Nobody calls: there is no world.
    rollout.quiet()
    assert rollout.by_hand(**rollout.apply).decision == "SOAK"
    set_at = dt.datetime.fromisoformat(rollout.state().since)
    assert rollout.state().weight == 10
    rollout.aws.move_to(set_at + dt.timedelta(hours=24) + SETTLED)
    final = rollout.run(**rollout.apply)
    assert (final.exit_code, final.decision) == (3, "HOLD")
    record = rollout.record(final)
    assert record.moment == "after"
    verdicts = {gate["gate"]["id"]: gate["verdict"] for gate in record.gates}
    assert verdicts["success_rate"] == verdicts["submit_latency"] == "NO_DATA"
    assert {gate["verdict"] for gate in record.gates if gate["n"]} <= {"PASS"}
    assert record.changes == ()
    # Nor does waiting for the last declared look make a promotion of it.
    rollout.aws.move_to(set_at + dt.timedelta(hours=36) + SETTLED)
    assert rollout.by_hand(**rollout.apply).decision == "HOLD"


def test_a_soak_with_too_few_requests_is_extended_not_promoted(rollout: Any) -> None:
    rollout.quiet()
    world = rollout.world("low_traffic")
    world.advance_by(hours=1, minutes=5)
    assert rollout.by_hand(**rollout.apply).decision == "SOAK"
    set_at = dt.datetime.fromisoformat(rollout.state().since)
    world.advance(set_at + dt.timedelta(hours=24) + SETTLED)
    looked = rollout.run()
    assert (looked.exit_code, looked.decision) == (0, "SOAK")
    record = rollout.record(looked)
    assert record.moment == "after"
    verdicts = {gate["gate"]["id"]: gate["verdict"] for gate in record.gates}
    assert verdicts["success_rate"] == "INCONCLUSIVE"
    assert "FAIL" not in verdicts.values()
    back = dt.datetime.fromisoformat(looked.come_back_at)
    assert set_at + dt.timedelta(hours=30) < back <= set_at + dt.timedelta(hours=30) + SETTLED


NAME, LATER = "06_phase1_10_percent", "07_phase2_50_percent"
DASHBOARD = "03_dashboard@prod"


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Rollout]:
    """Production as it is before the rollout: the synchronous API, and nothing else."""
    with EmbeddedAws(START) as aws:
        rollout = Rollout(aws, "untouched", tmp_path / "archive")
        deploy(aws, rollout.params, "baseline")
        yield rollout


def test_the_first_run_deploys_at_weight_0_and_the_next_one_shifts(untouched: Rollout) -> None:
    rollout = untouched
    rollout.passed(NAME, DASHBOARD, "04_alarms@prod")
    world = rollout.world()
    world.advance_by(hours=6)
    before = snapshot_of_stack(rollout)
    planned = rollout.by_hand()
    assert (planned.moment, planned.decision, planned.changes) == ("before", "PLANNED", ())
    assert "not deployed yet" in planned.outcome["reason"]
    assert snapshot_of_stack(rollout) == before

    deployed = rollout.by_hand(**rollout.apply)
    assert deployed.decision == "PLANNED", deployed.outcome
    assert "deployed, weight 0, no async request possible" in deployed.outcome["reason"]
    assert "03_dashboard, 04_alarms in prod" in deployed.outcome["next"]
    checks = {one["id"]: one for one in deployed.checks}
    assert {checks[id]["verdict"] for id in ("infra.diff", "infra.deploy", "route.sync_unchanged")} == {"PASS"}
    assert sum(id.startswith("inventory.") for id in checks) > 50
    assert rollout.state().weight == 0
    world.advance_by(hours=1)
    assert world.truth.between().submitted == 0

    # Dashboard and alarms are still missing: nothing is shifted, and it says so.
    waiting = rollout.by_hand(**rollout.apply)
    assert (waiting.decision, waiting.changes) == ("PLANNED", ())
    assert DASHBOARD in waiting.outcome["reason"]

    rollout.seal("03_dashboard")
    rollout.seal("04_alarms")
    shifted = rollout.by_hand(**rollout.apply)
    assert (shifted.decision, rollout.state().weight) == ("SOAK", 10), shifted.outcome
    unchanged = {one["id"]: one for one in shifted.checks}
    route = unchanged["route.sync_unchanged"]
    assert route["facts"]["first"] == checks["route.sync_unchanged"]["facts"]["sha256"]
    assert unchanged["client.reads_flags"]["verdict"] == "PASS"


def snapshot_of_stack(rollout: Rollout) -> Any:
    client = rollout.aws.client("cloudformation")
    stack = client.describe_stacks(StackName=rollout.params.name("stack"))["Stacks"][0]
    return stack["StackStatus"], stack.get("LastUpdatedTime")


@pytest.mark.parametrize("missing", ["01_preflight@prod", "02_deploy_dev@dev", "05_staging@staging"])
def test_without_a_predecessor_nothing_begins(rollout: Any, missing: str) -> None:
    bare = Rollout(rollout.aws, f"{rollout.release}-bare", rollout.folder)
    bare.quiet()
    bare.passed(NAME, missing)
    with pytest.raises(Refused, match=f"no sealed record of {missing}"):
        bare.by_hand_unchecked(**bare.apply)
    assert bare.state().weight == 0


@pytest.mark.parametrize("predecessor", ["05_staging@staging", DASHBOARD])
def test_an_altered_record_of_a_predecessor_stops_it(rollout: Any, predecessor: str) -> None:
    rollout.quiet()
    name, _, env = predecessor.partition("@")
    (ref,) = rollout.archive.records(env, rollout.release, name)
    record = ref.folder / "record.json"
    record.write_text(record.read_text().replace("sealed by", "Sealed by"))
    if predecessor == DASHBOARD:
        # It is wanted for the shift alone, so the run goes on, and ends with a HOLD that names it.
        held = rollout.by_hand_unchecked(**rollout.apply)
        assert held.decision == "HOLD"
        assert f"the record of {predecessor} cannot be trusted" in held.outcome["reason"]
    else:
        with pytest.raises(Refused, match=f"the record of {predecessor} cannot be trusted"):
            rollout.by_hand_unchecked(**rollout.apply)
        planned = rollout.by_hand_unchecked()
        assert planned.decision == "HOLD"
        assert f"the record of {predecessor} cannot be trusted" in planned.outcome["reason"]
    assert rollout.state().weight == 0


def test_what_stops_a_shift_does_not_stop_turning_async_off(rollout: Any) -> None:
    """Trap 16: a record that was altered during the soak is a warning where it is about users who are being harmed."""
    rollout.quiet()
    world = rollout.world("async_failing")
    world.advance_by(hours=1, minutes=5)
    assert rollout.by_hand(**rollout.apply).decision == "SOAK"
    world.advance_by(hours=1, minutes=10)
    (ref,) = rollout.archive.records("staging", rollout.release, "05_staging")
    altered = ref.folder / "record.json"
    altered.write_text(altered.read_text().replace("sealed by", "Sealed by"))
    try:
        record = rollout.by_hand_unchecked(**rollout.apply)
        assert (record.decision, rollout.state().switch_on) == ("ROLLBACK", False), record.outcome
        said = "the record of 05_staging@staging cannot be trusted"
        assert any(said in warning and "does not hold up a lowering" in warning for warning in record.warnings)
        # Nothing is in force any more: from now on it is refused again.
        with pytest.raises(Refused, match=said):
            rollout.by_hand_unchecked(attempt=2, **rollout.apply)
    finally:
        rollout.on_again()


def test_without_the_approval_phase_2_is_held_also_in_plan(rollout: Any) -> None:
    rollout.quiet()
    rollout.passed(LATER)
    dialled(rollout, 10)
    for values in ({}, rollout.apply):
        held = rollout.by_hand(PHASE2, **values)
        assert (held.decision, held.changes) == ("HOLD", ())
        assert "the engineering lead has not approved" in held.outcome["reason"]
    # Whoever else says so does not count.
    rollout.approve(LATER, "product team")
    assert rollout.by_hand(PHASE2).decision == "HOLD"
    rollout.approve(LATER, "engineering lead")
    assert rollout.by_hand(PHASE2).decision == "PLANNED"
    shifted = rollout.by_hand(PHASE2, **rollout.apply)
    assert (shifted.decision, rollout.state().weight) == ("SOAK", 50), shifted.outcome
    # Phase 1 is over now, and running it again takes nothing back.
    over = rollout.by_hand(**rollout.apply)
    assert (over.moment, over.decision, over.changes) == ("over", "PLANNED", ())


def dialled(rollout: Any, percent: float) -> None:
    """As phase 1 left it."""
    rollout.dial(percent, NAME)
