"""How many threads compute the next token: as many as pay, which depends on what else the machine does.

llama.cpp's threads wait for one another some hundred times a token, and spin while they wait. On a quiet machine more
of them are faster. Where another program wants the cores too, each wait lasts until the scheduler has given every
thread its turn: beside one busy neighbour two threads on two cores made 14 tokens/s, and the number chosen here 62; on
a quiet machine it costs 3 % (SmolLM2-135M, `python -m tests.benchmarks.busy_decode`). Which it is cannot be asked from
the system, and changes within seconds; so it is measured, on the tokens themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

TRIAL_TOKENS = 2
"""The faster of so many counts: the first may wait for threads to be started."""
BUDGET = 0.02
"""Share of the time that may be lost by trying numbers of threads that turn out slower."""
PAUSE_S = 10.0
"""What was measured before a pause of this length says nothing of the machine now."""
_NEW_WEIGHT = 0.3
"""Of a token in the moving average: a change shows after two or three."""


@dataclass(slots=True)
class _Level:
    seconds: float
    """A token takes; a moving average."""
    measured_at: float
    decoded_s: float = 0.0
    """Spent on tokens, by other numbers of threads, since it was measured."""


class DecodeThreads:
    """Chooses among the number of cores, half of it, and so on down to one. Not safe to share between threads."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            most: Threads at the most, at least 1.
            clock: Seconds from any point.
        """
        self._levels = [most]
        while self._levels[-1] > 1:
            self._levels.append(self._levels[-1] // 2)
        self._clock = clock
        self._known: dict[int, _Level] = {}
        self._best = most
        self._trial: int | None = most
        self._samples: list[float] = []
        """Of the trial, or the last tokens of the best: one hiccup of the system shall decide nothing."""

    @property
    def number(self) -> int:
        """For the next token."""
        return self._best if self._trial is None else self._trial

    def took(self, seconds: float) -> None:
        """Tell what the token took that `number` was asked for."""
        now, number = self._clock(), self.number
        self._samples = [*self._samples, seconds][-TRIAL_TOKENS:]
        for other, level in self._known.items():
            if other != number:
                level.decoded_s += seconds
        if len(self._samples) < TRIAL_TOKENS:
            return
        mean = min(self._samples)
        if self._trial is None:
            before = self._known[number].seconds
            mean = before + _NEW_WEIGHT * (mean - before)
        self._known[number] = _Level(mean, now)
        best = min(self._known, key=lambda each: self._known[each].seconds)
        if self._trial is not None or best != self._best:
            self._samples = []
        self._best, self._trial = best, None
        self._choose_trial(now)

    def _choose_trial(self, now: float) -> None:
        """Try a neighbour of the best that is unknown, or whose slowness lies so far back that a look costs little."""
        place = self._levels.index(self._best)
        for number in self._levels[max(0, place - 1) : place + 2]:
            if number != self._best and self._is_worth_a_trial(number, now):
                self._trial, self._samples = number, []
                return

    def _is_worth_a_trial(self, number: int, now: float) -> bool:
        level = self._known.get(number)
        if level is None or now - level.measured_at - level.decoded_s > PAUSE_S:
            return True
        lost_s = TRIAL_TOKENS * (level.seconds - self._known[self._best].seconds)
        return lost_s <= BUDGET * level.decoded_s
