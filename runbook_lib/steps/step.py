"""What the notebooks without a soak share: a step gathers checks, shows them and decides on them."""

from __future__ import annotations

from typing import Any

from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.model import Outcome
from runbook_lib.run.run import Run
from runbook_lib.show.checks import checks_table
from runbook_lib.show.tables import stack
from runbook_lib.show.verdicts import verdict_banner


class Step:
    """One step of the rollout that is judged by checks alone.

    Args:
        done: what has been achieved when every required check passes, in words.
        then: what to do after that.
    """

    def __init__(self, run: Run, *, done: str, then: str) -> None:
        self.run = run
        self.params = run.params
        self.done = done
        self.then = then
        self.outcome: Outcome | None = None
        self._told = False

    def note(self, *checks: Check, caption: str = "") -> Any:
        """Notes checks and shows them."""
        self.run.check(*checks)
        return checks_table(checks, caption)

    def judge(self) -> Outcome:
        """The decision by every check so far; to be called again after the action."""
        self.outcome = self.run.decide_checks(applied=self.run.applying, done=self.done, then=self.then)
        return self.outcome

    def verdict(self) -> Any:
        """The decision, and every check of this run."""
        checks = checks_table(self.run.checks.values(), "All checks", fold=True)
        return stack(self.banner(), checks)

    def banner(self) -> Any:
        """The decision; in a run that applies, the first call says what is about to be done."""
        first, self._told = not self._told, True
        return verdict_banner(self.outcome or self.judge(), acts=self.run.applying and first)
