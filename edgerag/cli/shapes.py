"""The JSON shapes that scripts rely on (see `DESIGN` in the README: stable, versioned by `schema_version`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # A search prints no answer: what it does not need is not imported.
    from edgerag.answers import Answer, AnswerSentence, Citation
    from edgerag.datatypes import Document, Passage, SearchResult
    from edgerag.storage.turns import Conversation, Turn


def document_json(document: Document) -> dict[str, Any]:
    return {"id": document.id, "path": document.path, "title": document.title}


def hit_json(passage: Passage) -> dict[str, Any]:
    scores = passage.scores
    return {
        "rank": passage.rank,
        "document": document_json(passage.document),
        "chunk_id": passage.chunk.id,
        "page": passage.chunk.page,
        "heading": passage.chunk.heading,
        "start": passage.chunk.start_chars,
        "end": passage.chunk.end_chars,
        "text": passage.chunk.text,
        "scores": {
            "lexical": scores.lexical,
            "vector": scores.vector,
            "fused": scores.fused,
            "rerank": scores.rerank,
            "final": scores.final,
        },
    }


def search_json(result: SearchResult, *, explain: bool) -> dict[str, Any]:
    shape = {
        "query": result.query,
        "hits": [hit_json(passage) for passage in result.passages],
        "degraded": list(result.degraded),
        "timings_ms": rounded(result.timings_ms),
    }
    return shape | {"explain": result.notes} if explain else shape


def citation_json(citation: Citation) -> dict[str, Any]:
    return {
        "marker": citation.marker,
        "document": document_json(citation.document),
        "page": citation.page,
        "start": citation.start_chars,
        "end": citation.end_chars,
        "quote": citation.quote,
        "heading": citation.heading,
    }


def answer_json(answer: Answer) -> dict[str, Any]:
    return {
        "question": answer.question,
        "answer": answer.text,
        "abstained": answer.abstained,
        "model": answer.model,
        "sentences": [sentence_json(sentence) for sentence in answer.sentences],
        "citations": [citation_json(citation) for citation in answer.citations],
        "hits": [hit_json(passage) for passage in answer.passages],
        "degraded": list(answer.degraded),
        "timings_ms": rounded(answer.timings_ms),
        "notes": answer.notes,
        "rewritten": answer.rewritten,
        "conversation": answer.conversation_id,
    }


def sentence_json(sentence: AnswerSentence) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "supported": sentence.is_supported,
        "markers": list(sentence.markers),
        "reason": sentence.reason,
    }


def conversation_json(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "title": conversation.title,
        "started_at": conversation.started_at,
        "changed_at": conversation.changed_at,
        "turns": conversation.num_turns,
    }


def turn_json(turn: Turn) -> dict[str, Any]:
    return {
        "turn": turn.ordinal,
        "asked_at": turn.asked_at,
        "question": turn.question,
        "rewritten": turn.rewritten,
        "answer": turn.text,
        "abstained": turn.abstained,
        "model": turn.model,
        "sentences": [sentence_json(sentence) for sentence in turn.sentences],
        "citations": [citation_json(citation) for citation in turn.citations],
        "degraded": list(turn.degraded),
        "seconds": round(turn.seconds, 3),
    }


def rounded(timings_ms: dict[str, float]) -> dict[str, float]:
    return {stage: round(elapsed, 3) for stage, elapsed in timings_ms.items()}
