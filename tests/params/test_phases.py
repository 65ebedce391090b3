"""Environments are named in the parameters; the code knows kinds of them."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import pytest

from runbook_lib.act.drill_way import not_here
from runbook_lib.base.errors import UsageError
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params import phases
from runbook_lib.params.essentials import essentials
from runbook_lib.params.load import load_file
from runbook_lib.rollout import hints
from runbook_lib.rollout.known import needed

ROOT = Path(__file__).resolve().parents[2]
NEW = {"dev": "sandpit", "staging": "qa", "prod": "prod-eu"}
QUOTED = rf"""["']({"|".join(NEW)})["']"""
EXEMPT = {"params/phases.py", "record/verify_standalone.py"}
"""The default of a policy that names none; a field named `staging`. The rehearsal plays the delivered project."""


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The delivered parameters with other names of their environments."""
    folder = tmp_path_factory.mktemp("project") / "params"
    shutil.copytree(ROOT / "params", folder)
    gates = (folder / "gates.yaml").read_text()
    for old, new in NEW.items():
        text = re.sub(rf"^env: {old}$", f"env: {new}", (folder / f"{old}.yaml").read_text(), flags=re.MULTILINE)
        (folder / f"{old}.yaml").unlink()
        (folder / f"{new}.yaml").write_text(text)
        gates = re.sub(
            rf"@{old}\b", f"@{new}", re.sub(rf"\b{old}: (?=development|staging|production)", f"{new}: ", gates)
        )
        gates = re.sub(r"envs: \[.*\]", lambda line, old=old, new=new: re.sub(rf"\b{old}\b(?!-)", new, line[0]), gates)
    (folder / "gates.yaml").write_text(gates)
    return folder


def test_a_folder_names_its_own_environments(named: Path) -> None:
    params = load_file(named / "prod-eu.yaml")
    assert params.name("worker") == "careervp-vpr-worker-lambda-prod-eu"
    assert len(params.policy.phases_of("prod-eu")) == 3
    assert {env for _, env in needed(params.policy.steps)} == set(NEW.values())
    assert hints.run(params, "05_staging", env="qa").endswith("qa.yaml")
    assert params.policy.has_users("prod-eu") and not params.policy.has_users("qa")
    assert essentials(named / "prod-eu.yaml", {}).name("dlq") == "careervp-vpr-jobs-dlq-prod-eu"


def test_a_failure_is_sent_on_purpose_where_no_users_are(named: Path) -> None:
    state = TrafficState.model_construct(deploying=False)
    told = not_here(load_file(named / "prod-eu.yaml"), state)
    assert told == "in prod-eu no failure is ever sent on purpose; sandpit and qa have proven the way"


def test_an_environment_that_nobody_named_is_refused(named: Path) -> None:
    with pytest.raises(
        UsageError, match=r"--set env=prod-us: gates.yaml names no such environment; did you mean 'prod-eu'"
    ):
        load_file(named / "prod-eu.yaml", {"env": "prod-us"})


def test_a_policy_of_before_has_the_environments_of_before() -> None:
    policy = load_file(ROOT / "params" / "prod.yaml").policy
    old = {key: value for key, value in policy.model_dump().items() if key != "environments"}
    assert type(policy).model_validate(old).environments == policy.environments == phases.ENVIRONMENTS


def test_the_code_knows_no_environment_by_its_name() -> None:
    library, told = ROOT / "runbook_lib", []
    for file in sorted(library.rglob("*.py")):
        place = file.relative_to(library).as_posix()
        if place.startswith(("rehearse/", "delivered/")) or place in EXEMPT:
            continue
        code = file.read_text()
        for node in ast.walk(ast.parse(code)) if re.search(QUOTED, code) else ():
            compared = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            listed = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else []
            keys = [one for one in node.keys if one] if isinstance(node, ast.Dict) else []
            assigned = [node.value] if isinstance(node, ast.Assign) else []
            passed = [one.value for one in node.keywords] if isinstance(node, ast.Call) else []
            for one in (*compared, *listed, *keys, *assigned, *passed):
                if isinstance(one, ast.Constant) and one.value in NEW:
                    told.append(f"{place}:{one.lineno} {one.value}")
    assert told == []
