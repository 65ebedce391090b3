"""Links of a report: relative, to what there is, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.record.links import Links, linked
from runbook_lib.record.record import Record

HERE = Record(run_id="b" * 12, env="prod", release="r 1", notebook="07_phase2_50_percent")
OTHER, UNKNOWN = "0123456789ab", "f" * 12


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A project with an archive: two records of phase 2, one of staging, and an entry."""
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "gates.yaml").touch()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "verdicts.md").touch()  # beside the archive, and gone where the archive is served alone
    root = tmp_path / "archive"
    for place in (
        f"env=staging/release=r_1/05_staging/20261109T000000.000Z-{OTHER}",
        f"env=prod/release=r_1/07_phase2_50_percent/20261109T000000.000Z-{'a' * 12}",
        f"env=prod/release=r_1/07_phase2_50_percent/20261110T000000.000Z-{'b' * 12}",
        f"env=prod/release=r_1/entry/20261110T000000.000Z-{'c' * 12}",
    ):
        (root / place).mkdir(parents=True)
        (root / place / "report.html").touch()
    return root


def target(root: Path, record: Record, address: str, *deeper: str) -> Path:
    """Where an address leads from the sealed report."""
    folder = root / "env=prod" / "release=r_1" / record.notebook / "20261110T000000.000Z-bbbbbbbbbbbb"
    return Path(folder.joinpath(*deeper), address).resolve()


@pytest.mark.parametrize("deeper", [(), ("attachments", "20261111T000000.000Z")])
def test_a_run_that_is_named_is_a_link_that_holds(archive: Path, deeper: tuple[str, ...]) -> None:
    links = Links(archive, HERE, depth=len(deeper))
    found = re.findall(r'href="([^"]+)"', linked(f"<p>PROMOTE (run {OTHER}), docs/verdicts.md</p>", links))
    (run,) = (target(archive, HERE, address, *deeper) for address in found)
    assert run == next(archive.glob(f"env=staging/*/*/*-{OTHER}")) / "report.html"
    assert not any(address.startswith("/") or ":" in address for address in found)


def test_a_path_in_the_archive_is_told_shortly(archive: Path) -> None:
    path = f"env=staging/release=r_1/05_staging/20261109T000000.000Z-{OTHER}/report.html"
    assert re.sub("<[^>]+>", "", linked(f"<td>{path}</td>", Links(archive, HERE))) == f"05_staging {OTHER}"


@pytest.mark.parametrize(
    "markup",
    [
        f"<p>{UNKNOWN} and itself, {'b' * 12}</p>",
        f'<a href="x">{OTHER}</a>',
        f"<style>#{OTHER} {{}}</style>",
        f"<title>{OTHER}</title>",
        f'<img alt="run {OTHER}">',
        f'<pre class="source">run = "{OTHER}"</pre>',
        f'<pre class="checkpoint" tabindex="0">rollout-runbook/{OTHER}</pre>',
        f"<p>{OTHER}{OTHER}</p>",
        "<p>docs/verdicts.md, docs/gone.md, docs/../params/gates.yaml</p>",
    ],
)
def test_what_is_no_run_or_no_place_for_a_link_is_left_alone(archive: Path, markup: str) -> None:
    assert linked(markup, Links(archive, HERE)) == markup


@given(text=st.text(alphabet=f"<>/a=\"' {OTHER}", max_size=200))
def test_nothing_but_links_is_added(text: str) -> None:
    class All(Links):
        def run(self, run_id: str) -> str:
            return "there.html"

    assert re.sub(r'<a href="there\.html">([0-9a-f]{12})</a>', r"\1", linked(text, All(Path(), HERE))) == text


def test_the_record_before_and_what_there_was_to_see(archive: Path) -> None:
    run, address = Links(archive, HERE).before()
    assert run == "a" * 12 and target(archive, HERE, address).is_file()
    first = HERE.model_copy(update={"run_id": "a" * 12})
    assert Links(archive, first).before() == ("", "")
    unsealed = HERE.model_copy(update={"run_id": "d" * 12})
    assert Links(archive, unsealed).before()[0] == "b" * 12
    newest = Links(archive, HERE).newest()
    assert [(notebook, run) for notebook, run, _ in newest] == [("07_phase2_50_percent", "b" * 12)]
    assert target(archive, HERE, newest[0][2]).is_file()


def test_an_empty_archive_has_no_links(tmp_path: Path) -> None:
    assert Links(tmp_path, HERE).newest() == [] and Links(tmp_path, HERE).before() == ("", "")
