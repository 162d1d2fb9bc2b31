"""The engine on behalf of the screens: every call of it goes through here, on a thread that is not the screen's.

Each method returns at once with a `Task`; what comes of it is posted as messages to the widget that asked (`to`).
Changes that concern everybody are announced to the application. No widget is known here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message import Message

from edgerag.errors import EdgeragError
from edgerag_tui import messages
from edgerag_tui.session_reading import Conversations, Documents, Target
from edgerag_tui.status import ModelStage, ModelStatus, Status, SyncStatus
from edgerag_tui.strings import say, say_with_hint, tr
from edgerag_tui.tasks import Lane, Task

if TYPE_CHECKING:
    # numpy and onnxruntime come with these: the first picture is painted before they are imported.
    from edgerag.answers import AskEvent, Exchange
    from edgerag.datatypes import IngestEvent
    from edgerag.engine import Engine

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 3.0
"""How long quitting waits for work to reach a safe point; what is committed is safe without it."""
STALE_STATES = frozenset({"changed", "gone", "unreadable"})


class Session:
    """Opens the engine and its models in the background and does work on them."""

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        announce: Callable[[Message], object],
        *,
        folder: Path | None = None,
    ) -> None:
        """
        Args:
            open_engine: Called once, in a worker thread.
            announce: Takes what concerns every screen; called from any thread.
            folder: Of the library, where it is not the one that `open_engine` opens by default.
        """
        self.folder = folder
        self._open_engine = open_engine
        self.announce = announce
        self._engine: Engine | None = None
        self._opened = threading.Event()
        """Set once opening has ended, well or not."""
        self._closing = threading.Event()
        self._guard = threading.Lock()
        self._close_guard = threading.Lock()
        self.is_closed = False
        """Whether all work has ended and the library is closed."""
        self._lanes: dict[str, Lane] = {}
        self.status = Status()
        self.documents = Documents(self)
        self.conversations = Conversations(self)

    # --- the engine -------------------------------------------------------------------------------

    def start(self) -> Task:
        """Open the library, then load the models, in the background."""
        return self._lane("load").submit("load", self._load)

    @property
    def engine(self) -> Engine:
        """The open engine; waits for it, so only a worker thread may ask.

        Raises:
            EdgeragError: It could not be opened; `status.problem` says why.
        """
        self._opened.wait()
        if self._engine is None:
            raise EdgeragError(self.status.problem or tr("errors.closed"))
        return self._engine

    def stop_work(self) -> None:
        """Ask all work to end at its next safe point, and take on nothing more; returns at once."""
        with self._guard:
            self._closing.set()
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.stop()

    @property
    def work_left(self) -> list[str]:
        """Names of the tasks that have not ended, without repeats."""
        with self._guard:
            lanes = list(self._lanes.values())
        return list(dict.fromkeys(name for lane in lanes for name in lane.task_names))

    def close(self, timeout_s: float | None = CLOSE_TIMEOUT_S) -> bool:
        """Stop all work, wait for it, and close the library.

        Args:
            timeout_s: For all of it together; None: as long as it takes.

        Returns:
            Whether it is closed; what has not ended by then is left to the end of the process. What is committed is
            safe either way.
        """
        self.stop_work()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._guard:
            lanes = list(self._lanes.values())
        for lane in lanes:
            if not lane.join(None if deadline is None else max(0.0, deadline - time.monotonic())):
                return False
        with self._close_guard:
            engine, self._engine = self._engine, None
            self._opened.set()
            if engine is not None:
                engine.close()
            self.is_closed = True
        return True

    def close_in_background(self, closed: Callable[[], object]) -> None:
        """`close` without a limit, in a thread of its own, which calls `closed` at the end."""

        def work() -> None:
            self.close(None)
            closed()

        self.stop_work()
        threading.Thread(target=work, name="edgerag-close", daemon=True).start()

    def _load(self, task: Task) -> None:
        try:
            self._engine = self._open_engine()
        except EdgeragError as error:
            self.change(problem=say_with_hint(error.message, error.hint))
            return
        except Exception as error:
            logger.exception("the library could not be opened")
            self.change(problem=f"{type(error).__name__}: {error}")
            return
        finally:
            self._opened.set()
        self.change(library=str(self._engine.library.folder))
        self.refresh_counts()
        self._load_model("embedder", self._open_embedder)
        self._load_model("reranker", self._open_reranker)
        self._load_model("generator", self._open_generator)

    def _load_model(self, role: str, load: Callable[[Engine], str]) -> None:
        if self._closing.is_set():
            return
        self.change(**{role: ModelStatus(ModelStage.LOADING)})
        try:
            name = load(self.engine)
        except EdgeragError as error:
            self.change(**{role: ModelStatus(ModelStage.FAILED, problem=say_with_hint(error.message, error.hint))})
            return
        except Exception as error:
            logger.exception("the %s could not be loaded", role)
            self.change(**{role: ModelStatus(ModelStage.FAILED, problem=f"{type(error).__name__}: {error}")})
            return
        self.change(**{role: ModelStatus(ModelStage.READY if name else ModelStage.ABSENT, name)})

    @staticmethod
    def _open_embedder(engine: Engine) -> str:
        name = engine.models.embedder.name
        engine.models.index.preload()
        return name

    @staticmethod
    def _open_reranker(engine: Engine) -> str:
        reranker = engine.models.reranker
        return reranker.name if reranker is not None else ""

    @staticmethod
    def _open_generator(engine: Engine) -> str:
        generator = engine.models.generator()
        return generator.name if generator is not None else ""

    # --- doing work -------------------------------------------------------------------------------

    def run(
        self, lane: str, name: str, work: Callable[[Engine, Task], Any], *, to: Target, reply: Reply | None = None
    ) -> Task:
        """Do work on the engine in a thread; errors come back as `Failed`.

        Args:
            lane: `ask`, `read` (short), `search`, `write` (changes the library) or `models`; each does one
                piece of work at a time.
            work: Gets the engine and the task, whose stop flag it must obey.
            reply: Makes a message of task id and result; default `Finished`.
        """
        return self.run_apart(lane, name, lambda task: work(self.engine, task), to=to, reply=reply)

    def run_apart(
        self, lane: str, name: str, work: Callable[[Task], Any], *, to: Target, reply: Reply | None = None
    ) -> Task:
        """`run` for work that needs no open library: models, settings, checks."""

        def do(task: Task) -> None:
            try:
                result = work(task)
            except EdgeragError as error:
                if not self._closing.is_set():
                    to.post_message(messages.Failed(task.id, name, say(error.message), say(error.hint)))
            except Exception as error:
                if self._closing.is_set():
                    return  # the library is closed under its feet
                logger.exception("%s failed", name)
                to.post_message(messages.Failed(task.id, name, f"{type(error).__name__}: {error}", ""))
            else:
                answer = reply(task.id, result) if reply else messages.Finished(task.id, name, result)
                if answer is not None:
                    to.post_message(answer)

        return self._lane(lane).submit(name, do)

    def ask(
        self,
        question: str,
        *,
        to: Target,
        conversation: int | None = None,
        history: tuple[Exchange, ...] = (),
        extractive: bool = False,
    ) -> Task:
        """Answer a question; its events come as `Ask...` messages, `AskDone` or `Failed` last."""

        def work(engine: Engine, task: Task) -> None:
            events = engine.stream_ask(
                question,
                extractive=extractive,
                stop=task.stop,
                conversation=conversation,
                history=history,
                save=engine.settings.save_conversations,
            )
            self._relay_answer(events, task, to)

        return self.run("ask", "ask", work, to=to, reply=lambda task_id, result: None)

    def _relay_answer(self, events: Iterator[AskEvent], task: Task, to: Target) -> None:
        from edgerag.answers import (
            Answer,
            AnswerDelta,
            AnswerReplaced,
            PassagesFound,
            QuestionRewritten,
            SentenceChecked,
        )

        for event in events:
            match event:
                case QuestionRewritten(question, rewritten, reason):
                    to.post_message(messages.AskRewritten(task.id, question, rewritten, reason))
                case PassagesFound(passages):
                    to.post_message(messages.AskPassages(task.id, passages))
                case AnswerDelta(text):
                    to.post_message(messages.AskDelta(task.id, text))
                case SentenceChecked(sentence, citations):
                    to.post_message(messages.AskSentence(task.id, sentence, citations))
                case AnswerReplaced(reason):
                    to.post_message(messages.AskReplaced(task.id, reason))
                case Answer():
                    self.change(degraded=event.degraded, tokens_per_s=tokens_per_s(event.notes))
                    to.post_message(messages.AskDone(task.id, event))
                    if event.conversation_id is not None:
                        self.announce(messages.ConversationsChanged())

    def ingest(self, name: str, start: Callable[[Engine, Task], Iterator[IngestEvent]], *, to: Target) -> Task:
        """Run an ingest of any kind (`stream_add`, `stream_sync`, `stream_retry`), showing it in the status line."""

        def work(engine: Engine, task: Task) -> None:
            try:
                self._relay_ingest(start(engine, task), task, to)
            finally:
                self.change(sync=None)
                self.refresh_counts()
                self.announce(messages.LibraryChanged())

        return self.run("write", name, work, to=to, reply=lambda task_id, result: None)

    def _relay_ingest(self, events: Iterator[IngestEvent], task: Task, to: Target) -> None:
        from edgerag.datatypes import FileFailed, IngestProgress

        for event in events:
            if isinstance(event, IngestProgress):
                self.change(sync=SyncStatus(event.stage, event.done_share, event.chunks_per_s, event.eta_s))
                to.post_message(messages.IngestAdvanced(task.id, event))
            elif isinstance(event, FileFailed):
                to.post_message(messages.IngestFileFailed(task.id, event))
            else:
                to.post_message(messages.IngestDone(task.id, event))

    # --- status -----------------------------------------------------------------------------------

    def refresh_counts(self) -> None:
        """Count documents, chunks and failures, and look which files have changed, in the background."""
        self._lane("status").submit("counts", self._count)

    def _count(self, task: Task) -> None:
        if self._engine is None:
            return
        counts = self._engine.library.counts()
        self.change(num_documents=counts["documents"], num_chunks=counts["chunks"], num_failed=counts["failures"])
        states = self._engine.files()
        self.change(num_stale=sum(file.state in STALE_STATES for file in states))

    def change(self, **changes: Any) -> None:
        """Change fields of the status and announce it; from any thread."""
        with self._guard:
            status = replace(self.status, **changes)
            if status == self.status:
                return
            self.status = status
            # Under the lock: what is announced last is the latest.
            self.announce(messages.StatusChanged(status))

    def _lane(self, name: str) -> Lane:
        with self._guard:
            lane = self._lanes.setdefault(name, Lane(name))
        if self._closing.is_set():
            lane.stop()
        return lane


Reply = Callable[[int, Any], Message | None]


def tokens_per_s(notes: dict[str, object]) -> float | None:
    """Decoding speed out of an answer's notes; None where no generator ran."""
    run = notes.get("generation")
    speed = run.get("decode_tokens_per_s") if isinstance(run, dict) else None
    return float(speed) if speed else None
