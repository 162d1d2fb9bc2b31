"""Every widget that shows text of any origin, made of one text: for `test_hostile_text.py`."""

from __future__ import annotations

from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from edgerag.answers import AnswerSentence, Citation
from edgerag.ask.absence import StageOutcome
from edgerag.ask.explain import EvidenceUse, Explanation, HitExplanation, TermScore
from edgerag.ask.why_not import WhyNot
from edgerag.cli.doctor import Finding
from edgerag.datatypes import (
    Chunk,
    Document,
    FileFailed,
    Heading,
    IngestProgress,
    PageSpan,
    Passage,
    PromptPart,
    Scores,
)
from edgerag.ingest.file_states import FileState
from edgerag.storage.library import Source, StoredText
from edgerag.storage.turns import Conversation, ConversationHit
from edgerag_tui import safe
from edgerag_tui.evidence import evidence_items
from edgerag_tui.file_views import file_details
from edgerag_tui.job import Job, JobState
from edgerag_tui.job_views import job_log
from edgerag_tui.library_tree import Node, build_tree, rows_of
from edgerag_tui.messages import DocumentView
from edgerag_tui.models_work import ModelRow
from edgerag_tui.path_completion import Completion
from edgerag_tui.screens.conversations import conversation_content, hit_content
from edgerag_tui.screens.doctor import finding_content
from edgerag_tui.screens.inspect_bars import hit_line, waterfall
from edgerag_tui.screens.inspect_content import (
    evidence_content,
    prompt_content,
    prompt_title,
    search_notes,
    state_content,
    time_content,
    why_not_content,
)
from edgerag_tui.screens.inspect_subject import Subject
from edgerag_tui.screens.library_add import completion_content
from edgerag_tui.screens.models_content import Activity, Doing, details_content, row_content
from edgerag_tui.screens.search_filter import filter_name
from edgerag_tui.screens.search_request import SearchFilter
from edgerag_tui.screens.search_rows import ResultRow
from edgerag_tui.screens.settings_content import details_content as setting_details
from edgerag_tui.screens.settings_content import row_content as setting_content
from edgerag_tui.settings_work import SettingRow
from edgerag_tui.status import ModelStage, ModelStatus, Status
from edgerag_tui.term_marks import marked_terms
from edgerag_tui.turns import Phase, TurnState
from edgerag_tui.vitals import Vitals
from edgerag_tui.widgets.document_picker import DocumentPicker
from edgerag_tui.widgets.evidence_list import EvidenceList
from edgerag_tui.widgets.file_tree import FileTree
from edgerag_tui.widgets.hit_preview import HitPreview
from edgerag_tui.widgets.jobs_pane import JobsPane
from edgerag_tui.widgets.question_box import QuestionBox
from edgerag_tui.widgets.result_list import ResultList
from edgerag_tui.widgets.status_line import status_content
from edgerag_tui.widgets.text_view import TextView
from edgerag_tui.widgets.turn_view import TurnView

WIDTH = 60
"""Cells in a row."""


def document(text: str) -> Document:
    return Document(1, "/notes/" + text, text, "text", "0" * 64, 10, 1)


def passage(text: str) -> Passage:
    chunk = Chunk(1, 1, 0, text or " ", 0, len(text or " "), 3, text)
    return Passage(1, document(text), chunk, Scores(1, 1, 1, 1, 1))


def citation(text: str) -> Citation:
    return Citation(1, document(text), 3, 0, len(text), text, text)


def evidence(text: str) -> Widget:
    widget = EvidenceList()
    items = evidence_items([passage(text)], [citation(text)] if text else [])
    widget.call_after_refresh(widget.show, items)
    return widget


def answer(text: str) -> Widget:
    sentences = [AnswerSentence(text, (1,)), AnswerSentence(text, (), text)]
    return TurnView(
        TurnState(
            text,
            Phase.DONE,
            rewritten=text,
            sentences=sentences,
            draft=text,
            replaced=text,
            model=text,
            degraded=(text,),
            seconds=1.0,
        )
    )


def extract(text: str) -> Widget:
    return TurnView(TurnState(text, Phase.FAILED, sentences=[AnswerSentence(text, (1,))], problem=text))


def reader(text: str) -> Widget:
    stored = StoredText(document(text), text, (PageSpan(1, 0, len(text)),), (Heading(1, text, 0),), (text,))
    widget = TextView()
    widget.call_after_refresh(
        widget.load, DocumentView(stored, safe.plain(text), 0, len(text), "exact", ((0, len(text)),))
    )
    widget.styles.height = 10
    return widget


def picker(text: str) -> Widget:
    widget = DocumentPicker()
    widget.call_after_refresh(widget.show, [document(text)])
    return widget


def box(text: str) -> Widget:
    widget = QuestionBox()
    widget.remember(safe.plain(text))
    widget.call_after_refresh(widget.action_cursor_up)
    return widget


def status(text: str) -> Widget:
    model = ModelStatus(ModelStage.READY, text)
    told = Status(library="/" + text, generator=model, embedder=model, reranker=model, num_stale=0, degraded=(text,))
    return Static(status_content(told, Vitals(1, 0), WIDTH))


