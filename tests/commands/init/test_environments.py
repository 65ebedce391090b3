"""A project has environments of its own: every file names those, and a second run goes by them."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.commands.init.answers import of_flags
from runbook_lib.commands.init.environments import of_flags as said
from runbook_lib.commands.init.environments import of_folder, renamed
from runbook_lib.commands.init.folder import planned, upgraded, write
from runbook_lib.commands.params_check import check
from runbook_lib.params.load import load_file
from runbook_lib.params.phases import ENVIRONMENTS, stand_in
from runbook_lib.rollout.known import needed

OURS = ("qa=development", "preprod=staging", "prod-eu=production")
TWO = ("qa=development", "live=production", "live-us=production")


def project(root: Path, *given: str, accounts: tuple[str, ...] = ()) -> dict[str, bytes]:
    answers = of_flags("orders", environments=said(given) or of_folder(root), accounts=accounts)
    answers.complete()
    return planned(answers)


@pytest.mark.slow
@pytest.mark.parametrize("counts", [one for one in itertools.product(range(3), range(3), (1, 2)) if one[0] + one[1]])
def test_any_number_of_environments_of_a_kind_is_a_project(tmp_path: Path, counts: tuple[int, ...]) -> None:
    """With two of staging, no file was written: phase 1 requires the first one's, which the second did not know."""
    kinds = [kind for kind, count in zip(ENVIRONMENTS.values(), counts, strict=True) for _ in range(count)]
    given = [f"e{place}={kind}" for place, kind in enumerate(kinds)]
    write(tmp_path, project(tmp_path, *given))
    assert [one.sentence for one in check(tmp_path / "params") if not one.ok] == []
    for one in given:
        steps = load_file(tmp_path / "params" / f"{one.partition('=')[0]}.yaml").policy.steps
        there = {f"{name}@{env}" for name, env in needed(steps)}
        assert {wanted for step in steps.values() for wanted in (*step.requires, *step.requires_to_shift)} <= there
    assert {one.state for one in write(tmp_path, project(tmp_path))} == {"as it was"}


@pytest.mark.slow
@pytest.mark.parametrize("given", [OURS, TWO])
def test_every_file_names_the_projects_own_environments(tmp_path: Path, given: tuple[str, ...]) -> None:
    wanted = project(tmp_path, *given)
    write(tmp_path, wanted)
    names = [one.partition("=")[0] for one in given]
    assert sorted(path.stem for path in (tmp_path / "params").glob("*.yaml") if "\nenv:" in path.read_text()) == sorted(
        names
    )
    assert [one.sentence for one in check(tmp_path / "params") if not one.ok] == []
    params = load_file(tmp_path / "params" / f"{names[-1]}.yaml")
    assert (params.env, list(params.policy.environments)) == (names[-1], names)
    assert f"options: [{', '.join(names)}]" in wanted[".github/workflows/runbook.yml"].decode()
    left = {
        (path, found[0])
        for path, content in wanted.items()
        for found in re.finditer(
            r'@(dev|staging|prod)(?![\w-])|params/(dev|staging|prod)\.yaml|env = \\?"(dev|staging|prod)\\?"'
            r"|\b(on|to) (dev|staging|prod)(?![\w-])",
            content.decode(),
        )
    }
    assert {one for one in left if one[0] != "params/requirement.yaml"} == set(), (
        "those are the requirement's own words"
    )
    served = wanted["params/requirement.yaml"].decode()
    one = len({*stand_in(said(given)).values()}) == 2  # 02 and 05 in one environment: 02 has deployed there
    assert (
        "05_staging@" + names[0] + " infra.deploy" not in served
    ) and "Deploy same infrastructure to staging" in served
    assert (f"02_deploy_dev@{names[0]} infra.deploy" in served) or not one
    # A second run, which is told nothing of them, goes by the folder; so does an upgrade.
    assert {one.state for one in write(tmp_path, project(tmp_path))} == {"as it was"}
    assert {one.state for one in upgraded(tmp_path)} == {"as it was"}


def test_an_account_of_an_environment_of_ones_own(tmp_path: Path) -> None:
    made = project(tmp_path, *OURS, accounts=("prod-eu=000000000103",))
    assert b'account_id: "000000000103"' in made["params/prod-eu.yaml"]
    with pytest.raises(UsageError, match=r"--account prod-eu=0+103: no 'prod-eu' here; .*--environment NAME=KIND"):
        project(tmp_path, accounts=("prod-eu=000000000103",))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("qa",), "--environment qa: expects NAME=KIND"),
        (("Qa=development",), "expects NAME=KIND"),
        (("qa=live",), "development, staging, production$"),
        (("qa=dev",), r"did you mean qa=development\?"),
        (("qa=development",), "none is production"),
        (("qa=production", "qa=staging"), "'qa' is said twice"),
    ],
)
def test_what_cannot_be_meant(given: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        said(given)


def test_one_environment_before_production_is_enough() -> None:
    assert stand_in(said(("qa=development", "live=production"))) == {"dev": "qa", "staging": "qa", "prod": "live"}
    assert stand_in(ENVIRONMENTS) == {name: name for name in ENVIRONMENTS}
    assert renamed("params/gates.yaml", "envs: [dev, prod]", ENVIRONMENTS) == "envs: [dev, prod]"


def test_two_productions_have_a_rollout_each_and_the_environments_before_them_together(tmp_path: Path) -> None:
    write(tmp_path, project(tmp_path, *TWO))
    for env, other in (("live", "live-us"), ("live-us", "live")):
        policy = load_file(tmp_path / "params" / f"{env}.yaml").policy
        last = policy.steps["11_acceptance"]
        assert (last.envs, last.requires) == ((env,), (f"09_deprecate_sync@{env}", f"10_post_deployment@{env}"))
        first = policy.steps["06_phase1_10_percent"]
        assert first.requires == (f"01_preflight@{env}", "02_deploy_dev@qa", "05_staging@qa")
        assert first.requires_to_shift == (f"03_dashboard@{env}", f"04_alarms@{env}")
        assert ("11_acceptance", env) in needed(policy.steps) and other not in {
            e for n, e in needed(policy.steps) if n > "05"
        }
        assert {one.after for one in policy.attestations if one.after} >= {f"08_phase3_100_percent@{env}"}
        assert list(policy.phases_of(env)) == [*list(policy.phases)[1:]] and not policy.phases_of(other)
    before = load_file(tmp_path / "params" / "qa.yaml").policy
    assert before.steps["02_deploy_dev"].requires == ("01_preflight@live",)
    assert before.steps["07_phase2_50_percent"].envs == ("live",), "seen from elsewhere, the first one's"
    assert set(before.rollbacks["rollback_1_async_failing"].envs) == {"qa", "live", "live-us"}


def test_a_step_of_its_own_environment_has_to_be_applied_in_each(tmp_path: Path) -> None:
    write(tmp_path, project(tmp_path, *TWO))
    file = tmp_path / "params" / "gates.yaml"
    text = file.read_text()
    whole = '    envs: [live, live-us]\n    requires: ["06_phase1_10_percent@{env}"]'
    assert whole in text
    file.write_text(text.replace(whole, whole.replace("[live, live-us]", "[live, qa]")))
    with pytest.raises(UsageError, match=r"requires '06_phase1_10_percent@\{env\}', which is not a step"):
        load_file(tmp_path / "params" / "live.yaml")
