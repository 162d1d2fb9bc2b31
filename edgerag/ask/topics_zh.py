"""What a Chinese fragment takes the place of: 上海 of 上海呢, after 北京的人口是多少.

Words are told apart by their last characters only, so that much stays in doubt. Then nothing is replaced:
地图的钥匙在哪里, from 小屋的钥匙在哪里 and 地图呢, would search for what nobody asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Span = tuple[int, int]
"""Start and end of a name in the question."""

IS_GROUP = re.compile(
    "(?:会员|會員|学生|學生|儿童|兒童|孩子?|老人|成人|成年人|员工|員工|居民|游客|遊客|客人|团体|團體)$"
)
"""People to whom a rule or a price applies; a question about something else can be asked for them as well."""
_PERSON = re.compile("(?:[员員人者师師生们們]|[校市馆館队隊船站部院会會]长|孩子?|儿童|兒童)$")
_MEASURE = re.compile(
    "(?:(?<![印制])度|[量价價费費额額率径徑租润潤]|(?:面|体|體|容)[积積]|[押租奖獎定订訂佣罚罰]金|人口|[收投]入|支出|[人总總次]数|期限|周长|全长|寿命|工资|薪水)$"
)
_ROLE = re.compile(
    "(?:首都|首府|省会|省會|总统|總統|总理|總理|主席|[校市馆館队隊船站部院会會]长|作者|设计[者师]|設計[者師]|负责人|負責人|管理[员員人]|地址|电话|電話|邮箱|官网)$"
)
_QUANTITY = re.compile(r"^[住租]|[一两兩\d][晚夜天年月周週次张張个個]")
_AFTER_SUBJECT = re.compile(
    "(?<![还還但总總可都也])是|(?<![拥擁没沒具享])有|(?<![现現正存])在|位[于於]|建[于於]|成立[于於]|始[于於]|生[于於]|属[于於]|来自|來自|[由被]|每[天年晚周]"
    "|多少[钱錢]|多[高大长長远遠深重]|什么时候|什麼時候|何时|何時|几点|幾點|哪一?年|哪天|几月|为什么|為什麼"
)
"""What parts a subject from what is said of it. Before a bare 什么 or 多少 there is a verb, mostly: 房租包括什么."""
_COUNTED = re.compile("有(?:多少|几|幾|什么|什麼|哪)(?!$)")


def with_other_topic(stem: str, fragment: str, names: Sequence[Span]) -> str | None:
    """The question with the fragment where its like stood; None where it is not plain what its like is.

    Args:
        stem: The question before, without its question mark.
        names: What it speaks of, in order, parted at 的.
    """
    ways = (_of_whole_topic,) if "的" in fragment else (_of_same_ending, _of_shared_word, _of_same_kind)
    span = next((span for way in ways if (span := way(stem, fragment, names))), None)
    return f"{stem[: span[0]]}{fragment}{stem[span[1] :]}" if span else None


def _of_whole_topic(stem: str, fragment: str, names: Sequence[Span]) -> Span | None:
    """上海的人口 for 北京的人口; 蓝色的 for 红色的."""
    chains: list[list[Span]] = []
    for start, end in names:
        if chains and stem[chains[-1][-1][1] : start] == "的":
            chains[-1].append((start, end))
        else:
            chains.append([(start, end)])
    for chain in chains:
        start, last = chain[0][0], chain[-1][1]
        if fragment.endswith("的"):
            if len(chain) == fragment.count("的") + 1:
                return start, chain[-1][0]
        elif len(chain) in (1, fragment.count("的") + 1) and _are_alike(stem[slice(*chain[-1])], fragment):
            return start, last
    return None


def _are_alike(name: str, other: str) -> bool:
    return name[-1] == other[-1] or any(kind.search(name) and kind.search(other) for kind in (_MEASURE, _ROLE))


def _of_same_ending(stem: str, fragment: str, names: Sequence[Span]) -> Span | None:
    """小船 for 大船, B公司 for A公司: words of one kind end alike."""
    return next(
        ((start, end) for start, end in names if end - start >= 2 and stem[end - 1] == fragment[-1]),
        None,
    )


def _of_shared_word(stem: str, fragment: str, names: Sequence[Span]) -> Span | None:
    """非会员 for the 会员 of 会员住一晚, 清华大学 for the 北京大学 of 北京大学学费."""
    for length in range(len(fragment) - 1, 1, -1):
        for start, end in names:
            found = stem.find(fragment[-length:], start, end)
            if found < 0:
                continue
            own, latin = fragment[:-length], re.search(r"[A-Za-z0-9]+$", stem[start:found])
            if own in tuple("非不无無"):
                start = found
            elif latin:
                start += latin.start()
            elif found - start > len(own) + 2:
                return None
            return start, found + length
    return None


def _of_same_kind(stem: str, fragment: str, names: Sequence[Span]) -> Span | None:
    """押金 for 房租, and a subject for a subject of comparable length."""
    for kind in (_MEASURE, _ROLE):
        if kind.search(fragment):
            return next(((start, end) for start, end in names if kind.search(stem[start:end])), None)
    if not names or len(fragment) < 2:
        return None
    start, end = names[0]
    subject = stem[start:end]
    is_person = bool(_PERSON.search(subject))
    if _is_relational(subject) or _QUANTITY.search(subject) or (IS_GROUP.search(fragment) and not is_person):
        return None
    if stem[end : end + 1] == "的":
        # 人口 is always that of something; 钥匙 is not, and 地图 might as well take its place.
        return (start, end) if len(names) > 1 and _is_relational(stem[slice(*names[1])]) else None
    if is_person and _PERSON.search(fragment):
        return start, end
    follows = _AFTER_SUBJECT.match(stem, end)
    is_comparable = max(len(subject), len(fragment)) <= 2 * min(len(subject), len(fragment))
    if not follows or not is_comparable or (stem[-1] in "吗嗎" and follows[0] != "是"):
        return None  # 小屋有电吗 - 厨房呢: 小屋有厨房吗, more likely than 厨房有电吗
    if _COUNTED.match(stem, end) and not any(_is_relational(stem[slice(*name)]) for name in names[1:]):
        return None
    return start, end


def _is_relational(name: str) -> bool:
    return bool(_MEASURE.search(name) or _ROLE.search(name))
