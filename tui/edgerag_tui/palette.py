"""The command palette: every action that is active here, and every section, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from edgerag_tui.keymap import all_bindings, by_action, name_of


class ActionProvider(Provider):
    """Made from the bindings of the screen below, so it can never name what does not exist."""

    async def discover(self) -> Hits:
        for name, keys, run in self._actions():
            yield DiscoveryHit(Content(name), run, text=name, help=keys)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, keys, run in self._actions():
            if (score := matcher.match(name)) > 0:
                yield Hit(score, Content(name), run, text=name, help=keys)

    def _actions(self) -> list[tuple[str, str, Callable[[], Any]]]:
        found = by_action(all_bindings(self.screen))
        return [
            (
                name_of(entry.binding),
                ", ".join(keys),
                partial(self.app.run_action, entry.binding.action, entry.node),
            )
            for entry, keys in found.values()
            if entry.enabled and entry.binding.id != "app.palette"
        ]
