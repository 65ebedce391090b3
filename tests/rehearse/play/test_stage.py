"""The stage of a rehearsal: production's own parameters, with an AWS and an archive of its own."""

from __future__ import annotations

from runbook_lib.rehearse.play import stage


def test_what_one_rehearsal_left_open_is_not_in_the_archive_of_the_next() -> None:
    one, two = (stage.params_of("prod", release) for release in ("rehearsal-1", "rehearsal-2"))
    assert one.archive != two.archive
    assert one.archive.startswith("archive/rehearsal/")


def test_a_run_is_given_the_archive_that_the_rehearsal_looks_into() -> None:
    assert stage.overlay_only("rehearsal-1")["archive"] == stage.params_of("prod", "rehearsal-1").archive
