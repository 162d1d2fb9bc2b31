"""As many threads as pay: found within a few tokens, kept at little cost, found again after a change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgerag.inference.decode_threads import DecodeThreads

QUIET = {8: 0.004, 4: 0.006, 2: 0.010, 1: 0.018}
BUSY = {8: 0.400, 4: 0.300, 2: 0.200, 1: 0.020}
ONE_NEIGHBOUR = {2: 0.071, 1: 0.016}
"""As `tests.benchmarks.busy_decode` measures it on two cores."""
HALF_BUSY = {8: 0.100, 4: 0.006, 2: 0.010, 1: 0.018}


class Machine:
    """Decodes: tells what each token took, and lets the clock go on by as much."""

    def __init__(self, most: int) -> None:
        self.now = 1000.0
        self.threads = DecodeThreads(most, clock=lambda: self.now)

    def decode(self, tokens: int, cost: Callable[[int, int], float]) -> tuple[float, list[int]]:
        """Returns the seconds in all, and the threads of each token."""
        began, used = self.now, []
        for token in range(tokens):
            number = self.threads.number
            used.append(number)
            self.now += cost(number, token)
            self.threads.took(cost(number, token))
        return self.now - began, used


@pytest.mark.parametrize(
    ("costs", "most", "best"),
    [(QUIET, 8, 8), (QUIET, 2, 2), (BUSY, 2, 1), (BUSY, 8, 1), (HALF_BUSY, 8, 4), (QUIET, 1, 1)],
    ids=["quiet-8", "quiet-2", "busy-2", "busy-8", "half-busy-8", "one-core"],
)
def test_the_fastest_number_is_found_and_trials_cost_little(costs: dict[int, float], most: int, best: int) -> None:
    machine = Machine(most)
    _, used = machine.decode(12, lambda number, _: costs[number])
    assert used[0] == most
    assert used[8:].count(best) >= 2
    seconds, used = machine.decode(1000, lambda number, _: costs[number])
    assert used.count(best) > 940
    assert seconds < 1.06 * 1000 * costs[best]


def test_a_machine_that_becomes_busy_is_noticed_within_a_few_tokens() -> None:
    machine = Machine(2)
    machine.decode(200, lambda number, _: QUIET[number])
    _, used = machine.decode(20, lambda number, _: BUSY[number])
    assert used.count(2) <= 4
    assert used[-10:] == [1] * 10


def test_a_machine_that_becomes_quiet_is_noticed_within_seconds() -> None:
    machine = Machine(2)
    machine.decode(100, lambda number, _: ONE_NEIGHBOUR[number])
    machine.decode(400, lambda number, _: QUIET[number])
    _, used = machine.decode(50, lambda number, _: QUIET[number])
    assert used.count(2) > 45


def test_after_a_pause_the_next_answer_looks_again_at_once() -> None:
    machine = Machine(2)
    machine.decode(50, lambda number, _: BUSY[number])
    machine.now += 60
    _, used = machine.decode(12, lambda number, _: QUIET[number])
    assert used[-6:] == [2] * 6


@pytest.mark.parametrize("costs", [{2: 2.0, 1: 3.8}, {4: 2.0, 2: 3.6, 1: 7.0}, {8: 3.6, 4: 2.0, 2: 3.6, 1: 7.0}])
def test_trials_cost_little_where_a_token_takes_seconds(costs: dict[int, float]) -> None:
    machine = Machine(max(costs))
    seconds, _ = machine.decode(256, lambda number, _: costs[number])
    assert seconds < 1.06 * 256 * min(costs.values())


def test_one_hiccup_changes_nothing() -> None:
    machine = Machine(4)
    machine.decode(100, lambda number, _: QUIET[number])
    _, used = machine.decode(10, lambda number, token: 0.5 if token == 3 else QUIET[number])
    assert used.count(4) >= 8


def test_the_numbers_are_cores_halves_and_one() -> None:
    machine = Machine(6)
    _, used = machine.decode(400, lambda number, _: {6: 0.4, 3: 0.3, 1: 0.02}[number])
    assert set(used) == {6, 3, 1}
