"""Another service's files: valid, commented, and without a word of the example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import delivered_files
from runbook_lib.commands.init.answers import NO_ACCOUNT, Answers, of_flags
from runbook_lib.commands.init.folder import planned, write
from runbook_lib.commands.init.rewrite import environment, put, rewritten
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.rehearse.sandbox import iac

PARAMS = {
    path.removeprefix("params/"): content.decode() for path, content in delivered_files().items() if "params/" in path
}
KEPT = "cost_per_vpr"
"""A measure's id, which the code knows."""


def known(**flags: object) -> Answers:
    made = of_flags("orders-export", **flags)  # type: ignore[arg-type]
    made.complete()
    return made


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_not_a_word_of_the_example_is_left_and_every_comment_is(name: str) -> None:
    text = rewritten(name, PARAMS[name], known())
    assert not re.search("careervp|vpr", text.replace(KEPT, ""), re.IGNORECASE)
    assert text.count("\n") == PARAMS[name].count("\n") - PARAMS[name].count("{metric: VPR")
    assert text.count("#") >= PARAMS[name].count("#")
    assert yaml.safe_load(text).keys() == yaml.safe_load(PARAMS[name]).keys()


def test_values_are_where_they_belong_and_say_where_they_come_from() -> None:
    answers = known(
        accounts=["prod=000000000777"],
        region=["eu-central-1"],
        names=["worker=OrdersWorker_{env}"],
        routes=["submit=/v2/orders"],
        release="r-1",
    )
    prod = yaml.safe_load(environment("prod", PARAMS["prod.yaml"], answers))
    assert (prod["account_id"], prod["region"], prod["release"]) == ("000000000777", "eu-central-1", "r-1")
    assert yaml.safe_load(environment("dev", PARAMS["dev.yaml"], answers))["account_id"] == NO_ACCOUNT
    text = rewritten("service.yaml", PARAMS["service.yaml"], answers)
    assert "  worker: OrdersWorker_{env}\n" in text and "  queue: orders-export-jobs-queue-{env}   # guessed\n" in text
    assert yaml.safe_load(text)["api"]["routes"]["submit"] == "/v2/orders"
    rule = yaml.safe_load(rewritten("inventory.yaml", PARAMS["inventory.yaml"], answers))["naming"]["rule"]
    assert re.fullmatch(rule, "OrdersWorker_prod"), "a name that was said is not held against the example's rule"


VALUES = st.one_of(
    st.from_regex(r"[A-Za-z/][A-Za-z0-9_./{}-]{0,20}", fullmatch=True),
    st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=20),
)


@given(st.sampled_from(["names.worker", "api.stage", "traffic.flag", "kpi_namespace", "names.brand_new"]), VALUES)
def test_put_changes_one_value_whatever_it_is(path: str, value: str) -> None:
    before = PARAMS["service.yaml"]
    after = yaml.safe_load(put(before, tuple(path.split(".")), value))
    wanted = yaml.safe_load(before)
    *parents, key = path.split(".")
    place = wanted
    for parent in parents:
        place = place[parent]
    place[key] = value
    if not re.fullmatch(r"\{(\w+: \w+(, )?)+\}", value):
        assert after == wanted


def test_put_under_a_parent_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"no nowhere"):
        put("a: 1\n", ("nowhere", "key"), "x")


def test_titles_and_remarks_name_the_services_own_routes_and_environments() -> None:
    own = ("sync=/v2/invoice", "submit=/v2/invoices", "status=/v2/invoices/{number}")
    answers = of_flags("invoice-press", routes=own, environments={"qa": "development", "live": "production"})
    answers.complete()
    made = {path: text.decode() for path, text in planned(answers).items()}
    titles = re.findall(r"title: Route (.*)", made["params/inventory.yaml"])
    assert titles == ["/v2/invoice", "/v2/invoices", "/v2/invoices/{number}"]
    assert "Create new endpoint `/v2/invoices` (temporary)" in made["params/requirement.yaml"]
    assert "/api/invoice-press" not in "".join(text for path, text in made.items() if path.startswith("params/"))
    assert "api_id: {qa: a1b2c3, live: a2b2c3}" in made["params/service.yaml"]


@pytest.mark.slow
@pytest.mark.parametrize("env", ["qa", "prod-us"])
def test_every_guessed_name_follows_the_naming_rule_that_is_written_with_it(tmp_path: Path, env: str) -> None:
    """A project as `init --offline` writes it was held at 01: its own names of API and flags broke its own rule."""
    answers = of_flags("invoice-press", environments={"qa": "development", "prod-us": "production"})
    answers.complete()
    write(tmp_path, planned(answers))
    params = load_file(tmp_path / "params" / f"{env}.yaml", read_yaml(tmp_path / "params" / "rehearsal.yaml"))
    assert iac.violations(params) == []
