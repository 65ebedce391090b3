"""Where a file is broken, people are told all the same, by the channels that can be read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.act.traffic.off import is_off
from runbook_lib.base.errors import UsageError
from runbook_lib.params.alarms import topic_arn
from runbook_lib.params.bare import bare
from runbook_lib.params.essentials import essentials
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.steps.rollbacks.telling import message

PARAMS = Path(__file__).resolve().parents[2] / "params"
NOTEBOOK = "rollback_1_async_failing"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PARAMS, tmp_path / "params")) / "prod.yaml"


def service(file: Path, **changed: Any) -> None:
    (file.parent / "service.yaml").write_text(yaml.safe_dump({**read_yaml(PARAMS / "service.yaml"), **changed}))


@pytest.mark.parametrize("broken", ["gates: [", "gates: {a: 1}\nnobody_knows: 1\n", None])
def test_a_broken_policy_keeps_nobody_from_hearing_of_it(file: Path, broken: str | None) -> None:
    whole = load_file(PARAMS / "prod.yaml")
    gates = file.parent / "gates.yaml"
    gates.unlink() if broken is None else gates.write_text(broken)
    found: Any = bare(essentials(file, {"mode": "apply", "confirm": "prod", "reason": "it burns"}), NOTEBOOK)
    assert topic_arn(found) == topic_arn(whole)
    assert found.policy.rollbacks[NOTEBOOK].notify and found.policy.as_of_tolerance_s == 0
    subject, text = message(found, NOTEBOOK, is_off(found.service.traffic), who="Ada")
    assert "prod" in subject and "it burns" in text


def test_the_policy_is_followed_where_it_can_be_read(file: Path) -> None:
    gates = file.parent / "gates.yaml"
    known = read_yaml(gates)
    known["rollbacks"][NOTEBOOK]["notify"] = False
    gates.write_text(yaml.safe_dump({**known, "nobody_knows": 1}))
    found: Any = bare(essentials(file, {}), NOTEBOOK)
    assert not found.policy.rollbacks[NOTEBOOK].notify
    assert found.policy.rollbacks[NOTEBOOK].title == "Scenario 1: async endpoint failing"


def test_an_unknown_key_of_the_service_hides_no_webhook(file: Path) -> None:
    service(file, notify={"webhook_env": "HOOK", "nobody_knows": 1}, nobody_knows=1)
    found: Any = bare(essentials(file, {}), NOTEBOOK)
    assert found.service.notify.webhook_env == "HOOK"


@pytest.mark.parametrize("names", [{}, {"topic": 5}, {"topic": {"dev": "x"}}, [], {"topic": "{stage}"}])
def test_without_a_topic_that_can_be_read_nobody_is_told(file: Path, names: Any) -> None:
    service(file, names=names)
    assert bare(essentials(file, {}), NOTEBOOK) is None


@pytest.mark.parametrize("key", ["env", "account_id", "region", "release"])
def test_what_is_missing_is_told_as_missing(key: str, tmp_path: Path) -> None:
    file = Path(shutil.copytree(PARAMS, tmp_path / "params")) / "prod.yaml"
    file.write_text("".join(line for line in file.open() if not line.startswith(f"{key}:")))
    with pytest.raises(UsageError, match=f"prod.yaml: '{key}' is missing$"):
        essentials(file, {})
    file.write_text(f"{file.read_text()}{key}:\n")
    with pytest.raises(UsageError, match=f"prod.yaml: '{key}' is empty, expects"):
        essentials(file, {})


@pytest.mark.parametrize(
    ("key", "value"), [("env", "Q A"), ("env", "qa"), ("region", "moon"), ("release", ""), ("account_id", "12")]
)
def test_a_wrong_override_is_blamed_on_itself(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"^--set {key}={value}[,:]"):
        essentials(PARAMS / "prod.yaml", {key: value})
