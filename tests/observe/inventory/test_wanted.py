"""A failing check is mended only where the diff names its resource and its property, and to the right value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.incidents.diff import Change, Diff, Property, parse
from runbook_lib.judge.incidents.mending import Mended, mended
from runbook_lib.observe.inventory.inspect import rules, wanted
from runbook_lib.observe.inventory.rules import Naming, Setting
from runbook_lib.observe.inventory.wanted import keys, told_holds
from runbook_lib.params.load import Params, load_file, params_dir

ROOT = Path(__file__).resolve().parents[2] / "fixtures" / "diffs"
STACK = "careervp-vpr-stack-prod"
_LOADED = load_file(params_dir() / "prod.yaml")
PRODUCTION = _LOADED.model_copy(
    update={"service": _LOADED.service.model_copy(update={"job_ttl_variable": "JOB_TTL_S"})}
)
WANTS = wanted(PRODUCTION, "async")
EVERY = sorted(WANTS)
PHYSICAL = {
    "VprJobsQueue0A1B2C3D": "https://sqs.us-east-1.amazonaws.com/000000000103/careervp-vpr-jobs-queue-prod",
    "VprWorkerLambda4D5E6F70": "careervp-vpr-worker-lambda-prod",
    "MailQueue99887766": "https://sqs.us-east-1.amazonaws.com/000000000103/careervp-mail-queue-prod",
    "VprGeneratorLambda01020304": "careervp-vpr-generator-lambda-prod",
}


def recorded(name: str) -> Diff:
    return parse((ROOT / name).read_text("utf-8")).resolved(PHYSICAL, STACK)


def mends(diff: Diff, step: str = "async") -> dict[str, str]:
    """What the diff would bring about of everything that the inventory expects, if all of it were wrong."""
    wants = wanted(PRODUCTION, step)
    said = {id: mended(one, diff, STACK) for id, one in wants.items()}
    return {id.removeprefix("inventory."): one.words for id, one in said.items() if one.ok}


def says(diff: Diff, id: str) -> Mended:
    return mended(WANTS.get(f"inventory.{id}"), diff, STACK)


@pytest.mark.parametrize("file", ["tags-only.txt", "other-resource.txt", "iam-table.txt", "none.txt", "unknown.txt"])
def test_a_diff_of_something_else_mends_nothing(file: str) -> None:
    assert mends(recorded(file)) == {}


def test_the_right_resource_with_a_wrong_value_is_not_mended_and_says_so() -> None:
    diff = recorded("wrong-value.txt")
    assert set(mends(diff)) == {"queue.max_receives", "worker.memory"}
    assert says(diff, "queue.visibility_timeout").words == (
        "the diff sets VisibilityTimeout of AWS::SQS::Queue VprJobsQueue to 60"
    )
    assert "Timeout of AWS::Lambda::Function VprWorkerLambda to 120" in says(diff, "worker.timeout").words
    assert "takes ReservedConcurrentExecutions" in says(diff, "worker.reserved_concurrency").words
    assert says(diff, "queue.retention").words == "the diff does not name it"


def test_nested_properties_are_mended_by_their_leaf() -> None:
    assert mends(recorded("nested.txt")) == {
        "submit.job_ttl": "the diff sets Environment.Variables.JOB_TTL_S of AWS::Lambda::Function VprSubmitLambda "
        "to 86400",
        "table.ttl": "the diff sets TimeToLiveSpecification.AttributeName of AWS::DynamoDB::Table CareervpJobsTable "
        "to ttl",
        **{
            f"{one}": "the diff changes MethodSettings of AWS::ApiGateway::Stage CareervpApi/DeploymentStage.prod, "
            "but does not show the new value in full"
            for one in (
                "api.detailed_metrics",
                "api.throttle",
                "route_sync.throttle",
                "route_submit.throttle",
                "route_status.throttle",
            )
        },
        "route_sync.integration": "the diff changes Integration.Uri of AWS::ApiGateway::Method "
        "CareervpApi/Default/api/vpr/POST, but does not show the new value in full",
    }


def test_what_must_go_is_mended_by_its_removal_and_not_by_leaving_it_behind() -> None:
    diff = recorded("deletions.txt")
    assert set(mends(diff, "remove_sync")) == {"sync.gone", "route_submit.gone"}
    kept = recorded("change-set.json")
    assert mended(wanted(PRODUCTION, "remove_sync")["inventory.sync.gone"], kept, STACK) == Mended(
        False, "the diff takes AWS::Lambda::Function Sync01020304 out of the stack, and leaves it in AWS"
    )
    assert says(diff, "queue.visibility_timeout").words.startswith("the diff takes VisibilityTimeout")


def test_what_is_missing_is_mended_by_its_creation() -> None:
    found = mends(recorded("created.txt"))
    assert set(found) == {
        "queue.exists",
        "dlq.exists",
        "table.exists",
        "worker.exists",
        "event_source.exists",
        "route_submit.exists",
        "alarm_dlq.exists",
        # These are brought about by a resource of their own: a permission, a method's integration, a source.
        *(id for id in found if not id.endswith(".exists")),
    }
    assert "route_submit.permission" in found
    assert not {"status.exists", "submit.exists", "route_sync.exists", "route_sync.permission"} & set(found)


def test_a_change_set_is_judged_by_its_values() -> None:
    diff = recorded("change-set.json")
    assert set(mends(diff)) == {
        "queue.visibility_timeout",
        "queue.redrive_target",
        "worker.memory",
        "topic.exists",
    }
    assert says(diff, "queue.long_poll").words.endswith("to 1")
    assert says(diff, "dlq.exists") == Mended(
        False, "the diff creates AWS::SQS::Queue Dead55667788 with retention 345600, expects 1209600 s (14 days)"
    )
    assert not says(diff, "worker.role_own").ok, "the role's ARN only may change"


def test_an_http_api_is_read_too() -> None:
    assert set(mends(recorded("http-api.txt"))) >= {"route_submit.exists", "api.detailed_metrics"}
    assert "route_sync.exists" not in mends(recorded("http-api.txt"))


def test_another_stack_mends_nothing() -> None:
    diff = recorded("another-stack.txt")
    assert mends(diff) == {}
    words = "the diff is about careervp-vpr-stack-dev, not careervp-vpr-stack-prod"
    assert says(diff, "queue.visibility_timeout").words == words
    assert set(mends(recorded("two-stacks.txt"))) == {"queue.long_poll"}


@pytest.mark.parametrize(
    ("count", "ok", "words"),
    [(3, True, "to 3"), (5, False, "to 5"), (None, False, "takes RedrivePolicy.maxReceiveCount")],
)
def test_a_block_with_references_tells_what_stands_beside_them(count: int | None, ok: bool, words: str) -> None:
    new: dict[str, Any] = {"deadLetterTargetArn": {"Fn::GetAtt": ["VprJobsDlq55667788", "Arn"]}}
    new |= {} if count is None else {"maxReceiveCount": count}
    old = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:1:other", "maxReceiveCount": 4})
    text = (
        f"Stack {STACK}\nResources\n[~] AWS::SQS::Queue VprJobsQueue VprJobsQueue0A1B2C3D\n"
        f" └─ [~] RedrivePolicy\n     ├─ [-] {old}\n     └─ [+] {json.dumps(new)}\n"
    )
    diff = parse(text)
    assert says(diff, "queue.max_receives").ok is ok
    assert words in says(diff, "queue.max_receives").words
    target = says(diff, "queue.redrive_target")
    assert target.ok and "but does not show the new value in full" in target.words


def test_an_unknown_text_says_why_nothing_is_mended() -> None:
    assert "the diff has an unknown format" in says(recorded("unknown.txt"), "queue.visibility_timeout").words


SETTINGS = [
    (f"inventory.{id}.{name}", said.rpartition(" ")[2].format(job_ttl_variable=PRODUCTION.service.job_ttl_variable))
    for id, resource in rules(PRODUCTION).resources.items()
    for name, rule in resource.settings.items()
    for said in rule.property
    if " " not in said and resource.type and not resource.route
]


@given(st.sampled_from(SETTINGS), st.data())
def test_the_named_property_of_the_named_resource_mends_only_with_the_right_value(
    setting: tuple[str, str], data: st.DataObject
) -> None:
    """For every setting whose value the inventory can compare: the diff sets it to anything."""
    id, path = setting
    resource = rules(PRODUCTION).resources[id.split(".")[1]]
    rule = resource.settings[id.split(".")[2]]
    told = data.draw(st.sampled_from(["0", "1", "3", "5", "10", "256", "660", "14400", "true", "false", "x", "ttl"]))
    change = Change(
        action="modify",
        type=resource.type,
        logical_id="A",
        stack=STACK,
        physical_id=WANTS[id].places[0][0].names[0],
        properties=(Property(path=tuple(path.split(".")), old="?", new=told),),
    )
    said = mended(WANTS[id], Diff(kind="cdk", stacks=(STACK,), changes=(change,)), STACK)
    from runbook_lib.judge.incidents.mending import value

    assert said.ok is (WANTS[id].holds(value(told)) is not False)
    assert rule.property
    other = change.model_copy(update={"physical_id": "careervp-mail-queue-prod"})
    if WANTS[id].places[0][0].named:
        assert not mended(WANTS[id], Diff(kind="cdk", stacks=(STACK,), changes=(other,)), STACK).ok


TYPES = sorted({place.type for one in WANTS.values() for place, _ in one.places})
NAMES = sorted({name for one in WANTS.values() for place, _ in one.places for name in place.names})
PATHS = sorted({path for one in WANTS.values() for _, path in one.places if path})
CHANGES = st.builds(
    lambda action, type, physical, path, new: Change(
        action=action,
        type=type,
        logical_id="Zz99",
        physical_id=physical,
        stack=STACK,
        properties=(Property(path=path, old="0", new=new),) if action == "modify" else (),
    ),
    st.sampled_from(["add", "modify", "remove", "orphan"]),
    st.sampled_from([*TYPES, "AWS::A::B"]),
    st.sampled_from([*NAMES, "other"]),
    st.sampled_from([*PATHS, ("Tags",), ("Description",)]),
    st.sampled_from(["0", "1", "660", "true", "ttl", "PAY_PER_REQUEST"]),
)


@given(st.lists(CHANGES, max_size=6))
def test_a_diff_that_does_not_name_a_setting_never_mends_it(changes: list[Change]) -> None:
    """Whatever is mended: a change of its type, by its name, with its property (or its making, or removal) is there."""
    diff = Diff(kind="change-set", stacks=(STACK,), changes=tuple(changes))
    for id in EVERY:
        want = WANTS[id]
        if not mended(want, diff, STACK).ok:
            continue
        reasons = [
            (one, path)
            for one in changes
            for place, path in want.places
            if one.type == place.type and any(one.physical_id.startswith(name) for name in place.names)
        ]
        actions = {one.action for one, _ in reasons}
        if want.kind == "gone":
            assert "remove" in actions and "orphan" not in actions
        elif want.kind == "exists":
            assert "add" in actions
        else:
            assert "add" in actions or any(
                each.path[: len(path)] == path or path[: len(each.path)] == each.path
                for one, path in reasons
                for each in one.properties
            )
        rest = tuple(one for one in changes if not any(one == reason for reason, _ in reasons))
        without = diff.model_copy(update={"changes": rest})
        assert not mended(want, without, STACK).ok, "without what names it, nothing mends it"


@pytest.mark.parametrize(
    ("rule", "value", "told", "right"),
    [
        ({"equals": 660}, 660, 660, True),
        ({"equals": 660}, 660, "660s", False),
        ({"equals": 5}, 5, 2, False),
        ({"at_least": 1}, 1, [], False),
        ({"at_least": 1}, 1, ["arn"], True),
        ({"holds": True}, True, False, False),
        ({"holds": True}, True, True, True),
        ({"holds": True}, True, "{ $.message }", None),
        ({"equals": ["a HASH"]}, ["a HASH"], "a", None),
        ({"one_of": ["SSE-SQS"], "as_told": {"true": "SSE-SQS", "false": "off"}}, ["SSE-SQS"], True, True),
        ({"one_of": ["SSE-SQS"], "as_told": {"true": "SSE-SQS", "false": "off"}}, ["SSE-SQS"], False, False),
        ({"equals": "jobs-dlq"}, "jobs-dlq", "arn:aws:sqs:us-east-1:1:jobs-dlq", True),
        ({"equals": "jobs-dlq"}, "jobs-dlq", "arn:aws:sqs:us-east-1:1:other-jobs-dlq", False),
        ({"equals": "submit"}, "submit", "arn:aws:lambda:::function:submit/invocations", True),
    ],
)
def test_a_told_value_against_a_rule(rule: dict[str, Any], value: Any, told: Any, right: bool | None) -> None:
    assert told_holds(Setting.model_validate({"why": "", **rule}), value, told) is right


def test_every_property_is_of_a_known_form(params: Params) -> None:
    for id, one in wanted(params, "async").items():
        for place, path in one.places:
            assert place.type.startswith("AWS::") and place.type.count("::") == 2, id
            assert all(path), id
            assert place.names or place.route, id
    assert json.loads((ROOT / "change-set.json").read_text())["StackName"] == STACK


def test_where_no_variable_says_how_long_a_job_lives_no_template_can() -> None:
    assert "inventory.submit.job_ttl" in WANTS and "inventory.submit.job_ttl" not in wanted(_LOADED, "async")


@pytest.mark.parametrize(
    ("rule", "project"),
    [
        ("orders-[a-z]+-({type})-{env}", "orders"),
        ("acme-shop-(x|y)-{env}", "acme-shop"),
        ("prod?-{env}", "pro"),
        ("[a-z]+-({type})", ""),
        ("", ""),
    ],
)
def test_the_project_in_front_of_every_name_is_the_beginning_of_the_naming_rule(rule: str, project: str) -> None:
    naming = Naming(rule=rule, types={"AWS::SQS::Queue": "queue"}, own={})
    assert naming.project == project
    assert naming.told == (f"{project}-{{feature}}-{{type}}-{{env}}" if project else rule)


@given(st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True))
def test_a_template_may_leave_the_project_out_of_a_name(project: str) -> None:
    naming = Naming(rule=f"{project}-[a-z]+-{{env}}", types={}, own={})
    assert "exportsqueue" in keys(f"{project}-exports-queue-prod", "prod", naming.project)
