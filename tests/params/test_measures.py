"""Measures and metrics of one's own are checked when the files are read: one sentence with file, name and value."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.params.measures import Measure
from runbook_lib.params.metrics import METRICS, fault
from tests import own_gates

Change = Callable[[dict[str, Any]], object]
GATES: list[tuple[str, Change, tuple[str, ...]]] = [
    ("a misspelt key", lambda p: p["measures"]["declined"].update(bda="async_5xx"), ("measures.declined.bda", "bad")),
    (
        "a misspelt key of a query",
        lambda p: p["measures"]["declined"]["bad"].update(stats="Sum"),
        ("measures.declined.bad.stats", "did you mean 'stat'"),
    ),
    (
        "an unknown metric",
        lambda p: p["measures"]["served"].update(of="shop_serches"),
        ("measures.served.of.metric", "'shop_serches'", "did you mean 'shop_searches'"),
    ),
    (
        "a bad statistic",
        lambda p: p["measures"]["connections"]["value"].update(stat="Maximun"),
        ("measures.connections.value", "'Maximun'", "did you mean 'Maximum'"),
    ),
    (
        "an unknown placeholder",
        lambda p: p["measures"]["connections"]["value"].update(dimensions={"DBInstanceIdentifier": "shop-{evn}"}),
        ("measures.connections.value.dimensions.DBInstanceIdentifier", "{evn}", "did you mean '{env}'"),
    ),
    (
        "a lone brace",
        lambda p: p["measures"]["connections"]["value"].update(dimensions={"DBInstanceIdentifier": "shop-{env"}),
        ("measures.connections.value.dimensions.DBInstanceIdentifier", "shop-{env"),
    ),
    (
        "a proof by itself",
        lambda p: p["measures"]["declined"].update(zero_while=p["measures"]["declined"]["bad"]),
        ("measures.declined.zero_while", "'Declined'", "as `bad` too", "proves nothing"),
    ),
    (
        "a proof by itself, counted otherwise",
        lambda p: p["measures"]["connections"].update(
            zero_while={**p["measures"]["connections"]["value"], "stat": "SampleCount"}
        ),
        ("measures.connections.zero_while", "'DatabaseConnections'", "as `value` too"),
    ),
    (
        "a shell's placeholder",
        lambda p: p["measures"]["declined"]["bad"].update(dimensions={"Service": "shop-${env}"}),
        ("measures.declined.bad.dimensions.Service", "'${env}'", "another tool's", "expects {env}"),
    ),
    (
        "a placeholder of Go's templates",
        lambda p: p["measures"]["declined"]["bad"].update(dimensions={"Service": "shop-{{ env }}"}),
        ("measures.declined.bad.dimensions.Service", "'{{ env }}'", "expects {env}"),
    ),
    (
        "neither metric nor name",
        lambda p: p["measures"]["declined"].update(bad={}),
        ("measures.declined.bad", "`metric`"),
    ),
    (
        "both",
        lambda p: p["measures"]["declined"]["bad"].update(metric="async_5xx"),
        ("measures.declined.bad", "either `metric`"),
    ),
    (
        "no whole",
        lambda p: p["measures"]["declined"].update(of=None, zero_while=None),
        ("measures.declined", "rate expects `bad` and `of`, or `good` and `of`"),
    ),
    (
        "a rate of levels",
        lambda p: p["measures"]["declined"]["of"].update(stat="Average"),
        ("measures.declined", "Sum or SampleCount, not Average"),
    ),
    (
        "a quantile with a statistic",
        lambda p: p["measures"]["search_time"]["value"].update(stat="p95"),
        ("measures.search_time", "the gate's `quantile`"),
    ),
    (
        "the runbook's own name",
        lambda p: p["measures"].update(success=p["measures"]["declined"]),
        ("measure 'success' is one of the runbook's own",),
    ),
    (
        "a gate of another kind",
        lambda p: p["gates"][-1].update(measure="connections"),
        ("gates.basket.measure", "'connections'", "of kind gauge, and the gate of kind amount"),
    ),
    (
        "a gate on what is not declared",
        lambda p: p["gates"][-1].update(measure="baskets"),
        ("gates.basket.measure", "'baskets'", "did you mean 'basket'"),
    ),
    (
        "two gates on one quantile",
        lambda p: p["gates"].append({**p["gates"][-2], "id": "slow", "quantile": 0.5}),
        ("measure 'search_time' is a quantile", "search_time and slow"),
    ),
    (
        "two gates on a quantile of the runbook's own",
        lambda p: p["gates"].append(
            {**next(one for one in p["gates"] if one["id"] == "submit_latency"), "id": "median", "quantile": 0.5}
        ),
        ("measure 'submit_latency' is a quantile", "submit_latency and median"),
    ),
    ("a rate in seconds", lambda p: p["gates"][-5].update(unit="s"), ("gates.declined.unit", "is ratio")),
    (
        "a rate that stands still",
        lambda p: p["gates"][-5].update(constant=True),
        ("gates.declined.constant", "only a gauge"),
    ),
    ("no such policy for silence", lambda p: p["gates"][-5].update(no_data="ignore"), ("no_data", "'ignore'")),
]
SERVICE: list[tuple[str, Change, tuple[str, ...]]] = [
    (
        "a name of the catalogue",
        lambda s: s["metrics"].update(async_5xx=s["metrics"]["shop_searches"]),
        ("'async_5xx' is in the catalogue already",),
    ),
    (
        "a placeholder",
        lambda s: s["metrics"]["shop_searches"].update(dimensions={"Service": "{quue}"}),
        ("metrics.shop_searches.dimensions.Service", "{quue}", "did you mean '{queue}'"),
    ),
    (
        "a statistic",
        lambda s: s["metrics"]["shop_searches"].update(stat="sum"),
        ("shop_searches", "did you mean 'Sum'"),
    ),
    ("no name", lambda s: s["metrics"]["shop_searches"].pop("name"), ("metrics.shop_searches.name", "missing")),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "change", "says"),
    [("gates", change, says) for _, change, says in GATES] + [("service", change, says) for _, change, says in SERVICE],
    ids=[f"gates: {name}" for name, _, _ in GATES] + [f"service: {name}" for name, _, _ in SERVICE],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence(
    tmp_path: Path, file: str, change: Change, says: tuple[str, ...]
) -> None:
    prod = own_gates.project(tmp_path)
    path = prod.with_name(f"{file}.yaml")
    found = read_yaml(path)
    change(found)
    own_gates.written(path, found)
    with pytest.raises(UsageError) as error:
        load_file(prod)
    told = str(error.value)
    assert error.value.exit_code is Exit.USAGE and "\n" not in told
    assert all(word in told for word in [f"{file}.yaml", *says]), told
    line = re.search(rf"{file}\.yaml, line (\d+): ", told)
    if line:  # a mistake of the whole file has none
        there = path.read_text(encoding="utf-8").splitlines()[int(line[1]) - 1]
        named = re.findall(r"\w+", " ".join([*says, told.partition(line[0])[2]]))
        assert any(len(part) >= 3 and part in there for part in named), there
    else:
        assert says[0].startswith(("measure '", "'async_5xx'")), told


@pytest.mark.slow
def test_one_metric_under_two_texts_is_no_ratio(tmp_path: Path) -> None:
    """A placeholder and the name that it stands for are one queue."""
    prod = own_gates.project(tmp_path)
    found, path = read_yaml(prod.with_name("gates.yaml")), prod.with_name("gates.yaml")
    for side, name in (("bad", "{queue}"), ("of", load_file(prod).name("queue"))):
        place = {"namespace": "AWS/SQS", "name": "NumberOfMessagesSent", "dimensions": {"QueueName": name}}
        found["measures"]["declined"][side] = place
    own_gates.written(path, found)
    with pytest.raises(UsageError, match=r"measures\.declined\.of' is 'NumberOfMessagesSent': .* quotient is always 1"):
        load_file(prod)


def test_every_metric_is_known_to_the_parameters(tmp_path: Path) -> None:
    params = load_file(own_gates.project(tmp_path))
    assert params.metric("async_5xx") is METRICS["async_5xx"]
    assert params.metric("shop_searches").name == "Searches"
    assert params.metric("declined.bad").namespace == "Shop/Checkout"
    assert params.metrics.keys() > METRICS.keys()
    with pytest.raises(UsageError, match=r"the metric catalogue has no 'declined\.bda'"):
        params.metric("declined.bda")


def test_zero_while_of_is_short_for_the_same_query() -> None:
    found = Measure.model_validate({"kind": "rate", "bad": "async_5xx", "of": "async_requests", "zero_while": "of"})
    assert found.zero_while == found.of


def test_the_example_in_our_own_file_works_as_soon_as_it_is_uncommented(tmp_path: Path) -> None:
    prod = own_gates.project(tmp_path)
    text = (own_gates.ROOT / "params" / "gates.yaml").read_text(encoding="utf-8")
    block = re.search(r"^# measures:\n(?:#   .*\n)+", text, re.M)
    gate = re.search(r"^  # - id: .*\n(?:  #   .*\n)+", text, re.M)
    assert block and gate
    text = text.replace(block[0], re.sub(r"^# ", "", block[0], flags=re.M))
    text = text.replace(gate[0], re.sub(r"^  # ", "  ", gate[0], flags=re.M))
    prod.with_name("gates.yaml").write_text(text, encoding="utf-8")
    policy = load_file(prod).policy
    assert policy.gate("declined_payments").measure in policy.judged


@pytest.mark.parametrize(
    ("stat", "told"),
    [
        *(("sum", "did you mean 'Sum'?"), ("avg", "did you mean 'Average'?"), ("max", "did you mean 'Maximum'?")),
        *(("P99", "did you mean 'p99'?"), ("Count", "did you mean 'SampleCount'?")),
        *((one, "there are Sum, Average") for one in ("tm99", "TM(2%:98%)", "IQM", "PR(:300)", "")),
    ],
)
def test_a_statistic_as_other_tools_write_it_is_told(stat: str, told: str) -> None:
    """CloudWatch has trimmed means, so that nobody is told that it has not."""
    assert told in fault(stat) and "CloudWatch" not in fault(stat)
    assert not fault("p99.9") and not fault("Minimum")
