"""What a class asked about, by the words that come back. The rule: counting and nothing else: no model, no guess at what was meant.

A word counts once for each call, and only one that several people used is told: what a single person wrote is no topic of a
class. Korean words lose the particles and the polite endings that they are bent with.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

#: So much of a question is read: what comes after it is pasted material as a rule.
MOST_LETTERS = 2_000
LEAST_PEOPLE = 2
_TOKEN = re.compile(r"[가-힣]+|[a-z][a-z0-9+#]{2,}")
#: Particles that hardly any noun ends with; the longest come first.
_SURE = (
    "으로부터", "에서부터", "에서는", "에서도", "으로는", "으로도", "이라는", "이라고", "한테서", "에게서", "까지도", "이나마", "에서",
    "에게", "한테", "부터", "까지", "처럼", "보다", "으로", "이라", "라는", "라고", "하고", "마다", "밖에", "조차", "은", "는", "을", "를",
)  # fmt: skip
#: Particles that many nouns end with too: taken off only where the rest stands in another form as well.
_PERHAPS = ("이나", "이랑", "이", "가", "의", "에", "도", "만", "로", "와", "과", "나", "랑")
#: What makes a verb or a wish of a noun.
_ENDINGS = re.compile(
    r"(?:해|하여)\s*(?:주세요|줘요|줘|주실|줄|달라)?$|(?:하세요|합니다|하는|하면|할까요|하나요|했는데|했어요|해서|해야|하기|하려면|하고싶어요)$"
)
_WISHES = re.compile(
    r"(?:주세요|줘요|줘|주실래요|할까요|나요|까요|세요|습니다|입니다|인가요|어요|아요|해요|네요|거든요)$"
)
_PLAIN_WORDS = """
    그리고 그런데 그러면 그래서 하지만 또는 혹은 이것 그것 저것 여기 거기 무엇 무슨 어떤 어떻게 어디 언제 누가 제가 저는 나는 우리 너는 이런 그런 저런 이렇게 그렇게 모두 아주 매우 너무
    조금 정말 다시 아래 다음 위한 위해 대한 대해 대하여 통해 경우 정도 때문 있는 없는 있어 없어 같은 같이 다른 하나 관련 지금 먼저 이제 않는 않게 않고 좋은 싶어 싶은 알려 만들어 말해
    설명 부탁 해당 각각 하는 되는 된다 한다 the and for are was were with that this these those from have has had not but you
    your our can could would should will what which who how why when where please make give tell show help
    need want about into than then them they there here some any all each also just like more most very one
    two its use using
"""
_PLAIN = frozenset(_PLAIN_WORDS.split())


def frequent_words(asked: Sequence[tuple[str, str]], most: int = 8) -> list[tuple[str, int]]:
    """The words of questions, given as (who, text), that several people used, with in how many questions; most often first."""
    tokens = [(who, set(_TOKEN.findall(text[:MOST_LETTERS].lower()))) for who, text in asked]
    stem = _stems({token for _, found in tokens for token in found})
    count: Counter[str] = Counter()
    people: dict[str, set[str]] = defaultdict(set)
    for who, found in tokens:
        for word in {stem[token] for token in found} - _PLAIN:
            if len(word) >= 2:
                count[word] += 1
                people[word].add(who)
    shared = [(word, times) for word, times in count.items() if len(people[word]) >= LEAST_PEOPLE]
    return sorted(shared, key=lambda row: (-row[1], row[0]))[:most]


def _stems(tokens: Iterable[str]) -> dict[str, str]:
    """Each token's word: particles go where that is sure, or where the rest stands in another form too."""
    plain = {token: _without_ending(token) for token in tokens}
    forms: dict[str, set[str]] = defaultdict(set)
    for token, word in plain.items():
        forms[word].add(token)
        if rest := _cut(word, _PERHAPS):
            forms[rest].add(token)
    found = {}
    for token, word in plain.items():
        rest = _cut(word, _PERHAPS)
        found[token] = rest if rest and len(forms[rest]) > 1 else word
    return found


def _without_ending(token: str) -> str:
    """A Korean token without its ending or sure particle; what is a verb all through is no word of its own."""
    if not "가" <= token[0] <= "힣":
        return token
    rest = _ENDINGS.sub("", token)
    if rest != token and len(rest) >= 2:
        return rest
    if _WISHES.search(token):
        return ""
    return _cut(token, _SURE) or token


def _cut(word: str, particles: Sequence[str]) -> str:
    """The word without the first particle that fits and leaves two letters; empty where none does."""
    return next((word[: -len(p)] for p in particles if word.endswith(p) and len(word) - len(p) >= 2), "")
