"""The entry point: a Ctrl-C ends in a sentence, also before the command line is loaded."""

from __future__ import annotations

import sys

import pytest

from runbook_lib.act.guard import begun
from runbook_lib.cli import app, entry


@pytest.mark.parametrize("changes", [[], ["async off"]])
def test_ctrl_c_while_it_is_loading_or_while_another_is_told_is_a_sentence(
    changes: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["runbook", "status"])
    monkeypatch.setattr(app, "main", interrupted)
    begun.extend(changes)
    with pytest.raises(SystemExit) as ended:
        entry.main()
    said = capsys.readouterr().err
    assert ended.value.code == 130 and said.startswith("runbook: interrupted; ") and "Traceback" not in said
    assert ("async off" if changes else "nothing was changed") in said
