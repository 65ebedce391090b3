"""A project has environments of its own: every file names those, and a second run goes by them."""

from __future__ import annotations

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

OURS = ("qa=development", "preprod=staging", "prod-eu=production")
TWO = ("qa=development", "live=production", "live-us=production")


def project(root: Path, *given: str, accounts: tuple[str, ...] = ()) -> dict[str, bytes]:
    answers = of_flags("orders", environments=said(given) or of_folder(root), accounts=accounts)
    answers.complete()
    return planned(answers)


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
    assert left == set()
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
        (("qa=live",), "development, staging, production"),
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
