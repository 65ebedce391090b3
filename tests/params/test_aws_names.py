"""A name that AWS has no resource by is refused when the parameters are read, with what it expects."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.params.aws_names import GRAMMAR, check
from runbook_lib.params.cross_check import RESOURCES
from runbook_lib.params.load import load_file, params_dir, read_yaml
from runbook_lib.params.permissions import ROLES, policy

PARAMS = load_file(params_dir() / "prod.yaml")
FREE = {"api"}
"""The name of a REST API is free text, and no policy names it."""


def named(key: str, name: str) -> list[str]:
    service = PARAMS.service.model_copy(update={"names": {**PARAMS.service.names, key: name}})
    return [at for at, _, _ in check(PARAMS.model_copy(update={"service": service}))]


def test_each_resource_has_a_grammar() -> None:
    assert set(GRAMMAR) == set(RESOURCES) - FREE


def test_the_delivered_names_are_fine() -> None:
    assert list(check(PARAMS)) == []


@pytest.mark.parametrize("key", sorted(GRAMMAR))
@settings(max_examples=25)
@given(before=st.text("abc1", min_size=3, max_size=9), odd=st.sampled_from(list("*?\"'$ :\n,é٣")))
def test_no_wildcard_and_no_quote_passes(key: str, before: str, odd: str) -> None:
    for name in (odd, before + odd, odd + before):
        assert named(key, name) == [f"names.{key}"]


@pytest.mark.parametrize(("key", "most"), [("worker", 64), ("queue", 80), ("topic", 256), ("stack", 128)])
def test_a_name_has_a_longest(key: str, most: int) -> None:
    assert (named(key, "x" * most), named(key, "x" * (most + 1))) == ([], [f"names.{key}"])


def test_the_sentence(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(params_dir(), tmp_path / "params"))
    said = read_yaml(folder / "service.yaml")
    said["names"]["worker"] = "*"
    (folder / "service.yaml").write_text(yaml.safe_dump(said))
    with pytest.raises(UsageError, match=r"'names.worker' is '\*': AWS does not allow this name; expects 1 to 64"):
        load_file(folder / "prod.yaml")


def test_the_name_of_a_secret_parameter() -> None:
    notify = PARAMS.service.notify.model_copy(update={"webhook_ssm": "*"})
    service = PARAMS.service.model_copy(update={"notify": notify})
    assert [at for at, _, _ in check(PARAMS.model_copy(update={"service": service}))] == ["notify.webhook_ssm"]


def test_a_webhook_in_place_of_the_name_of_its_variable_is_refused_and_not_shown() -> None:
    address = "https://hooks.example.com/" + "services/T0"
    for value, fine in ((address, False), ("TEAM_WEBHOOK", True), ("", True), ("a b", False)):
        notify = PARAMS.service.notify.model_copy(update={"webhook_env": value})
        service = PARAMS.service.model_copy(update={"notify": notify})
        said = list(check(PARAMS.model_copy(update={"service": service})))
        assert (said == []) is fine and address not in str(said)


def test_no_policy_of_the_delivered_names_has_a_function_of_any_name() -> None:
    assert not [role for role in ROLES if "function:*" in str(policy(role, PARAMS))]
