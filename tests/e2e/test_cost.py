"""`runbook cost` on the embedded AWS: a day of the simulated world, billed; and what provisioned capacity changes."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from runbook_lib.base.errors import RunbookError, UsageError
from runbook_lib.cli.app import app
from runbook_lib.params.load import read_yaml
from runbook_lib.rehearse.play.stage import only

from .conftest import ROOT, Rollout

pytestmark = [pytest.mark.emulator, pytest.mark.slow]
HOURS = 10


@pytest.fixture(scope="module")
def lived(stage: Any, tmp_path_factory: pytest.TempPathFactory) -> Rollout:
    """Half of the clients asynchronous for some hours."""
    rollout = Rollout(stage, "billed", tmp_path_factory.mktemp("cost") / "archive")
    rollout.quiet()
    rollout.on_again()
    rollout.dial(50)
    rollout.world("healthy", seed=3).advance_by(hours=HOURS)
    return rollout


def call(rollout: Rollout, *words: str | Path, prices: Path | None = None) -> Result:
    settings = rollout.settings()
    if prices:
        settings[1] = str(prices / "prod.yaml")
    with only(rollout.aws.env):
        done = CliRunner().invoke(app, ["cost", *settings, *map(str, words)], env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_both_bills_for_people_and_programs(lived: Rollout) -> None:
    shown = call(lived, "--since", f"{HOURS}h")
    assert shown.exit_code == 0
    for part in ("Asynchronous: cost of", "Synchronous: cost of", "A month, projected", "What watching costs", "PASS"):
        assert part in shown.stdout
    told = json.loads(call(lived, "--since", f"{HOURS}h", "--json").stdout)
    own, sync = told["async"], told["sync"]
    # A tenth of a cent at 1,024 MB and 45 s; the synchronous side is the dearer, as hardly anybody is answered.
    assert 0.0005 < own["value"] < 0.002 < sync["value"]
    assert own["low"] < own["value"] < own["high"] and "delta method" in own["extra"]["method"]
    assert {line["item"] for line in own["extra"]["lines"] if line["usd"]} >= {
        "lambda.gb_seconds.x86_64",
        "apigateway.rest_requests",
        "sqs.requests",
        "dynamodb.write_units",
        "s3.put_requests",
        "s3.storage",
        "logs.ingested",
        "cloudwatch.custom_metrics",
        "transfer.out",
        "llm.input_tokens",
    }
    assert not any("not read" in note for note in own["notes"])
    rows = list(csv.DictReader(io.StringIO(call(lived, "--since", f"{HOURS}h", "--csv").stdout)))
    assert {row["side"] for row in rows} == {"async", "sync"}


def test_the_bill_of_a_provisioned_table_is_by_the_hour(lived: Rollout) -> None:
    dynamodb, table = lived.aws.client("dynamodb"), lived.params.name("table")
    units = {"ReadCapacityUnits": 100, "WriteCapacityUnits": 100}
    index = {"Update": {"IndexName": lived.params.service.names["gsi"], "ProvisionedThroughput": units}}
    dynamodb.update_table(
        TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput=units, GlobalSecondaryIndexUpdates=[index]
    )
    try:
        told = json.loads(call(lived, "--since", "8h", "--json").stdout)
    finally:
        dynamodb.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")
    lines = {line["item"]: line for line in told["async"]["extra"]["lines"]}
    assert lines["dynamodb.write_capacity"]["quantity"] == pytest.approx(200 * told["async"]["extra"]["hours"])
    assert lines["dynamodb.write_capacity"]["fixed"] is True
    assert not lines.get("dynamodb.write_units", {}).get("quantity")
    assert told["break_even"]["times"] > 100, "a few thousand units a day never pay for a hundred a second"


def test_a_cost_beyond_the_alert_limit_is_a_hold_and_old_prices_warn(lived: Rollout, tmp_path: Path) -> None:
    for file in (ROOT / "params").glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    prices = read_yaml(tmp_path / "prices.yaml")
    prices["prices"]["lambda.gb_seconds.x86_64"]["usd"] *= 1000
    prices["date"] = dt.date(2024, 1, 1)
    (tmp_path / "prices.yaml").write_text(yaml.safe_dump(prices), encoding="utf-8")
    done = call(lived, "--since", "8h", prices=tmp_path)
    assert done.exit_code == 3 and "FAIL" in done.stdout
    assert "warning: the prices of us-east-1 are of 2024-01-01" in done.stderr


def test_a_window_before_everything_has_no_bill(lived: Rollout) -> None:
    done = call(lived, "--since", "2025-05-01", "--until", "2025-05-02")
    assert done.exit_code == 1 and "no bill" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "soon"), "neither a time"),
        (("--since", "2h", "--until", "3h"), "beginning before the end"),
        (("--json", "--csv"), "not both"),
    ],
)
def test_bad_usage_is_one_sentence(lived: Rollout, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        call(lived, *words)
    assert isinstance(raised.value, RunbookError) and int(raised.value.exit_code) == 2
