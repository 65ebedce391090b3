"""A free port can be listened on, and is not one that somebody has."""

from __future__ import annotations

import socket

from runbook_lib.base.process import LOOPBACK, free_port, unusable


def test_it_can_be_listened_on_and_then_is_not_given_again() -> None:
    with socket.socket() as mine:
        mine.bind((LOOPBACK, port := free_port()))
        mine.listen()
        assert 0 < port < 65536 and port not in {free_port() for _ in range(20)}


def test_a_port_that_somebody_has_is_told_before_it_is_used() -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, port := free_port()))
        other.listen()
        assert "in use" in unusable(port)
    assert unusable(port) == ""