def problem(text: str) -> Widget:
    return Static(status_content(Status(problem=text), Vitals(1, 0), WIDTH))


def title(text: str) -> Widget:
    widget = Static(Content("x"))
    widget.styles.border = ("round", "red")
    widget.border_title = safe.content_line(text) or None
    return widget


def conversation(text: str) -> Widget:
    saved = Conversation(1, text, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", 1)
    hit = ConversationHit(saved, 1, text)
    return Static(Content("\n").join([conversation_content(saved), hit_content(hit)]))


def file_node(text: str) -> Node:
    path = f"/notes/{text}"
    state = FileState(path, 1, "/notes", "failed", text, 1, text, text, 10, 1, text)
    return build_tree([state], [Source(1, "/notes", "")])[0]


def files(text: str) -> Widget:
    widget = FileTree()
    root = file_node(text)
    widget.expanded = {node.path for node in rows_of([root], set(), words="/notes")}
    widget.call_after_refresh(widget.load, [root])
    widget.styles.height = 10
    return widget


def file_facts(text: str) -> Widget:
    return Static(file_details(rows_of([file_node(text)], set(), words="/notes")[-1]))


def jobs(text: str) -> Widget:
    progress = IngestProgress("ingest", 1, 2, 3, text, 4.0, 5.0, 0.5)
    failed = FileFailed(text, text)
    job = Job(1, "add", (text,), JobState.RUNNING, progress=progress, failures=(failed,), num_failed=1)
    broken = Job(2, "remove", (text,), JobState.FAILED, problem=text, hint=text)
    widget = JobsPane()
    widget.call_after_refresh(widget.show, [job, broken])
    return Vertical(Static(Content("\n").join([job_log(job), job_log(broken)])), widget)


def completion(text: str) -> Widget:
    return Static(completion_content(Completion(text, text, True)))


def results(text: str) -> Widget:
    widget = ResultList()
    rows = [ResultRow(passage(text), 1), ResultRow(passage(text), None)]
    widget.call_after_refresh(widget.show, rows, text, marked_terms(text), Content(""))
    widget.styles.height = 6
    return widget


def hit(text: str) -> Widget:
    widget = HitPreview()
    widget.call_after_refresh(widget.show, passage(text), marked_terms(text))
    widget.styles.height = 12
    return widget


def explanation(text: str) -> Explanation:
    term = TermScore(text, 1.0)
    parts = (PromptPart(text, is_control=True), PromptPart(text, is_control=False))
    return Explanation(
        question=text,
        rewritten=text,
        hits=(HitExplanation(passage(text), (term,), 1, 1, 1, 1, 0.2, 0.2, 0.2),),
        evidence=(EvidenceUse(text, 1, 0, len(text), 1.0, 0.5, True),),
        evidence_score=1.0,
        min_evidence=0.5,
        abstains=False,
        model=text,
        prompt=parts,
        prompt_tokens=1,
        budget_tokens=1,
        terms=(text,),
        dropped_terms=(text,),
        vector_weight=0.5,
        rerank_weight=0.5,
        degraded=(text,),
        timings_ms={text: 1.0},
        notes={"vector_method": text, "reranker": text},
    )


def scores(text: str) -> Widget:
    told = explanation(text)
    subject = Subject(text, text + " ", timings_ms={text: 1.0})
    lines = [hit_line(told.hits[0], WIDTH), waterfall(told.hits[0], told, WIDTH), search_notes(told)]
    return Static(Content("\n").join([*lines, state_content(subject, told), time_content(subject, told, WIDTH)]))


def prompt(text: str) -> Widget:
    told = explanation(text)
    return Static(Content("\n").join([prompt_title(told), prompt_content(told), evidence_content(told.evidence[0])]))


def absence(text: str) -> Widget:
    stages = (StageOutcome("lexical", False, text, 1, 1.0, 1),)
    chunk = passage(text).chunk
    told = why_not_content(WhyNot(text, text, "/notes/" + text, document(text), chunk, stages, "lexical", text), WIDTH)
    filters = (SearchFilter(format=text), SearchFilter(source=text), SearchFilter(path=text))
    names = [filter_name(filter) for filter in filters]
    return Static(Content("\n").join([told, *names]))


def rows(text: str) -> Widget:
    """A model, a setting and a finding of the doctor's."""
    model = ModelRow(text, "generator", "installed", 1, text, text, precision=text, sources=(text,), folder=text)
    working = Activity(Doing.PULLING, label=text, done_bytes=1, total_bytes=2, notes=[(text, "$text-warning")])
    setting = SettingRow("generator", text, "", "session", choices=(text,), until_restart=text)
    parts = [
        row_content(model, working, Status(), WIDTH),
        details_content(model, working, WIDTH),
        setting_content(setting, WIDTH),
        setting_details(setting, WIDTH),
        finding_content(Finding("library", "problem", text), WIDTH),
    ]
    return Static(Content("\n").join(parts))


WIDGETS = (
    results,
    hit,
    scores,
    prompt,
    absence,
    files,
    file_facts,
    jobs,
    completion,
    evidence,
    answer,
    extract,
    reader,
    picker,
    box,
    status,
    problem,
    title,
    conversation,
    rows,
)
