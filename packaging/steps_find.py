"""Steps of the self-test: reading every format, finding, answering, citing."""

from __future__ import annotations

from typing import Any

from session import Session

SEARCH_KEYS = "query hits degraded timings_ms"
HIT_KEYS = {"rank", "document", "chunk_id", "page", "heading", "start", "end", "text", "scores"}
ASK_KEYS = "question answer abstained model sentences citations hits degraded timings_ms"
SYNC_KEYS = "added updated unchanged moved removed failed chunks embedded_chunks seconds"
EXAMPLES = 6
"""Documents in the checkout's `examples` that its ignore file lets through."""
QUESTION, PRICE = "What does a night cost for members?", "24 euros for members"
CHINESE, CHINESE_TIMES = "观测员每天几点读取雨量计?", "8时和20时读取雨量计"


def add(session: Session) -> str:
    """Every document of the folder is read and embedded."""
    wanted = len(session.samples) + EXAMPLES
    told = session.json("add", session.place.inside(session.documents), keys=SYNC_KEYS, timeout_s=180)
    failed = "; ".join(f"{failure['path']}: {failure['reason']}" for failure in told["failed"])
    session.expect(not failed, f"could not be read: {failed}")
    session.expect(told["added"] == wanted, f"added {told['added']} documents instead of {wanted}")
    session.expect(
        told["embedded_chunks"] == told["chunks"] >= wanted,
        f"{told['embedded_chunks']} of {told['chunks']} chunks were embedded",
    )
    session.facts["chunks"] = told["chunks"]
    return f"{wanted} documents, {told['chunks']} chunks in {told['seconds']:.1f} s{emulated_workers(session)}"


def emulated_workers(session: Session) -> str:
    """Under emulation: the parse workers must have been seen, and nothing may have run on the real processor."""
    if session.place.emulation is None:
        return ""
    seen = session.runs[-1].seen
    native = [what for what in seen if what.startswith("native")]
    session.expect(not native, f"ran on the real processor: {'; '.join(native)}")
    session.expect("emulated worker" in seen, "no emulated parse worker was seen")
    return ", parse workers emulated too"


def formats(session: Session) -> str:
    """The question about each document leads to it, to the right page and heading, in its exact words."""
    # An emulated processor takes half a minute to load the embedder: there the words must do, except for the first.
    by_words = ["--mode", "lexical", "--no-rerank"] if session.place.emulation is not None else []
    for number, sample in enumerate(session.samples):
        options = by_words if number else []
        told = session.json("search", "-k", "1", *options, sample.question, keys=SEARCH_KEYS)
        session.expect(told["degraded"] == [], f"{sample.name}: degraded: {told['degraded']}")
        session.expect(bool(told["hits"]), f"{sample.name}: nothing found")
        hit = told["hits"][0]
        found = hit["document"]["path"]
        session.expect(found.endswith(f"/{sample.name}"), f"{sample.name}: {found} was found instead")
        session.expect(sample.sentence in hit["text"], f"{sample.name}: the hit does not say {sample.sentence!r}")
        session.expect(hit["page"] == sample.page, f"{sample.name}: page {hit['page']} instead of {sample.page}")
        if sample.heading is not None:
            last = (hit["heading"] or "").split(" > ")[-1]
            session.expect(last == sample.heading, f"{sample.name}: heading {last!r} instead of {sample.heading!r}")
        session.expect_exact(hit["start"], hit["end"], hit["text"], hit["document"])
    kinds = {sample.format for sample in session.samples}
    return f"{len(kinds)} formats in {len(session.samples)} files: {' '.join(sorted(kinds))}"


def sync_again(session: Session) -> str:
    """A second sync does nothing."""
    told = session.json("sync", keys=SYNC_KEYS)
    idle = {key: told[key] for key in ("added", "updated", "moved", "removed", "embedded_chunks", "failed")}
    session.expect(not any(idle.values()), f"a sync without changes did something: {idle}")
    wanted = len(session.samples) + EXAMPLES
    session.expect(told["unchanged"] == wanted, f"{told['unchanged']} unchanged instead of {wanted}")
    return f"{told['unchanged']} unchanged in {told['seconds']:.3f} s"


def sync_changes(session: Session) -> str:
    """A new, an edited and a deleted file are noticed; what is deleted is not served."""
    folder = session.documents / "changing"
    folder.mkdir()
    (folder / "tent.txt").write_text("The tent of the circus holds 900 people.\n", encoding="utf-8")
    (folder / "raft.txt").write_text("The raft of the scouts is moored at pier six.\n", encoding="utf-8")
    told = session.json("sync", keys=SYNC_KEYS)
    session.expect((told["added"], told["updated"], told["removed"]) == (2, 0, 0), "two new files were not added")
    (folder / "tent.txt").write_text("The tent of the circus now holds 1,150 people.\n", encoding="utf-8")
    (folder / "raft.txt").unlink()
    told = session.json("sync", keys=SYNC_KEYS)
    session.expect(
        (told["added"], told["updated"], told["removed"]) == (0, 1, 1), "an edited and a deleted file were not noticed"
    )
    hits = session.json("search", "How many people does the tent of the circus hold?", keys=SEARCH_KEYS)["hits"]
    session.expect(bool(hits) and "1,150" in hits[0]["text"], "the edited text is not found")
    hits = session.json("search", "Where is the raft of the scouts moored?", keys=SEARCH_KEYS)["hits"]
    session.expect(not any("pier six" in hit["text"] for hit in hits), "a deleted file is still served")
    return "2 added, 1 updated, 1 removed and no longer found"


