"""The bottom line: the keys that do something here and now."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Static

from edgerag_tui.keymap import by_action, character_of, name_of


class KeyBar(Widget):
    """Made from the active bindings, so it is right whatever has the focus and however keys are mapped."""

    DEFAULT_CSS = """
    KeyBar { height: 1; background: $panel; color: $foreground; }
    KeyBar Static { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; padding: 0 1; }
    """

    def compose(self) -> ComposeResult:
        yield Static(id="keys")

    async def on_click(self, event: events.Click) -> None:
        if key := event.style.meta.get("press"):
            event.stop()
            await self.app.run_action(f"app.simulate_key({key!r})")

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda screen: self.show_keys())
        self.show_keys()

    def on_resize(self) -> None:
        self.show_keys()

    def show_keys(self) -> None:
        """Put the keys on the line, as many as fit: those of the screen first, those of the application last."""
        if not self.is_attached or not self.screen.is_current:
            return
        room = self.size.width - 2
        parts: list[Content] = []
        focused = self.screen.focused
        entries = by_action(self.screen.active_bindings.values())
        for entry, keys in entries.values():
            key = entry.binding.key
            if not entry.binding.show or not entry.enabled:
                continue
            if focused is not None and not entry.binding.priority and focused.check_consume_key(key, character_of(key)):
                continue  # it would be typed
            # Not `@click`, which would give it the looks of a link.
            press = Style.from_meta({"press": key})
            part = Content.assemble((keys[0], "$accent bold"), " ", name_of(entry.binding)).stylize(press)
            width = part.cell_length + (2 if parts else 0)
            if width > room:
                continue
            room -= width
            parts.append(part)
        self.query_one("#keys", Static).update(Content("  ").join(parts))
