"""Memory and sockets are looked at, not believed."""

from __future__ import annotations

import os
import socket

import pytest

from edgerag_tui.themes import default_theme
from edgerag_tui.vitals import count_internet_sockets, resident_bytes

needs_descriptors = pytest.mark.skipif(os.name == "nt", reason="Windows does not list descriptors")


@needs_descriptors
def test_internet_sockets_are_counted_and_local_ones_are_not() -> None:
    before = count_internet_sockets()
    assert before is not None
    kinds = ((socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_DGRAM), (socket.AF_UNIX,))
    opened = [socket.socket(*kind) for kind in kinds]
    assert count_internet_sockets() == before + 2
    for each in opened:
        each.close()
    assert count_internet_sockets() == before


@needs_descriptors
def test_counting_leaves_a_connection_usable() -> None:
    left, right = socket.socketpair()
    with left, right:
        count_internet_sockets()
        left.sendall(b"x")
        assert right.recv(1) == b"x"


def test_memory_is_more_than_an_interpreter_takes() -> None:
    memory = resident_bytes()
    assert memory is None or memory > 5_000_000


def test_terminals_of_few_colours_get_high_contrast() -> None:
    assert default_theme({"TERM": "xterm-256color"}) == "dark"
    assert default_theme({"TERM": "xterm", "COLORTERM": "truecolor"}) == "dark"
    if os.name != "nt":
        assert default_theme({"TERM": "linux"}) == "contrast"
        assert default_theme({"TERM": "xterm", "COLORTERM": ""}) == "contrast"
        assert default_theme({"TERM": "xterm"}) == "contrast"
