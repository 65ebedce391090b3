"""The page that JupyterLab opens on: where a rollout stands, the one next command, and a link to each notebook and its
newest report. It asks and changes nothing, and leaves no record.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from runbook_lib.base import foreign
from runbook_lib.base.errors import ArchiveError, RunbookError
from runbook_lib.base.project import params_dir
from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.observe.api_address import reached
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.params.load import Params, load_file
from runbook_lib.record.archive import Archive
from runbook_lib.record.attached import report_of
from runbook_lib.rollout import hints
from runbook_lib.rollout.next_step import Standing, standing
from runbook_lib.rollout.progress import WORDS
from runbook_lib.show.page import line
from runbook_lib.show.tables import Cell, Shown, badge, stack, table


class Start:
    """Where the rollout of one environment stands.

    Args:
        env: name of its parameter file in `params/`.
    """

    def __init__(self, env: str) -> None:
        self.env = env

    def page(self) -> Shown:
        """The whole page; where AWS or the parameters cannot be read, the reason and how to turn async off."""
        try:
            params = load_file(params_dir() / f"{self.env}.yaml", incident=True)
            params, aws, identity = reached(params, quick=True)
            state, _ = weights.read_or_nothing(aws, params)
            archive = Archive.of(params)
            found = standing(params, archive, state, identity.now)
        except RunbookError as error:
            off = f"runbook rollback 1 --env {self.env} --apply --confirm {self.env}"
            then = f"If users suffer now, in a terminal: `{off}`"
            return stack(line(f"The state of the rollout could not be read: {error}"), line(then))
        head = f"{params.env} · {params.release} · {when(identity.now)} · {state.words}"
        steps = [self._step(params, archive, one) for one in found.lines]
        passed = sum(one.state == "passed" for one in found.lines)
        caption = f"Rollout: {passed} of {len(found.lines)} steps passed"
        backs = [self._row(params, archive, name, params.env) for name in params.policy.rollbacks]
        heads = ("Notebook", "In", "State", "Newest run", "Come back", "Why")
        return stack(
            _big(head),
            *_urgent(params, found),
            _next(found),
            self._wrong(params, found),
            table(heads, steps, caption=caption, last_below=True),
            table(("Notebook", "In", "Newest run"), backs, caption="Something is wrong: a rollback acts first"),
        )

    def _wrong(self, params: Params, found: Standing) -> Shown:
        """What to open if something is wrong: the phase under way, or the rollback that acts at once."""
        under_way = [one for one in found.lines if one.env == params.env and one.moment in ("during", "after")]
        looked = [self._notebook(params, one.notebook) for one in under_way]
        first = next(iter(params.policy.rollbacks), "")
        off = self._notebook(params, first)
        told = "Something is wrong? "
        told += "Open {} and Run All: it judges every gate and says what to do. " if looked else ""
        told += "{} turns async off at once." if first else ""
        cells = [*looked[-1:], off]
        return Shown(
            f'<div style="font-size:14px;margin:6px 0">{told.format(*(one.html for one in cells))}</div>',
            told.format(*(one.text for one in cells)),
        )

    def _notebook(self, params: Params, name: str) -> Cell:
        step = params.policy.steps.get(name)
        return _link(name, f"{(step.notebook if step else '') or name}.ipynb")

    def _step(self, params: Params, archive: Archive, one: Any) -> list[object]:
        notebook, env, newest = self._row(params, archive, one.notebook, one.env)
        return [notebook, env, Cell(WORDS[one.state], nowrap=True), newest, Cell(one.due, nowrap=True), one.words]

    def _row(self, params: Params, archive: Archive, name: str, env: str) -> list[object]:
        """Link to the notebook, environment, and the word of its newest run with a link to the report."""
        return [self._notebook(params, name), env, self._newest(params, archive, name, env)]

    def _newest(self, params: Params, archive: Archive, name: str, env: str) -> Cell:
        for ref in reversed(archive.records(env=env, release=params.release, notebook=name)):
            try:
                word = archive.load(ref).word
            except ArchiveError:
                continue
            beside = Path(params.source).parent / "notebooks"  # links are followed from the notebook's own folder
            link = _link("report", Path(os.path.relpath(report_of(ref), beside)).as_posix())
            return Cell(f"{word} ({ref.run_id})", f"{badge(word).html} {link.html}", nowrap=True)
        return Cell("–")


def _urgent(params: Params, found: Standing) -> list[Shown]:
    """Lines on what comes before every step: open changes, a rollback that is not proven, open deviations."""
    told = [one.words for one in found.open_changes]
    told += [found.unfinished.words] if found.unfinished else []
    told += [
        f"deviation: {one['setting']} is {words.setting(one['now'])}, by the code {words.setting(one['was'])}; "
        f"`{hints.undo(params, one['check'])}`"
        for one in found.deviations
    ]
    return [line(f"• {one}") for one in told]


def _next(found: Standing) -> Shown:
    told = f"Next: {found.next.words}"
    if not found.next.command:
        return _big(told)
    pasted = f'<pre style="font-size:14px;margin:4px 0;white-space:pre-wrap">{foreign.html(found.next.command)}</pre>'
    return stack(_big(told), Shown(pasted, found.next.command))


def _big(text: str) -> Shown:
    return Shown(f'<div style="font-size:15px;font-weight:600;margin:6px 0">{foreign.html(text)}</div>', text)


def _link(text: str, file: str) -> Cell:
    return Cell(text, f'<a href="{foreign.html(file)}">{foreign.html(text)}</a>', nowrap=True)
