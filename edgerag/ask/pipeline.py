"""From a question to a cited answer: rewrite -> retrieve -> evidence -> prompt -> generate -> check -> cite."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Generator as PythonGenerator
from contextlib import contextmanager
from dataclasses import replace

from edgerag.answers import (
    Answer,
    AnswerDelta,
    AnswerReplaced,
    AnswerSentence,
    AskEvent,
    Citation,
    Exchange,
    PassagesFound,
    QuestionRewritten,
    SentenceChecked,
)
from edgerag.ask.answer_stream import SentenceStream, cuts_short, declines
from edgerag.ask.check import Evidence
from edgerag.ask.cite import CitationBook
from edgerag.ask.deadline import Deadline
from edgerag.ask.evidence import bears_on_question, prepare_prompt, weigh_evidence
from edgerag.ask.extract import EvidenceSentence, best_sentences
from edgerag.ask.prompt import stop_strings
from edgerag.ask.rewrite import rewrite
from edgerag.coded_text import at_stage, coded
from edgerag.config import Settings
from edgerag.datatypes import PageSpan, Passage, Sampling, SearchResult
from edgerag.errors import LibraryError, ModelError
from edgerag.protocols import Embedder, Generator, Reranker, StopFlag
from edgerag.scripts import knows_script
from edgerag.stopping import StoppedError, stoppable

logger = logging.getLogger(__name__)

GENERATE_TIMEOUT_S = 600.0
"""Longest time one answer may take; a slow machine needs a minute, and one that needs ten is stuck."""
BROKEN = coded("unsupported.broken", "it breaks off")
DECLINED = coded("unsupported.declined", "the generator says that it does not know")
NO_GENERATOR = at_stage(
    "generate",
    coded("degraded.no_generator", "no generator is installed; `edgerag models pull smollm2-135m` fetches one"),
)
INTERRUPTED = coded("degraded.interrupted", "interrupted")
UNSUPPORTED = coded("unsupported.unsupported", "nothing supports it")
ANSWERS_ELSE = coded("unsupported.answers_else", "what was generated is in the documents but answers something else")


def ask(
    question: str,
    *,
    retrieve: Callable[[str], SearchResult],
    embedder: Embedder,
    reranker: Reranker | None,
    generator: Generator | None,
    settings: Settings,
    extractive: bool,
    sampling: Sampling,
    stop: StopFlag,
    document_text: Callable[[int], str] | None = None,
    document_pages: Callable[[int], Sequence[PageSpan]] | None = None,
    no_generator: str = NO_GENERATOR,
    timeout_s: float = GENERATE_TIMEOUT_S,
    history: Sequence[Exchange] = (),
) -> PythonGenerator[AskEvent, None, None]:
    """Answer a question from the passages that are found for it.

    Args:
        retrieve: Ranked passages for a query; raises like `Retriever.retrieve`.
        reranker: Helps to pick sentences; None leaves its share out.
        generator: None gives the extractive answer, and without `extractive` says so in `degraded`.
        extractive: The best sentences themselves; the generator is not asked.
        sampling: The prompt's own stop strings are added to its.
        stop: Ends the answer early; what was checked until then stays.
        no_generator: What `degraded` says where a generator was wanted and there is none.
        document_text: Parsed text by document id; each quote is then compared with it.
        document_pages: Its pages by document id; each quote then carries the page on which it begins.
        timeout_s: For the generator.
        history: Earlier exchanges, oldest first: what a follow-up may refer to.

    Yields:
        `QuestionRewritten` where a follow-up was made to stand alone; `PassagesFound`; while a generator speaks
        `AnswerDelta` and `SentenceChecked`; `AnswerReplaced` where what was said is withdrawn; an `Answer` at the end,
        always.

    Raises:
        ValueError: The question is blank.
        EdgeragError: Retrieval or the embedder failed. A failing generator only degrades the answer.
    """
    if not question.strip():
        raise ValueError("a question must not be blank")
    rewriting = rewrite(question, history) if settings.rewrite_questions else None
    if rewriting is not None:
        yield QuestionRewritten(question, rewriting.question, rewriting.reason)
    standalone = rewriting.question if rewriting is not None else question
    citations = CitationBook(document_text, document_pages)
    run = _Run(standalone, embedder, reranker, settings, stop, citations, asked=question)
    try:
        with stoppable(stop):
            found = retrieve(standalone)
    except StoppedError:
        run.note_interrupted("retrieve")
        yield run.answer()
        return
    run.take(found)
    yield PassagesFound(found.passages)
    if stop.is_set():
        run.note_interrupted("retrieve")
        yield run.answer()
        return
    try:
        with stoppable(stop):
            run.weigh_evidence()
    except StoppedError:
        run.note_interrupted("evidence")
        yield run.answer()
        return
    if run.abstains:
        yield run.answer()
        return
    if extractive:
        yield from run.extract()
    elif generator is None:
        run.degraded.append(no_generator)
        yield from run.extract()
    else:
        yield from run.generate(generator, sampling, timeout_s)
    yield run.answer()


@contextmanager
def _closing(stream: Iterator[str]) -> Iterator[Iterator[str]]:
    """End a stream at once when its answer is abandoned: a generator serves one prompt at a time."""
    try:
        yield stream
    finally:
        if isinstance(stream, PythonGenerator):
            stream.close()


class _Run:
    """One question on its way to an answer."""

    def __init__(
        self,
        question: str,
        embedder: Embedder,
        reranker: Reranker | None,
        settings: Settings,
        stop: StopFlag,
        book: CitationBook,
        *,
        asked: str,
    ) -> None:
        self._question = question
        self._asked = asked
        self._embedder = embedder
        self._reranker = reranker
        self._settings = settings
        self._stop = stop
        self._book = book
        self._passages: tuple[Passage, ...] = ()
        self._ranked: list[EvidenceSentence] = []
        self._sentences: list[AnswerSentence] = []
        self._relied_on: list[EvidenceSentence] = []
        """What supports the sentences."""
        self._model: str | None = None
        self._start = time.perf_counter()
        self._timings_ms: dict[str, float] = {}
        self._notes: dict[str, object] = {}
        self.degraded: list[str] = []
        self.abstains = False

    def take(self, found: SearchResult) -> None:
        self._passages = found.passages
        self.degraded.extend(found.degraded)
        self._timings_ms |= {stage: ms for stage, ms in found.timings_ms.items() if stage != "total"}
        self._timings_ms["retrieve"] = self._elapsed_ms()

    def note_interrupted(self, stage: str) -> None:
        self.degraded.append(at_stage(stage, INTERRUPTED))

    def weigh_evidence(self) -> None:
        """Rank the passages' sentences and decide whether to answer at all."""
        start = time.perf_counter()
        weighed = weigh_evidence(self._question, self._passages, embedder=self._embedder, reranker=self._reranker)
        self._ranked = weighed.ranked
        self.degraded.extend(weighed.degraded)
        self._timings_ms["evidence"] = (time.perf_counter() - start) * 1000
        self._notes["evidence_score"] = round(weighed.score, 4)
        self.abstains = weighed.is_too_weak(self._settings)

    def extract(self) -> Iterator[AskEvent]:
        """Answer with the best sentences themselves."""
        for sentence in best_sentences(self._ranked):
            checked = self._cited(" ".join(sentence.text.split()), (sentence,))
            if checked.sentence.is_supported:
                self._sentences.append(checked.sentence)
                yield checked
        self.abstains = not self._sentences

    def generate(self, generator: Generator, sampling: Sampling, timeout_s: float) -> Iterator[AskEvent]:
        """Answer with a generator's sentences, each checked; fall back to `extract` where none holds."""
        self._model = generator.name
        evidence = Evidence(self._question, self._ranked)
        deadline = Deadline(self._stop, timeout_s)
        start = time.perf_counter()
        spoken = SentenceStream()
        raw = problem = ""
        try:
            for delta in self._deltas(generator, sampling, deadline, start):
                raw += delta
                shown, complete = spoken.feed(delta)
                if shown:
                    yield AnswerDelta(shown)
                for text in complete:
                    yield self._check(text, evidence)
                if spoken.is_repeating:
                    break  # a small model at temperature 0 goes round in circles until `max_tokens`
        except ModelError as error:
            logger.info("the generator failed: %s", error)
            problem = error.message
        complete, broken = spoken.finish()
        for text in complete:
            yield self._check(text, evidence)
        self._timings_ms["generate"] = (time.perf_counter() - start) * 1000
        if statistics := getattr(generator, "last_run", None):
            self._notes["generation"] = dataclasses.asdict(statistics)

        if self._stop.is_set():
            self.note_interrupted("generate")
            return
        if not problem and deadline.is_over():
            problem = coded("degraded.timeout", "timed out after {seconds:g} s", seconds=timeout_s)
        # Small models often leave out the last full stop. A sentence that was cut off is another matter: half a
        # statement can say the opposite of the whole, and it is dropped.
        was_cut = bool(problem) or spoken.is_repeating or generator.count_tokens(raw) >= sampling.max_tokens - 1
        was_cut = was_cut or cuts_short(getattr(statistics, "stopped_by", ""), sampling.stop)
        if broken and (not was_cut or not self._sentences):
            yield self._flag(broken, BROKEN) if was_cut else self._check(broken, evidence)
        if problem:
            self.degraded.append(at_stage("generate", problem))
        if not any(sentence.is_supported for sentence in self._sentences):
            yield from self._replace(problem or self._why_unsupported())
        elif not self._is_settled():
            yield from self._replace(problem or ANSWERS_ELSE)

    def _deltas(self, generator: Generator, sampling: Sampling, deadline: Deadline, start: float) -> Iterator[str]:
        prompt = prepare_prompt(
            self._question, self._ranked, generator=generator, settings=self._settings, sampling=sampling
        )
        self._notes["evidence_sentences"] = len(prompt.evidence)
        stops = tuple(dict.fromkeys((*stop_strings(generator.family), *sampling.stop)))
        with _closing(generator.stream(prompt.parts, replace(sampling, stop=stops), deadline)) as stream:
            for number, delta in enumerate(stream):
                if number == 0:
                    self._timings_ms["first_token"] = (time.perf_counter() - start) * 1000
                yield delta

    def _check(self, text: str, evidence: Evidence) -> SentenceChecked:
        verdict = evidence.check(text, self._similarities(text), support_floor=self._settings.support_floor)
        # Only now: `Breakfast is not provided in the hut.` may be what the documents say.
        if not verdict.supports and declines(text):
            return self._flag(text, DECLINED)
        checked = self._cited(text, verdict.supports, verdict.reason)
        self._sentences.append(checked.sentence)
        return checked

    def _flag(self, text: str, reason: str) -> SentenceChecked:
        sentence = AnswerSentence(text, (), reason)
        self._sentences.append(sentence)
        return SentenceChecked(sentence, (), self._is_settled())

    def _similarities(self, text: str) -> list[float] | None:
        if not knows_script(self._embedder.languages, text):
            return None
        embedding = self._embedder.encode_documents([text])[0].embedding
        return [float(embedding @ sentence.embedding) for sentence in self._ranked]

    def _cited(self, text: str, supports: tuple[EvidenceSentence, ...], reason: str = "") -> SentenceChecked:
        """Give a sentence its citations; one whose quote is not where it should be counts for nothing."""
        known = len(self._book.citations)
        cited: list[Citation] = []
        for support in supports:
            try:
                cited.append(self._book.cite(support.passage, support.start_chars, support.end_chars))
            except LibraryError as error:
                self.degraded.append(at_stage("cite", error.message))
                reason = reason or coded("unsupported.source", "its source could not be verified")
        if len(cited) < len(supports):
            cited = []
        else:
            self._relied_on += supports
        markers = tuple(sorted({citation.marker for citation in cited}))
        sentence = AnswerSentence(text, markers, "" if markers else reason or UNSUPPORTED)
        return SentenceChecked(sentence, tuple(self._book.citations[known:]), self._is_settled())

    def _is_settled(self) -> bool:
        return bears_on_question(self._relied_on, self._ranked)

    def _replace(self, reason: str) -> Iterator[AskEvent]:
        if at_stage("generate", reason) not in self.degraded:
            instead = coded(
                "degraded.replaced", "{reason}; the best sentences of the documents are shown instead", reason=reason
            )
            self.degraded.append(at_stage("generate", instead))
        yield AnswerReplaced(reason)
        self._sentences.clear()
        self._relied_on.clear()
        self._book.clear()
        self._model = None
        yield from self.extract()

    def _why_unsupported(self) -> str:
        if not self._sentences:
            return coded("unsupported.silent", "the generator said nothing")
        if all(sentence.reason == DECLINED for sentence in self._sentences):
            return DECLINED
        return coded("unsupported.none", "no generated sentence is supported by the documents")

    def answer(self) -> Answer:
        """The result, as far as it came."""
        self._timings_ms["total"] = self._elapsed_ms()
        used = {marker for sentence in self._sentences for marker in sentence.markers}
        return Answer(
            question=self._asked,
            rewritten=self._question if self._question != self._asked else None,
            sentences=tuple(self._sentences),
            abstained=self.abstains,
            model=self._model,
            citations=tuple(citation for citation in self._book.citations if citation.marker in used),
            passages=self._passages,
            degraded=tuple(dict.fromkeys(self.degraded)),
            timings_ms=self._timings_ms,
            notes=self._notes,
        )

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._start) * 1000
