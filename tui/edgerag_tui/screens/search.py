"""Search: what is found while one types; words first, then meaning, then the reranker, each in its turn."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.style import Style
from textual.timer import Timer
from textual.widgets import Input, Static

from edgerag.datatypes import Passage
from edgerag_tui import messages, safe
from edgerag_tui.evidence import evidence_items
from edgerag_tui.keymap import bind, first_key, key_name
from edgerag_tui.screens.base import SectionScreen
from edgerag_tui.screens.search_filter import SearchFilterScreen, filter_name
from edgerag_tui.screens.search_request import SearchFilter, SearchRequest, list_filters, start_search
from edgerag_tui.screens.search_rows import arrange
from edgerag_tui.strings import say, tr
from edgerag_tui.tasks import Task
from edgerag_tui.term_marks import marked_terms
from edgerag_tui.widgets.hit_preview import HitPreview
from edgerag_tui.widgets.result_list import ResultList

DEBOUNCE_S = 0.05
"""After the last key until the words are looked up; the rest of the search waits longer (`REST_AFTER_S`)."""
PREVIEW_FROM_COLUMNS = 64


class SearchScreen(SectionScreen):
    """Typing searches; the arrow keys choose a hit even while one types."""

    SECTION = "search"
    FOCUS = "#query"
    CSS_PATH = "../styles/search.tcss"
    AUTO_FOCUS = "#query"
    BINDINGS: ClassVar[list[BindingType]] = [
        # The line below the box names the keys of these three that work everywhere, so the key bar names none.
        bind("m", "next_mode", "search.mode", show=False),
        bind("r", "toggle_rerank", "search.rerank", show=False),
        bind("f", "filter", "search.filter", show=False),
        # The same while one types, where a letter is a letter.
        bind("alt+m", "next_mode", "search.mode_2", show=False, priority=True),
        bind("alt+r", "toggle_rerank", "search.rerank_2", show=False, priority=True),
        bind("alt+f", "filter", "search.filter_2", show=False, priority=True),
        bind("alt+i", "inspect", "search.inspect_2", show=False, priority=True),
        bind("c", "copy_quote", "search.copy_quote"),
        bind("y", "copy_path", "search.copy_path"),
        bind("i", "inspect", "search.inspect"),
        bind("p", "preview", "search.preview", show=False),
        bind("down", "move('cursor_down')", "search.down", show=False),
        bind("up", "move('cursor_up')", "search.up", show=False),
        bind("pagedown", "move('page_down')", "search.page_down", show=False),
        bind("pageup", "move('page_up')", "search.page_up", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.request = SearchRequest()
        self.done_stages: tuple[str, ...] = ()
        """Of the search that is shown."""
        self.problem = ""
        self.shows_preview: bool | None = None
        """None: shown where there is room."""
        self._tasks: tuple[Task, ...] = ()
        self._last: messages.SearchFound | None = None
        self._degraded: tuple[str, ...] = ()
        self._timer: Timer | None = None
        self._filters_task_id = 0

    def compose_body(self) -> ComposeResult:
        yield Input(placeholder=tr("search.placeholder"), id="query")
        yield Static(id="search-state")
        yield Static(id="search-problem")
        with Horizontal(id="search-columns"):
            results = ResultList(id="results")
            results.border_title = Content(tr("search.results"))
            yield results
            preview = HitPreview(id="preview")
            preview.border_title = Content(tr("search.preview"))
            yield preview

    def on_mount(self) -> None:
        super().on_mount()
        self._show_rows()
        self._show_state()

    def on_resize(self) -> None:
        super().on_resize()
        self._show_preview_box()

    # --- searching --------------------------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._typed == self.request.query and self._timer is None:
            return
        self._stop()
        if self._typed:
            self._timer = self.set_timer(DEBOUNCE_S, lambda: self.search(self.request))
        else:
            self.search(self.request)

    @property
    def _typed(self) -> str:
        """What stands in the box now."""
        return safe.plain(self.query_one("#query", Input).value).strip()

    def search(self, request: SearchRequest, *, keeps_cursor: bool = False) -> None:
        """Search anew; what is shown stays until the first stage has found something else.

        Whatever the cause (a timer, another mode, a library that has changed), it is for what stands in the box: the
        request's own query may be a letter behind, whose timer this call stops.
        """
        request = replace(request, query=self._typed)
        self._stop()
        self.request = request
        self.done_stages, self.problem, self._degraded, self._last = (), "", (), None
        if not keeps_cursor:
            self.query_one(ResultList).clear_cursor()
        if request.query:
            self._tasks = start_search(self.session, request, to=self)
        else:
            self.query_one(ResultList).rows = []
            self._show_rows()
        self._show_state()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        for task in self._tasks:
            task.cancel()
        self._tasks = ()

    def on_search_found(self, message: messages.SearchFound) -> None:
        stages = self.request.stages
        if message.task_id not in [task.id for task in self._tasks]:
            return
        self.done_stages = stages[: stages.index(message.stage) + 1]
        self._last, self._degraded = message, message.degraded
        self._show_rows(message.passages)
        self._show_state()
        if self.done_stages == stages:
            self.session.change(degraded=message.degraded)

    def on_failed(self, message: messages.Failed) -> None:
        if message.name != "search":
            self.tell_failure(message)
        elif message.task_id in [task.id for task in self._tasks]:
            self._stop()
            self.problem = f"{message.problem} {message.hint}".strip()
            self._show_state()

    def on_library_changed(self, message: messages.LibraryChanged) -> None:
        if self.request.query:
            self.search(self.request, keeps_cursor=True)

    def on_status_changed(self, message: messages.StatusChanged) -> None:
        if not self.query_one(ResultList).rows:
            self._show_rows()

    # --- showing ----------------------------------------------------------------------------------

    @property
    def passage(self) -> Passage | None:
        """The hit under the cursor; the best one until there is a cursor."""
        results = self.query_one(ResultList)
        row = results.row or next(iter(results.rows), None)
        return row.passage if row is not None else None

    def _show_rows(self, passages: tuple[Passage, ...] = ()) -> None:
        results = self.query_one(ResultList)
        rows = arrange(results.rows, passages, results.highlighted if results.rows else None)
        terms = marked_terms(self.request.query)
        results.show(rows, self.request.query, terms, self._empty_text())
        results.border_subtitle = self._count_text()
        self.query_one(HitPreview).show(self.passage, terms)

    def _empty_text(self) -> Content:
        if not self.request.query:
            key = "search.empty" if self.session.status.num_documents == 0 else "search.hint"
            return Content.styled(tr(key), "$muted")
        if self.done_stages != self.request.stages:
            return Content.styled(tr("search.searching"), "$muted")
        if self.session.status.num_documents == 0:
            return Content.styled(tr("search.empty"), "$muted")
        key = "search.none" if self.request.filter.is_open else "search.none_filtered"
        return Content.styled(tr(key), "$muted")

    def _count_text(self) -> Content | None:
        if self._last is None:
            return None
        shown = len(self._last.passages)
        number = self._last.num_documents
        if number is None:
            return Content(tr("search.count", number=shown))
        documents = tr("status.one_document") if number == 1 else tr("status.documents", number=f"{number:,}")
        return Content(tr("search.count_filtered", number=shown, documents=documents))

    def _show_state(self) -> None:
        request = self.request
        chips = [
            self._chip("mode", "alt+m", Content(tr(f"search.mode_{request.mode}"))),
            self._chip("rerank", "alt+r", Content(tr("search.rerank_on" if request.rerank else "search.rerank_off"))),
            self._chip("filter", "alt+f", filter_name(request.filter)),
        ]
        stages = [self._stage_text(stage) for stage in request.stages] if request.query else []
        self.query_one("#search-state", Static).update(Content("  ").join(chips))
        self.query_one("#query", Input).border_subtitle = Content("  ").join(stages)
        problems = [self.problem] if self.problem else [say(entry) for entry in self._degraded]
        problem = self.query_one("#search-problem", Static)
        problem.display = bool(problems)
        problem.update(Content("\n").join(safe.content_line(f"! {text}", "$text-warning") for text in problems[:2]))

    def _chip(self, action: str, default_key: str, text: Content) -> Content:
        key = first_key(self.app, f"search.{action}_2", default_key)
        return Content.assemble((key_name(key), "$accent bold"), " ", text).stylize(Style.from_meta({"press": key}))

    def _stage_text(self, stage: str) -> Content:
        name = tr(f"search.stage_{stage}")
        if stage in self.done_stages:
            return Content.assemble(("✓ ", "$text-success"), name)
        return Content.styled(f"{'–' if self.problem else '…'} {name}", "$muted")

    def _show_preview_box(self) -> None:
        wanted = self.size.width >= PREVIEW_FROM_COLUMNS if self.shows_preview is None else self.shows_preview
        self.query_one(HitPreview).display = wanted

    def on_result_list_looked(self, event: ResultList.Looked) -> None:
        event.stop()
        self.query_one(HitPreview).show(self.passage, marked_terms(self.request.query))

    # --- actions ----------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("copy_quote", "copy_path"):
            return self.passage is not None
        return self.is_mounted and bool(self._typed) if action == "inspect" else True

    def action_move(self, way: str) -> None:
        """Move the cursor through the hits from the box where one types."""
        results = self.query_one(ResultList)
        if results.rows:
            getattr(results, f"action_{way}")()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the hits, and opens the one under the cursor where there is one."""
        event.stop()
        results = self.query_one(ResultList)
        if results.row is not None:
            results.action_select()
        elif results.rows:
            results.focus()
            results.action_first()

    async def on_result_list_opened(self, event: ResultList.Opened) -> None:
        event.stop()
        await self.edgerag.show_place(evidence_items([event.row.passage], [])[0])

    def action_next_mode(self) -> None:
        self.search(self.request.next_mode())

    def action_toggle_rerank(self) -> None:
        self.search(replace(self.request, rerank=not self.request.rerank))

    def action_filter(self) -> None:
        """Choose formats or sources in a window."""
        self._filters_task_id = list_filters(self.session, to=self).id

    def on_filters_listed(self, message: messages.FiltersListed) -> None:
        def choose(filter: SearchFilter | None) -> None:
            if filter is not None:
                self.search(replace(self.request, filter=filter))

        if message.task_id == self._filters_task_id and self.is_current:
            self.app.push_screen(SearchFilterScreen(message.filters, self.request.filter), choose)

    def action_copy_quote(self) -> None:
        if self.passage is not None:
            self._copy(self.passage.chunk.text)

    def action_copy_path(self) -> None:
        if self.passage is not None:
            self._copy(self.passage.document.path)

    def _copy(self, text: str) -> None:
        self.app.copy_to_clipboard(safe.plain(text))
        self.tell(tr("copied"))

    def action_preview(self) -> None:
        self.shows_preview = not self.query_one(HitPreview).display
        self._show_preview_box()

    async def action_inspect(self) -> None:
        """Where the scores of this search come from."""
        from edgerag_tui.screens.inspect import InspectScreen
        from edgerag_tui.screens.inspect_subject import Subject

        request, query = self.request, self._typed
        await self.edgerag.action_go("inspect")
        screen = self.app.screen
        assert isinstance(screen, InspectScreen)
        screen.inspect(
            Subject(
                query,
                query,
                mode=request.mode,
                rerank=request.rerank,
                within=request.filter.within,
            )
        )

    def action_cancel(self) -> None:
        """`esc`: back to the box; there, stop the search, then empty the box."""
        query = self.query_one("#query", Input)
        if self.focused is not query:
            query.focus()
        elif any(task.is_running for task in self._tasks):
            self._stop()
            self._show_state()
        else:
            query.value = ""
