"""Names of the same thing on both sides: when they are equal, and how alike they are otherwise.

Equal names may link by themselves, alike ones only suggest. What is done with either belongs to
the rules of each kind of record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rapidfuzz import fuzz, process

MOST_SUGGESTIONS = 3
# Below this many of 100 a suggestion is noise: people would have to read it only to say no.
LEAST_SCORE = 65

_APOSTROPHES = re.compile(r"['’‘`´]")
_NO_WORD = re.compile(r"[\W_]+")
_LEGAL_WORDS = frozenset(
    [
        *("inc", "incorporated", "llc", "llp", "ltd", "limited"),
        *("corp", "corporation", "co", "company", "gmbh", "plc"),
    ]
)
# One name inside another ("Birch" in "Birch and Vale Law") is a weaker sign than the same words.
_WEIGHT_OF_A_PART = 0.9


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A record whose name is like the one sought; `score` is 100 for equal names."""

    record_id: str
    name: str
    score: int


def normalised(name: str) -> str:
    """The name without case, punctuation, runs of spaces and trailing legal words.

    Legal words inside stay, and so does the last word left: "Company, Inc." is "company". Empty
    for a name without letters and digits, which equals no other.
    """
    words = _NO_WORD.sub(" ", _APOSTROPHES.sub("", name.casefold())).split()
    while len(words) > 1 and words[-1] in _LEGAL_WORDS:
        words.pop()
    return " ".join(words)


def are_equal(one: str, other: str) -> bool:
    """Whether two names are the same once normalised."""
    return bool(normalised(one)) and normalised(one) == normalised(other)


def suggestions(
    name: str, candidates: Mapping[str, str], *, most: int = MOST_SUGGESTIONS
) -> tuple[Suggestion, ...]:
    """The candidates (id to name) most like a name, best first, at most `most` of them."""
    return NameIndex(candidates).suggestions(name, most=most)


class NameIndex:
    """Many candidates, normalised once, to be asked about name after name."""

    def __init__(self, candidates: Mapping[str, str]) -> None:
        self._names = candidates
        self._normalised = {
            record_id: folded
            for record_id, name in candidates.items()
            if (folded := normalised(name))
        }
        self._by_name: dict[str, list[str]] = {}
        for record_id, folded in self._normalised.items():
            self._by_name.setdefault(folded, []).append(record_id)

    def equal(self, name: str) -> list[str]:
        """Ids of the candidates that bear this name once normalised."""
        return self._by_name.get(normalised(name), [])

    def suggestions(self, name: str, *, most: int = MOST_SUGGESTIONS) -> tuple[Suggestion, ...]:
        """Those most like the name, best first, then by name and id."""
        sought = normalised(name)
        scores = self._scores(sought) if sought else {}
        found = [
            Suggestion(record_id, self._names[record_id], round(score))
            for record_id, score in scores.items()
            if score >= LEAST_SCORE
        ]
        return tuple(sorted(found, key=lambda it: (-it.score, it.name, it.record_id))[:most])

    def _scores(self, sought: str) -> dict[str, float]:
        scores: dict[str, float] = {}
        for scorer, weight in (
            (fuzz.token_sort_ratio, 1.0),
            (fuzz.token_set_ratio, _WEIGHT_OF_A_PART),
        ):
            cutoff = LEAST_SCORE / weight
            for _, score, record_id in process.extract(
                sought, self._normalised, scorer=scorer, limit=None, score_cutoff=cutoff
            ):
                scores[record_id] = max(scores.get(record_id, 0.0), score * weight)
        return scores
