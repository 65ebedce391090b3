"""A second `runbook init` knows what the folder says: nothing is guessed beside it, and nothing differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbook_lib.commands.init import there, tools
from runbook_lib.commands.init.answers import Answers, of_flags
from runbook_lib.commands.init.environments import of_folder
from runbook_lib.commands.init.folder import File, planned, write
from runbook_lib.params.phases import ENVIRONMENTS

SERVICE = "orders-export"
OWN = {"qa": "development", "live-eu": "production"}


def run(root: Path, service: str = SERVICE, found: tuple[str, str] | None = None, **flags: Any) -> tuple[Answers, Any]:
    """`runbook init` as the command line does it; `found`: a resource that the stack tells, and its name."""
    tool = flags.pop("tool", "")
    own = flags.pop("environments", None) or of_folder(root)
    flags["region"] = flags.get("region") or there.regions(root, own or ENVIRONMENTS)
    answers = of_flags(service, environments=own, **flags)
    if found:
        answers.add("names", *found)
    answers.tool = tools.known(tool) if tool else there.tool(root, service)
    there.add(root, answers)
    answers.complete()
    return answers, write(root, planned(answers))


def states(files: list[File]) -> set[str]:
    return {one.state for one in files}


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"region": ["eu-central-1"], "kind": "http", "stage": "v1", "release": "spring"},
        {"names": ["worker=Their-Own_Name", "queue=q-{env}.fifo"], "routes": ["submit=/v2/orders"]},
        {"environments": OWN, "accounts": ["live-eu=000000000103"], "region": ["eu-north-1"]},
        {"routes": ["status=none"]},
        *({"tool": one} for one in tools.delivered()),
    ],
)
def test_a_second_run_needs_no_flag_again(tmp_path: Path, flags: dict[str, Any]) -> None:
    first, files = run(tmp_path, **flags)
    assert states(files) == {"written"}
    again, files = run(tmp_path)
    assert states(files) == {"as it was"}, [one.difference for one in files if one.difference]
    for kind in ("accounts", "names", "routes", "traffic", "alarms"):
        assert getattr(again, kind) == getattr(first, kind)
    assert again.region.value == first.region.value
    missing = [what for source, what, _ in again.told() if source == "missing"]
    assert "account_id of live-eu" not in missing


def test_what_a_person_says_now_and_what_the_stack_tells_goes_before_the_folder(tmp_path: Path) -> None:
    run(tmp_path, names=["table=theirs"], accounts=["prod=000000000103"])
    answers, files = run(tmp_path, found=("queue", "told-by-aws"), names=["table=another"])
    assert (answers.names["table"].value, answers.names["queue"].value) == ("another", "told-by-aws")
    assert answers.accounts["prod"].value == "000000000103"
    assert "differs" in states(files), "and the folder's own file stays"
    assert "theirs" in (tmp_path / "params" / "service.yaml").read_text()


def test_another_services_folder_and_one_that_cannot_be_read_are_no_answer(tmp_path: Path) -> None:
    run(tmp_path, names=["worker=orders-export-own"], tool="sam")
    edited = tmp_path / "params" / "commands.yaml"
    edited.write_text(edited.read_text().replace("timeout_s: 900", "timeout_s: 901"))
    assert there.tool(tmp_path, SERVICE) == "sam"
    assert there.tool(tmp_path, "parcel-labels") == tools.DEFAULT
    answers, _ = run(tmp_path, "parcel-labels")
    assert answers.names["worker"].value == "parcel-labels-worker-lambda-{env}"
    (tmp_path / "params" / "service.yaml").write_text("names: [")
    (tmp_path / "params" / "prod.yaml").write_text("region: 7\n")
    answers, files = run(tmp_path)
    assert answers.names["worker"].source == "guessed" and "differs" in states(files)