def search_modes(session: Session) -> str:
    """Words, meaning, both; with and without the reranker; for scripts and for people."""
    ranks = []
    for options in (["--mode", "lexical", "--no-rerank"], ["--mode", "vector"], ["--mode", "hybrid"], ["--no-rerank"]):
        told = session.json("search", *options, "--require", "all", QUESTION, keys=SEARCH_KEYS)
        session.expect(all(set(hit) >= HIT_KEYS for hit in told["hits"]), f"{options}: a hit lacks a field")
        ranked = [hit["rank"] for hit in told["hits"]]
        session.expect(ranked == list(range(1, len(ranked) + 1)), f"{options}: ranks are {ranked}")
        ranks.append(_rank_of(session, told["hits"], PRICE))
        scores = told["hits"][0]["scores"]
        session.expect("lexical" in options or scores["vector"] is not None, f"{options}: no vector score")
        session.expect("--no-rerank" in options or scores["rerank"] is not None, f"{options}: no rerank score")
    shown = session.run("search", "--explain", QUESTION).text
    session.expect("handbook.md" in shown and "vector weight" in shown, "the printed search lacks file or explanation")
    session.expect("\x1b" not in shown, "colours although stdout is no terminal")
    session.json("search", "--mode", "lexical", "--no-rerank", "zzyzzyva", keys=SEARCH_KEYS, status=1)
    return f"lexical, vector, hybrid, without reranker: rank {', '.join(map(str, ranks))}; nothing found: exit code 1"


def _rank_of(session: Session, hits: list[dict[str, Any]], part: str) -> int:
    rank = next((hit["rank"] for hit in hits if part in hit["text"]), 0)
    session.expect(1 <= rank <= 3, f"{part!r} stands at rank {rank or 'none'} instead of 1 to 3")
    return rank


def search_chinese(session: Session) -> str:
    """A Chinese question finds the Chinese document."""
    told = session.json("search", "-k", "3", CHINESE, keys=SEARCH_KEYS)
    hit = told["hits"][0]
    session.expect(hit["document"]["path"].endswith("/观测手册.md"), f"{hit['document']['path']} was found instead")
    session.expect(CHINESE_TIMES in hit["text"], f"the hit does not say {CHINESE_TIMES}")
    return "观测手册.md, rank 1"


def ask_extractive(session: Session) -> str:
    """Answers in the words of the documents, each quote where it says."""
    parts = []
    cases = (
        (QUESTION, PRICE, "handbook.md", None),
        (CHINESE, CHINESE_TIMES, "观测手册.md", None),
        ("After how many hours is the ultraviolet lamp replaced?", "9,000 hours", "maintenance.pdf", 2),
    )
    for question, part, name, page in cases:
        told = session.json("ask", "--extractive", "--require", "all", question, keys=ASK_KEYS)
        count = expect_cited(session, told)
        session.expect(told["model"] is None, f"an extractive answer names a model: {told['model']}")
        cited = next((one for one in told["citations"] if part in one["quote"]), None)
        session.expect(cited is not None, f"no quote says {part!r}; the answer: {told['answer']!r}")
        assert cited is not None
        session.expect(cited["document"]["path"].endswith(f"/{name}"), f"{cited['document']['path']} is cited")
        session.expect(page is None or cited["page"] == page, f"page {cited['page']} instead of {page}")
        parts.append(count)
    shown = session.run("ask", "--extractive", "--no-save", QUESTION).text
    session.expect("[1]" in shown and "handbook.md" in shown, "the printed answer lacks its citation")
    return f"{sum(parts)} citations exact, {len(cases)} questions, one in Chinese, one with its page"


def expect_cited(session: Session, told: dict[str, Any]) -> int:
    """Every supported sentence has citations, every citation is exact; returns how many."""
    session.expect(not told["abstained"] and bool(told["answer"]), "abstained")
    markers = {citation["marker"] for citation in told["citations"]}
    session.expect(bool(markers), "an answer without a citation")
    for sentence in told["sentences"]:
        session.expect(set(sentence["markers"]) <= markers, f"a marker without citation: {sentence['markers']}")
        session.expect(not sentence["supported"] or bool(sentence["markers"]), "a supported sentence without a marker")
    for citation in told["citations"]:
        session.expect_exact(citation["start"], citation["end"], citation["quote"], citation["document"])
    return len(markers)


def abstain(session: Session) -> str:
    """What the documents do not answer is not answered."""
    told = session.json("ask", "--extractive", "Who won the football world cup in 1998?", keys=ASK_KEYS, status=1)
    session.expect(told["abstained"] is True and told["citations"] == [], "an answer that no document gives")
    return "exit code 1"


def follow_up(session: Session) -> str:
    """A conversation is kept and continued."""
    session.json("ask", "--extractive", "What does a night cost?", keys=ASK_KEYS)
    told = session.json("ask", "--extractive", "-c", "what about members?", keys=ASK_KEYS + " rewritten conversation")
    session.expect(told["rewritten"] == QUESTION, f"understood as {told['rewritten']!r}")
    kept = session.json("conversations", "list", keys="conversations")["conversations"]
    mine = [one for one in kept if one["id"] == told["conversation"]]
    session.expect(bool(mine) and mine[0]["turns"] == 2, "the conversation was not kept with both turns")
    return f"understood as: {told['rewritten']}"
