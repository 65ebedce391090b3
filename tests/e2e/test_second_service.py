"""The second service, examples/orders-export, on the embedded AWS: an HTTP API in another region, spoken to by its own
contract; its whole rollout is `make rehearse-example`."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.act.requests.smoke import smoke
from runbook_lib.base.project import read_yaml
from runbook_lib.commands.params_check import check
from runbook_lib.observe.api_address import identified
from runbook_lib.observe.jobs.behind import Behind
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.load import Params, load_file
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.director import copied
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rehearse.world.knobs import reader
from runbook_lib.run.launch import START

FOLDER = Path(__file__).parents[2] / "examples" / "orders-export" / "params"


def params() -> Params:
    return load_file(FOLDER / "dev.yaml", read_yaml(FOLDER / "rehearsal.yaml"))


def test_its_parameters_are_whole() -> None:
    assert [one.sentence for one in check(FOLDER) if not one.ok] == []


def test_it_is_spoken_to_and_watched_as_its_parameters_say() -> None:
    known = params()
    with EmbeddedAws(region=known.region) as aws:
        sandbox = deploy(aws, known)
        steps = smoke(
            sandbox.api_url,
            probe_id="second",
            routes=known.service.api.routes,
            contract=known.service.contract,
            behind=Behind(aws, known),
        )
        assert [(one.name, one.detail) for one in steps if not one.ok] == [] and len(steps) > 6
        guard = aws.client("cloudwatch").describe_alarms(AlarmNames=["orders-export-submit-5xx-guard-dev"])
        api = {"Name": "ApiId", "Value": sandbox.outputs["ApiId"]}
        assert api in guard["MetricAlarms"][0]["Dimensions"]
        found = identified(aws, known)
        assert api in address(found.metric("async_requests"), found)["Dimensions"]
        assert reader(aws.client, known)().temporary and not reader(aws.client, known)().migrated


def test_the_delivered_notebooks_carry_its_release_alone() -> None:
    """A report shows the parameters cell as it was, too: the first service's release has no place in it."""
    folder = copied("orders-1")
    texts = {path.stem: path.read_text("utf-8") for path in folder.glob("*.ipynb")}
    assert len(texts) > 10 and not any("vpr" in one.lower() for one in texts.values())
    assert {name for name, one in texts.items() if '"release = \\"orders-1\\"' not in one} == {START}
