"""The page that JupyterLab opens on says what `runbook status` says, with links; and if it cannot, what to do."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pytest

from runbook_lib.base.errors import AwsError, UsageError
from runbook_lib.base.project import params_dir
from runbook_lib.commands import status
from runbook_lib.judge.incidents.deviation import Deviation
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive
from runbook_lib.rollout import deviations
from runbook_lib.run.launch import START, find_notebook
from runbook_lib.steps import start
from runbook_lib.steps.start import Start
from tests.cli.test_archive import sealed_with
from tests.project import own_project

NOW = dt.datetime(2026, 11, 9, 12, tzinfo=dt.UTC)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    own_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    for module in (start, status):
        monkeypatch.setattr(module, "reached", lambda params, **_: (params, None, SimpleNamespace(now=NOW)))
    state = TrafficState(dial_percent=0, switch_on=False, weight=0)
    monkeypatch.setattr("runbook_lib.observe.traffic.weight.read_or_nothing", lambda *_: (state, None))
    return tmp_path


def test_it_says_what_status_says_and_leads_to_every_notebook_and_report(project: Path) -> None:
    told = status.rollout_status(project / "params" / "prod.yaml")
    page = Start("prod").page()
    text, markup = str(page), page._repr_html_()
    assert f"Next: {told.next_words}" in text and told.next in text and told.title in text
    links = [unescape(one) for one in re.findall('href="([^"]+)"', markup)]
    notebooks = {one.name for one in (params_dir(Path(__file__).parent).parent / "notebooks").glob("*.ipynb")}
    assert {one for one in links if one.endswith(".ipynb")} == notebooks - {f"{START}.ipynb"}
    assert [one for one in links if not one.endswith(".ipynb")] == []


def test_the_newest_run_of_a_notebook_stands_with_its_word_and_its_report(project: Path) -> None:
    params = load_file(project / "params" / "prod.yaml")
    ref = sealed_with(project, "the guards cannot protect it", "prod", params.release)
    page = Start("prod").page()
    assert f"HOLD ({ref.run_id})" in str(page)
    (report,) = (one for one in re.findall('href="([^"]+)"', page._repr_html_()) if one.endswith("report.html"))
    (project / "notebooks").mkdir()
    assert (project / "notebooks" / unescape(report)).resolve() == (ref.folder / "report.html").resolve()


def test_where_aws_does_not_answer_it_says_so_and_how_async_is_turned_off(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object, **__: object) -> None:
        raise AwsError("AWS does not answer")

    monkeypatch.setattr(start, "reached", silent)
    text = str(Start("prod").page())
    assert "AWS does not answer" in text and "runbook rollback 1 --env prod --apply --confirm prod" in text


def test_it_is_no_step_to_be_run_from_a_terminal() -> None:
    for name in ("00", "00_start"):
        with pytest.raises(UsageError, match=f"'{name}': 00_start is a page for JupyterLab .*`runbook status` says"):
            find_notebook(name)


def test_a_deviation_is_told_in_words(project: Path) -> None:
    params, at = load_file(project / "params" / "prod.yaml"), "2026-11-09T04:00:00Z"
    told = {"check": "inventory.worker.reserved_concurrency", "title": "Worker: reserved concurrency", "why": "backlog"}
    one = Deviation(**told, was=None, value=10, by="Ana", at=at, incident="")
    deviations.say(Archive.of(params), params, "opened", one, by="Ana", at=at, arn="arn:test")
    text = " ".join(str(Start("prod").page()).split())
    assert "Worker: reserved concurrency is 10, by the code none; `runbook deviation undo" in text
