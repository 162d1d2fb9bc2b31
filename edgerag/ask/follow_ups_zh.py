"""Chinese follow-ups: 它、那里、冬天呢、为什么. The same two cases as in English, told by their characters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgerag.answers import Exchange
from edgerag.ask.topics_zh import IS_GROUP, with_other_topic
from edgerag.scripts import is_cjk

Rewritten = tuple[str, str]

LONGEST_FRAGMENT_CHARS = 12
LONGEST_VERB_CHARS = 3
_END = " 　?？。.!！呀啊吧"
_LEAD = re.compile(
    # 那 of 那个, 那里 points at something; that of 那儿童 and 那种子 only links.
    "^(?:那么|那麼|那(?![个個里裡些]|[儿兒](?![童子])|[边邊](?![境界])|[种種](?![子植])|[样樣](?![本品])|位(?!置))"
    "|还有|還有|而|可是|但是|然后|然後)[，, ]*"
)
_ELLIPSIS = re.compile(r"(.+?)(?:呢|怎么样|怎麼樣|如何)")
_QUESTION_WORDS = (
    "为什么|為什麼|为何|為何|怎么|怎麼|什么时候|什麼時候|何时|何時|几点|幾點|哪一年|哪年|哪天|几月|在哪里|在哪裡|在哪儿|哪里|哪裡|哪儿"
    "|谁|誰|多少钱|多少錢|多少|多久|多长|多長|多高|多大|多远|多遠|几个|幾個|几人|什么|什麼|哪个|哪個|哪些|哪"
)
_ONLY_QUESTION_WORD = re.compile(f"(?:是|由|被|有)?(?:{_QUESTION_WORDS})(?:的)?")
_QUESTION_WORD = re.compile(_QUESTION_WORDS)
_WHEN_WHERE_WHY_WHO = re.compile(
    "为什么|為什麼|为何|為何|怎么|怎麼|什么时候|什麼時候|何时|何時|几点|幾點|哪一年|哪年|哪天|几月|在哪里|在哪裡|在哪儿|哪里|哪裡|哪儿|谁|誰"
)
"""Each can stand where another stood, unless it ends the question and so is all that is said: 小屋在哪里."""
_POINTING = re.compile("[那这這][个個里裡儿兒边邊些种種样樣位]")
_REFERENCE = re.compile(
    r"(?<![其吉])[他她](?:们|們)?|(?<!其)它(?:们|們)?"
    r"|那里|那裡|那儿|那边|那邊|这里|這裡|这儿|此处|此處"
    r"|这个(?![一-鿿]*[的])(?=[是在有的？?])|那个(?=[是在有的？?])|這個(?=[是在有的？?])|那個(?=[是在有的？?])"
)
_PERSON = re.compile("[他她]")
_PLACE = re.compile("[那这這此]")
_BORDER = re.compile(
    f"{_QUESTION_WORDS}|是否|是不是|有没有|有沒有|是|在|能(?![源力量够])|由|被|有(?![限效])|了|吗|嗎|呢"
    "|(?<![机機社协協员員议議])[会會](?![员員议議计計费費客长長])"  # may; no member, no society
    "|可以|应该|應該|每天|每年|每晚|每周|需要|必须|必須"
    '|建于|建於|位于|位於|始于|始於|成立于|成立於|生于|生於|属于|屬於|住在|来自|來自|什|[，,、；;：:《》“”"？?（）()]'
)
_TIME = re.compile(
    r"(?:春|夏|秋|冬)[天季]|周末|週末|平日|工作日|节假日|星期[一二三四五六日天]|周[一二三四五六日]|早上|上午|中午|下午|晚上|夜里"
    r"|\d{2,4}年|[一二三四五六七八九十\d]{1,3}月|今年|去年|明年|今天|明天|昨天"
)
_PART_BORDER = re.compile(f"{_BORDER.pattern}|{_TIME.pattern}|的")
_SIDE_BY_SIDE = re.compile("[^（）]+（([^（）]+)）")
_VERB = re.compile(
    "^(?:来|负责|負責|保管|设计|設計|建造|管理|发明|發明|发现|發現|检查|檢查|读取|讀取|领导|領導|带领|帶領|写|寫|建|修)(?:了|过|過)?"
)
_PERSON_ENDINGS = ("员", "員", "人", "者", "师", "師", "长", "長", "生", "们", "們")
_ASKS_WHO = re.compile("谁|誰|哪[个個一]?[位名]|哪[个個][一-鿿]{0,3}[员員人者师師长長]")
_IS_WHO = re.compile("^(?:请问|請問)?(?:谁|誰)是|是(?:谁|誰)$")
_NAME = r"[一-鿿]{2,4}?|[一-鿿]{1,6}(?:·[一-鿿]{1,6})+"
_NAME_IN_ANSWER = re.compile(
    r"(?:由|是|工程师|作者|负责人|負責人|馆长|队长|站长|船长)([一-鿿·]{2,4}?)(?=[，。、；设設建写寫负負保管领領发發担擔在于於的])"
)


def rewrite_chinese(question: str, history: Sequence[Exchange]) -> Rewritten | None:
    """Make a follow-up stand alone; None where it already does, or nothing fits what it leaves out."""
    previous = history[-1].question
    bare = question.strip().strip(_END)
    led = _LEAD.sub("", bare) or bare
    fragment = _fragment(bare, led)
    if fragment is not None and _REFERENCE.fullmatch(fragment):
        return None  # 那里呢: another place is meant than the one before
    if fragment is not None and not _REFERENCE.search(fragment):
        continued = _continued(previous.strip().strip(_END), fragment)
        return (f"{continued}？", f"接着“{previous}”问") if continued else None
    return _fill_references(led if led != bare and _REFERENCE.search(led) else question.strip(), history)


def _fragment(bare: str, led: str) -> str | None:
    """What a fragment adds; None for a whole question."""
    if _ONLY_QUESTION_WORD.fullmatch(led.removesuffix("呢")):
        return led.removesuffix("呢")
    ellipsis = _ELLIPSIS.fullmatch(led)
    if ellipsis and len(ellipsis[1]) <= LONGEST_FRAGMENT_CHARS and not _QUESTION_WORD.search(ellipsis[1]):
        return None if re.search("[是在]|有(?![限效])", ellipsis[1]) else ellipsis[1]
    if led != bare and len(led) <= 6 and not _BORDER.search(led):
        return led
    return None


def _continued(stem: str, fragment: str) -> str | None:
    side_by_side = _SIDE_BY_SIDE.fullmatch(stem)
    if side_by_side and (_QUESTION_WORD.search(side_by_side[1]) or side_by_side[1][-1] in "吗嗎"):
        return f"{stem}，{fragment}" if _ONLY_QUESTION_WORD.fullmatch(fragment) else f"{fragment}（{side_by_side[1]}）"
    if not any(map(is_cjk, stem)):
        return f"{fragment}（{stem}）"
    if _ONLY_QUESTION_WORD.fullmatch(fragment):
        return _with_other_question_word(stem, fragment)
    if _POINTING.fullmatch(fragment):
        # 那个 takes the place of 这个; without one, nothing tells what is pointed at.
        pointed = re.search(f"[这這]{fragment[1:]}", stem) if fragment[0] == "那" else None
        return f"{stem[: pointed.start()]}{fragment}{stem[pointed.end() :]}" if pointed else None
    if _TIME.fullmatch(fragment):
        known = _TIME.search(stem)
        return f"{stem[: known.start()]}{fragment}{stem[known.end() :]}" if known else f"{fragment}{stem}"
    if replaced := with_other_topic(stem, fragment, _names(stem)):
        return replaced
    # Side by side both are searched for and neither is said of the other; 会员 do belong to what is asked.
    return f"{fragment}{stem}" if IS_GROUP.search(fragment) else f"{fragment}（{stem}）"


def _with_other_question_word(stem: str, fragment: str) -> str:
    asked = _QUESTION_WORD.search(stem)
    if asked is None:
        return f"{stem.rstrip('吗嗎')}，{fragment}"
    before, after = stem[: asked.start()], stem[asked.end() :]
    word = fragment
    if before.endswith(("是", "由", "在")) and fragment[0] == before[-1]:
        word = fragment[1:]
    if built := re.search("(.)[于於]$", before):  # 建于哪一年 -> 为什么建
        return f"{before[: built.start()]}{word}{built[1]}{after}"
    if not after.strip("的了") or not all(map(_WHEN_WHERE_WHY_WHO.search, (asked[0], fragment))):
        return f"{stem}，{fragment}"  # 人口是多少: 人口是为什么 would say nothing
    if not re.search("[谁誰]", fragment):
        before = before.rstrip("由被")
    return f"{before}{word}{after}"


def _fill_references(question: str, history: Sequence[Exchange]) -> Rewritten | None:
    told: list[str] = []

    def stands_for(match: re.Match[str]) -> str:
        if _has_antecedent(question[: match.start()]):
            return match[0]
        topic = _antecedent(match[0], history)
        if topic is None:
            return match[0]
        told.append(f"“{match[0]}”指“{topic}”")
        return topic

    rewritten = _REFERENCE.sub(stands_for, question)
    return (rewritten, "，".join(dict.fromkeys(told))) if told else None


def _has_antecedent(before: str) -> bool:
    """Whether something of the question itself could be meant: two characters that no border parts."""
    parts = _pieces(before)
    if parts and re.match("谁|誰|什么|什麼", before.strip()) and len(parts[0]) <= LONGEST_VERB_CHARS:
        parts = parts[1:]  # 谁设计了它: what follows the question word is the verb
    return any(len(part) >= 2 for part in parts)


def _antecedent(word: str, history: Sequence[Exchange]) -> str | None:
    for exchange in reversed(history):
        if not any(map(is_cjk, exchange.question)):
            from edgerag.ask.phrases import noun_phrases, subject_first

            if phrases := subject_first(noun_phrases(exchange.question)):
                return phrases[0].text
            continue
        topics = _topics(exchange.question)
        if _PERSON.match(word):
            if _ASKS_WHO.search(exchange.question):
                # Whoever was asked for is meant, not what the question speaks of: 电话 of 谁发明了电话.
                named = _person_in_answer(exchange)
                return named or (topics[0] if topics and _IS_WHO.search(exchange.question.strip(_END)) else None)
            if _QUESTION_WORD.match(exchange.question.strip()):
                topics = [topic for topic in topics if topic.endswith(_PERSON_ENDINGS)]  # the rest are its objects
        if not _PERSON.match(word):
            # 它 is no person: 雨量计 of 观测员几点读取雨量计.
            topics = sorted(topics, key=lambda topic: topic.endswith(_PERSON_ENDINGS))
        if topics:
            return topics[0]
    return None


def _person_in_answer(exchange: Exchange) -> str | None:
    """贝尔 of 贝尔于1876年发明了电话, and of 电话是贝尔发明的, after 谁发明了电话."""
    asked = re.search("(?:谁|誰)(.+)", exchange.question.strip(_END))
    known = _VERB.match(asked[1]) if asked else None
    verb = (known[0] if known else asked[1][:2]).rstrip("了过過") if asked else ""
    if verb and verb[0] not in "是的":
        subject = re.match(rf"\s*({_NAME})(?=(?:[于於在][^，。；\n]{{1,20}}?)?{re.escape(verb)})", exchange.answer)
        if subject and not re.search("[他她它这這那谁誰]|没有|沒有|不", subject[1]):
            return subject[1]
    named = _NAME_IN_ANSWER.search(exchange.answer)
    return named[1] if named else None


def _topics(question: str) -> list[str]:
    """What a question speaks of, the subject first."""
    first, *others = _pieces(question) or [""]
    if _QUESTION_WORD.match(question.strip()):
        first = _VERB.sub("", first)
    parts = [first, *(_VERB.sub("", part) for part in others)]
    return [part for part in parts if len(part) >= 2]


def _names(stem: str) -> list[tuple[int, int]]:
    """Where what a question speaks of stands, parted at 的 and without times: 北京, 人口 of 去年北京的人口是多少."""
    found: list[tuple[int, int]] = []
    start = 0
    for border in (*_PART_BORDER.finditer(stem), None):
        end = border.start() if border else len(stem)
        verb = _VERB.match(stem[start:end]) if found or _QUESTION_WORD.match(stem) else None
        start += verb.end() if verb else 0
        if stem[start:end].strip():
            found.append((start, end))
        start = border.end() if border else end
    return found


def _pieces(text: str) -> list[str]:
    return [piece.strip("的 　") for piece in _BORDER.split(text.strip(_END)) if piece.strip("的 　")]
