"""Follow-ups become questions that stand alone; questions that stand alone are left as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerag.answers import Exchange
from edgerag.ask.rewrite import rewrite

ENGLISH = [
    ("When is the hut locked?", "and in winter?", "When is the hut locked in winter?"),
    ("When is the hut locked in winter?", "and in summer?", "When is the hut locked in summer?"),
    ("What does a night cost?", "what about members?", "What does a night cost for members?"),
    ("What does a night cost for members?", "and for non-members?", "What does a night cost for non-members?"),
    ("Who built the stove?", "how old is it?", "How old is the stove?"),
    ("What does the methods section say?", "who wrote it?", "Who wrote the methods section?"),
    ("When is the Kvitnes hut open?", "how much does it cost there?", "How much does it cost at the Kvitnes hut?"),
    ("When is the Kvitnes hut open?", "how much does a night cost there?",
     "How much does a night cost at the Kvitnes hut?"),
    ("When is the hut locked?", "Is there a stove in it?", "Is there a stove in the hut?"),
    ("When is the hut locked?", "Can members cook in it?", "Can members cook in the hut?"),
    ("How many people live in Varn?", "Who works there?", "Who works in Varn?"),
    ("Where was Nikola Tesla born?", "What did he invent?", "What did Nikola Tesla invent?"),
    ("Where was Nikola Tesla born?", "and when?", "When was Nikola Tesla born?"),
    ("Who are the wardens?", "what are their duties?", "What are the wardens’ duties?"),
    ("How high is the lighthouse at Varn?", "What is its diameter?", "What is the lighthouse’s diameter?"),
    ("How high is the lighthouse at Varn?", "and the one at Kvitnes?", "How high is the lighthouse at Kvitnes?"),
    ("How many people does the larger boat take?", "what about the smaller one?",
     "How many people does the smaller boat take?"),
    ("How long is the larger boat?", "Where is the smaller one kept?", "Where is the smaller boat kept?"),
    ("Are dogs allowed in the hut?", "what about the cellar?", "Are dogs allowed in the cellar?"),
    ("Are dogs allowed in the hut?", "and children?", "Are children allowed in the hut?"),
    ("Are dogs allowed in the hut?", "why not?", "Why are dogs not allowed in the hut?"),
    ("Does the lease allow dogs?", "Why not?", "Why does the lease not allow dogs?"),
    ("Can members bring dogs?", "why not?", "Why can members not bring dogs?"),
    ("Can I bring a dog?", "and why not?", "Why can I not bring a dog?"),
    ("Does the spare key work?", "why not?", "Why does not the spare key work?"),
    ("Is smoking not allowed in the hut?", "why not?", "Why is smoking not allowed in the hut?"),
    ("Does the hut have heating?", "Is it cold?", "Is the hut cold?"),
    ("When is the hut open?", "How far is it?", "How far is the hut?"),
    ("When is the hut open?", "Is it cold there in winter?", "Is it cold at the hut in winter?"),
    ("When is the hut open?", "How early does it open in summer?", "How early does the hut open in summer?"),
    ("When is the hut open?", "Does it have rain gutters?", "Does the hut have rain gutters?"),
    ("When is the hut open?", "what about IT?", "When is the hut open for IT?"),
    ("When is the hut open?", "HOW OLD IS IT?", "HOW OLD IS the hut?"),
    ("Is the hut open on Sundays?", "on Mondays?", "Is the hut open on Mondays?"),
    ("What was the rent in 2019?", "2021?", "What was the rent in 2021?"),
    ("When is the hut locked?", "why?", "Why is the hut locked?"),
    ("Who built the stove?", "when?", "When (built the stove)?"),
    ("When does the lease end?", "And when does it begin?", "When does the lease begin?"),
    ("When does the lease end?", "what does that mean?", "What does the lease mean?"),
    ("What are the rules for the stove?", "Tell me more about them", "Tell me more about the rules"),
    ("Who is the warden?", "what about its height?", "The warden’s height?"),
]  # fmt: skip


@pytest.mark.parametrize(("previous", "question", "expected"), ENGLISH, ids=[question for _, question, _ in ENGLISH])
def test_english_follow_up_stands_alone(previous: str, question: str, expected: str) -> None:
    rewriting = rewrite(question, [Exchange(previous, "")])
    assert rewriting is not None
    assert rewriting.question == expected
    assert rewriting.reason


CHINESE = [
    ("小屋几点锁门？", "冬天呢？", "冬天小屋几点锁门？"),
    ("冬天小屋几点锁门？", "那夏天呢？", "夏天小屋几点锁门？"),
    ("住一晚多少钱？", "那会员呢？", "会员住一晚多少钱？"),
    ("会员住一晚多少钱？", "非会员呢？", "非会员住一晚多少钱？"),
    ("小屋几点锁门？", "为什么？", "小屋为什么锁门？"),
    ("瓦恩灯塔建于哪一年？", "它有多高？", "瓦恩灯塔有多高？"),
    ("瓦恩灯塔建于哪一年？", "它的设计者是谁？", "瓦恩灯塔的设计者是谁？"),
    ("小屋里可以带狗吗？", "那里有电吗？", "小屋里有电吗？"),
    ("观测员每天几点读取雨量计？", "谁来检查它？", "谁来检查雨量计？"),
    ("北京的人口是多少？", "上海呢？", "上海的人口是多少？"),
    ("去年北京的人口是多少？", "那面积呢？", "去年北京的面积是多少？"),
    ("北京的面积是多少？", "上海的人口呢？", "上海的人口是多少？"),
    ("北京有多少人口？", "天津呢？", "天津有多少人口？"),
    ("房租是多少？", "押金呢？", "押金是多少？"),
    ("埃菲尔铁塔有多高？", "卢浮宫呢？", "卢浮宫有多高？"),
    ("A公司的收入是多少？", "B公司呢？", "B公司的收入是多少？"),
    ("A公司去年收入是多少？", "C公司呢？", "C公司去年收入是多少？"),
    ("A有限公司的收入是多少？", "B有限公司呢？", "B有限公司的收入是多少？"),
    ("北京大学学费多少钱？", "清华大学呢？", "清华大学学费多少钱？"),
    ("红色的车多少钱？", "蓝色的呢？", "蓝色的车多少钱？"),
    ("这个电池能用多久？", "那个呢？", "那个电池能用多久？"),
    ("学生需要付费吗？", "那儿童呢？", "儿童需要付费吗？"),
    ("会员可以带狗吗？", "非会员呢", "非会员可以带狗吗？"),
    ("委员会什么时候开会？", "它在哪里？", "委员会在哪里？"),
    ("小屋的钥匙在哪里？", "地图呢？", "地图（小屋的钥匙在哪里）？"),
    ("房租包括什么？", "停车费呢？", "停车费（房租包括什么）？"),
    ("小屋有电吗？", "厨房呢？", "厨房（小屋有电吗）？"),
    ("地图（小屋的钥匙在哪里）？", "手电呢？", "手电（小屋的钥匙在哪里）？"),
    ("地图（小屋的钥匙在哪里）？", "为什么？", "地图（小屋的钥匙在哪里），为什么？"),
    ("谁是CEO（首席执行官）？", "董事长呢？", "董事长（谁是CEO（首席执行官））？"),
    ("北京的人口是多少？", "为什么？", "北京的人口是多少，为什么？"),
    ("北京有多少居民？", "为什么呢？", "北京有多少居民，为什么？"),
    ("小屋有多大？", "多少钱？", "小屋有多大，多少钱？"),
    ("灯塔是由谁设计的？", "什么时候？", "灯塔是什么时候设计的？"),
    ("小屋的管理员是谁？", "他住在哪里？", "小屋的管理员住在哪里？"),
]


@pytest.mark.parametrize(("previous", "question", "expected"), CHINESE, ids=[question for _, question, _ in CHINESE])
def test_chinese_follow_up_stands_alone(previous: str, question: str, expected: str) -> None:
    rewriting = rewrite(question, [Exchange(previous, "")])
    assert rewriting is not None
    assert rewriting.question == expected


@pytest.mark.parametrize(
    ("previous", "answer", "question", "expected"),
    [
        ("Who led the dredging?", "Ada Holm led the dredging of the harbour.", "When was she born?",
         "When was Ada Holm born?"),
        ("Who holds the spare key?", "The key is held by Mira Solberg.", "What is her number?",
         "What is Mira Solberg’s number?"),
        ("灯塔是由谁设计的？", "灯塔由工程师李明设计。", "他什么时候出生？", "李明什么时候出生？"),
        ("谁写了红楼梦？", "曹雪芹写了红楼梦。", "他是哪里人？", "曹雪芹是哪里人？"),
        ("谁发明了电话？", "亚历山大·贝尔于1876年发明了电话。", "他是哪国人？", "亚历山大·贝尔是哪国人？"),
    ],
    ids=["subject", "object", "chinese", "chinese subject", "chinese subject, time"],
)  # fmt: skip
def test_a_person_that_the_answer_brought_in_is_meant(previous: str, answer: str, question: str, expected: str) -> None:
    rewriting = rewrite(question, [Exchange(previous, answer)])
    assert rewriting is not None
    assert rewriting.question == expected


@pytest.mark.parametrize(
    ("previous", "answer", "question"),
    [
        ("Who wrote the report?", "It is not said.", "When was he born?"),
        ("谁发明了电话？", "", "他是哪国人？"),
        ("谁签了租约？", "没有提到谁签了租约。", "她住在哪里？"),
        ("什么时候发明了电话？", "", "他是哪国人？"),
    ],
)
def test_a_person_is_never_taken_for_the_thing_that_was_asked_about(previous: str, answer: str, question: str) -> None:
    assert rewrite(question, [Exchange(previous, answer)]) is None


@pytest.mark.parametrize("question", ["那个呢？", "那里呢？", "那它呢？"])
def test_what_is_only_pointed_at_is_not_guessed(question: str) -> None:
    assert rewrite(question, [Exchange("小屋几点锁门？", "")]) is None


@pytest.mark.parametrize(
    "question",
    [
        "What is the deposit?",
        "Which university has its origins in a school of medicine?",
        "How old was Manning when he played Super Bowl 50?",
        "In his diary, what did Scott note?",
        "Other than his achievements what was Tesla famous for?",
        "Why is it important to lock the hut?",
        "How long does it take to walk to the pass?",
        "What does it mean when the lamp is red?",
        "What time is it in Varn?",
        "How does IT work?",
        "Does IT support pay?",
        "Is it raining in Oslo?",
        "Does it still snow a lot in Oslo?",
        "Is it dark in December?",
        "How cold does it get in Oslo?",
        "When does it get dark?",
        "How late is it?",
        "How far is it to the pass?",
        "How many beds are there in the dormitory?",
        "Who said that the earth is round?",
        "What is the name of one algorithm for primes?",
        "The one-child policy has been successful.",
        "Is there a stove?",
        "And is there a stove?",
        "rowing boats",
        "Wie hoch ist er?",
        "小屋有其他出口吗？",
        "为什么哈佛终止了它的提前录取计划？",
        "铁木真与他的妻子住在哪里？",
        "中国的首都在哪里？",
        "?",
    ],
)
def test_question_that_stands_alone_is_left_as_it_is(question: str) -> None:
    previous = "When does the lease of the hut end?" if question.isascii() else "小屋的租约什么时候结束？"
    assert rewrite(question, [Exchange(previous, "")]) is None


def test_without_history_nothing_is_rewritten() -> None:
    assert rewrite("and in winter?", []) is None


def test_pronoun_reaches_back_over_a_question_that_names_nothing() -> None:
    history = [Exchange("Who built the stove?", ""), Exchange("Why?", "")]
    rewriting = rewrite("how old is it?", history)
    assert rewriting is not None
    assert rewriting.question == "How old is the stove?"


def test_reason_names_what_was_carried_over() -> None:
    rewriting = rewrite("how old is it?", [Exchange("Who built the stove?", "")])
    assert rewriting is not None
    assert rewriting.reason == '"it" stands for "the stove"'


def test_a_pasted_letter_is_left_as_it_is() -> None:
    assert rewrite("and " + "much more text " * 40 + "?", [Exchange("Who built the stove?", "")]) is None


@given(question=st.text(max_size=60), previous=st.text(max_size=60), answer=st.text(max_size=60))
def test_any_text_is_taken(question: str, previous: str, answer: str) -> None:
    rewriting = rewrite(question, [Exchange(previous, answer)])
    assert rewriting is None or rewriting.question.strip()


ENGLISH_WORDS = (
    "and what about it there he the hut who is when does of in winter ? , one they Varn members cost a".split()
)
CHINESE_WORDS = "它 呢 那里 小屋 谁 几点 锁门 的 那 为什么 ？".split()
ANY_WORDS = st.lists(st.sampled_from(ENGLISH_WORDS + CHINESE_WORDS), max_size=9).map(" ".join)


@given(question=ANY_WORDS, previous=ANY_WORDS)
def test_any_words_in_any_order_are_taken(question: str, previous: str) -> None:
    rewriting = rewrite(question, [Exchange(previous, "")])
    assert rewriting is None or rewriting.question != question
