"""Doctor: is this installation sound? The checks of `edgerag doctor`, one after the other as they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from edgerag_tui import messages, safe
from edgerag_tui.columns import fit, hanging
from edgerag_tui.doctor_work import examine
from edgerag_tui.keymap import bind
from edgerag_tui.screens.base import SectionScreen
from edgerag_tui.strings import has, say, tr
from edgerag_tui.tasks import Task

if TYPE_CHECKING:
    from edgerag.cli.doctor import Finding

SIGN_WIDTH, NAME_WIDTH = 8, 13
SIGNS = {"ok": "✓", "note": "·", "problem": "!"}
STYLES = {"ok": "$text-success", "note": "$text-warning", "problem": "$text-error bold"}


class DoctorScreen(SectionScreen):
    """A list that fills itself while the checks run."""

    SECTION = "doctor"
    FOCUS = "#findings"
    CSS_PATH = "../styles/doctor.tcss"
    AUTO_FOCUS = "#findings"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("r", "again", "doctor.again"),
        bind("c", "copy", "doctor.copy"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.findings: list[Finding] = []
        self._examination: Task | None = None

    @property
    def is_running(self) -> bool:
        return self._examination is not None

    def compose_body(self) -> ComposeResult:
        with VerticalScroll(id="findings"):
            yield Static(id="finding-list")

    def on_mount(self) -> None:
        box = self.query_one("#findings")
        box.can_focus = True
        box.border_title = Content(tr("doctor.title"))
        self.action_again()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "focus_main"  # nothing is typed here

    def action_again(self) -> None:
        """Run all checks anew."""
        if self._examination is not None:
            return
        self.findings = []
        size = self.app.size
        terminal = f"{size.width} x {size.height}, {self.app.console.color_system or 'monochrome'}"
        self._examination = examine(self.session, terminal=terminal, to=self)
        self._show()

    def on_check_done(self, message: messages.CheckDone) -> None:
        if self._examination is not None and message.task_id == self._examination.id:
            self.findings.append(message.finding)
            self._show()

    def on_finished(self, message: messages.Finished) -> None:
        if self._examination is not None and message.task_id == self._examination.id:
            self._examination = None
            self._show()

    def on_failed(self, message: messages.Failed) -> None:
        self._examination = None
        self.tell_failure(message)
        self._show()

    def _show(self) -> None:
        box = self.query_one("#findings")
        width = max(40, box.size.width - 5)
        parts = [finding_content(finding, width) for finding in self.findings]
        if self.is_running:
            parts.append(Content.styled(tr("doctor.running"), "$muted"))
        self.query_one("#finding-list", Static).update(Content("\n").join(parts))
        counts = {verdict: sum(finding.verdict == verdict for finding in self.findings) for verdict in SIGNS}
        box.border_subtitle = Content(
            tr("doctor.counts", ok=counts["ok"], notes=counts["note"], problems=counts["problem"])
        )

    def action_copy(self) -> None:
        """The findings as text, for a report."""
        if self.findings:
            self.app.copy_to_clipboard(safe.plain(as_text(self.findings)))
            self.tell(tr("copied"))


def finding_content(finding: Finding, width: int) -> Content:
    """Sign, word and name, then the text, wrapped beside them to `width` cells."""
    word = tr(f"doctor.{finding.verdict}")
    head = Content.styled(f"{SIGNS[finding.verdict]} {word}", STYLES[finding.verdict])
    name = Content.styled(safe.line(check_name(finding.name)), "bold")
    return hanging(
        Content.assemble(fit(head, SIGN_WIDTH), fit(name, NAME_WIDTH)), safe.content_line(say(finding.text)), width
    )


def check_name(name: str) -> str:
    """What is checked, in the interface's language; names of programs stay."""
    key = f"doctor.name_{name}"
    return tr(key) if has(key) else name


def as_text(findings: list[Finding]) -> str:
    """As `edgerag doctor` prints them."""
    from edgerag.cli.doctor import MARKS

    return "\n".join(f"{MARKS[finding.verdict]}  {finding.name}: {finding.text}" for finding in findings)
