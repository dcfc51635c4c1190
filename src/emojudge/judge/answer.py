"""From what a language model wrote to a label, a confidence, a reason; anything else is NA, never a guess."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emojudge.emotions import ATTRIBUTES, EMOTIONS, LETTERS, Attribute, Emotion, parse_emotion
from emojudge.judge.exchange import Answer
from emojudge.judge.forms import LETTER_OF, NA
from emojudge.judge.prompt import Question
from emojudge.judge.steps import STEPS
from emojudge.records import Bin

MAX_REASON = 300  # characters that are kept
MAX_TEXT = 20_000  # characters of an answer that are read
_NA = frozenset(("na", "n/a", "n.a", "none", "null", "undecided", "unsure", "uncertain"))
_AROUND = r"[\s*_#>\"'`.,:;!()“”‘’-]*"  # quotes and Markdown, no brace
_LINE = re.compile(
    rf"{_AROUND}(?:(?:correct |final )?(?:emotion|label|answer|category)[\s*:]+)?(n/a|[^\W\d_]+){_AROUND}",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\W*(?:i(?:'|’)?m sorry|i am sorry|sorry,|i can(?:no|')t|i am unable|i(?:'|’)m unable|as an ai)", re.I
)
_REFUSED = frozenset(("content_filter", "refusal"))  # finish reasons


@dataclass(frozen=True)
class Reading:
    """What was answered about an utterance, over all samples."""

    emotion: Emotion | None = None  # None: NA
    words: dict[Attribute, Bin | None] | None = None  # for ratings; None within: NA
    stated: float | None = None  # confidence as the model states it, 0..1
    likelihood: float | None = None  # probability of the label's letter among the letters
    agreement: float | None = None  # share of the samples that gave this answer
    distribution: dict[Emotion, float] | None = None  # over the labels, where the answer tells more than one
    reason: str = ""
    fault: str | None = None  # why there is no usable answer: then everything above is empty


def read(answer: Answer, question: Question) -> Reading:
    """What an answer says. One that is faulty in any way gives a reading with a fault.

    Several samples are counted: the label that most of them gave, NA where two labels lead. With
    probabilities of the letters, the likeliest letter is the label, whatever was drawn.
    """
    if answer.error is not None:
        return Reading(fault=f"error: {answer.error}")
    if question.form == "letter" and answer.letter_logprobs:
        return _of_logprobs(answer.letter_logprobs, question.labels)
    if answer.finish in _REFUSED:
        return Reading(fault="refused")
    parse = _ratings if question.form == "ratings" else _emotion
    readings = [parse(text[:MAX_TEXT], question.labels) for text in answer.texts] or [
        Reading(fault="empty answer")
    ]
    if answer.finish == "length":
        cut = "cut off at the limit of tokens"
        readings = [replace(r, fault=cut) if (r.fault or "").startswith("malformed") else r for r in readings]
    reading = readings[0] if len(readings) == 1 else _vote(readings)
    if reading.emotion is not None and answer.letter_logprobs:
        letters = _of_logprobs(answer.letter_logprobs, question.labels)
        shares = letters.distribution or {}
        return replace(reading, distribution=letters.distribution, likelihood=shares.get(reading.emotion))
    return reading


def _of_logprobs(logprobs: dict[str, float], labels: Sequence[Emotion]) -> Reading:
    values = {label: logprobs.get(LETTER_OF[label], -math.inf) for label in labels}
    top = max(values.values())
    if not math.isfinite(top):
        return Reading(fault="malformed: no probability of any letter")
    powers = {label: math.exp(value - top) if value == value else 0.0 for label, value in values.items()}
    total = sum(powers.values())
    distribution = {label: power / total for label, power in powers.items()}
    best = max(distribution, key=lambda label: distribution[label])
    return Reading(emotion=best, likelihood=distribution[best], distribution=distribution)


def _vote(readings: list[Reading]) -> Reading:
    """The answer that most samples gave. Faulty samples count as samples that agree with none."""
    usable = [reading for reading in readings if reading.fault is None]
    if not usable:
        return readings[0]
    if usable[0].words is not None:
        return _vote_on_ratings(usable, len(readings))
    votes = Counter(reading.emotion for reading in usable)
    first = votes.most_common(1)[0]
    tied = sum(count == first[1] for count in votes.values()) > 1
    winner = None if tied else first[0]
    agreeing = [reading for reading in usable if reading.emotion == winner]
    stated = [reading.stated for reading in agreeing if reading.stated is not None]
    named = {label: votes[label] for label in EMOTIONS if votes[label]}
    return Reading(
        emotion=winner,
        stated=sum(stated) / len(stated) if stated else None,
        agreement=0.0 if tied else first[1] / len(readings),
        distribution={label: count / sum(named.values()) for label, count in named.items()} or None,
        reason="the samples disagree" if tied else agreeing[0].reason,
    )


def _vote_on_ratings(usable: list[Reading], samples: int) -> Reading:
    """Each attribute's most frequent step, NA where two lead; the agreement is the mean over attributes."""
    words: dict[Attribute, Bin | None] = {}
    shares = []
    for name in ATTRIBUTES:
        votes = Counter((reading.words or {}).get(name) for reading in usable).most_common(2)
        tied = len(votes) == 2 and votes[0][1] == votes[1][1]
        words[name] = None if tied else votes[0][0]
        shares.append(0.0 if tied else votes[0][1] / samples)
    stated = [reading.stated for reading in usable if reading.stated is not None]
    return Reading(
        words=words,
        stated=sum(stated) / len(stated) if stated else None,
        agreement=sum(shares) / len(shares),
        reason=usable[0].reason,
    )


def _emotion(text: str, labels: Sequence[Emotion]) -> Reading:
    """A label in JSON, or as the only word of the first line."""
    if not text.strip():
        return Reading(fault="empty answer")
    found = _json_object(text, "emotion")
    if found is None:
        return _plain(text, labels)
    label = found["emotion"]
    if label is None or (isinstance(label, str) and _is_na(label)):
        return Reading(stated=_confidence(found), reason=_reason(found))
    emotion = parse_emotion(label) if isinstance(label, str) else None
    if emotion is None or emotion not in labels:
        return Reading(fault=f"not one of the labels: {_short(label)}")
    return Reading(emotion=emotion, stated=_confidence(found), reason=_reason(found))


def _plain(text: str, labels: Sequence[Emotion]) -> Reading:
    first, _, rest = text.strip().partition("\n")
    match = _LINE.fullmatch(first)
    if match is None:
        return Reading(fault="refused" if _REFUSAL.match(text) else f"malformed: {_short(text)}")
    word = match[1]
    if _is_na(word):
        return Reading(reason=_clean(rest))
    # A letter is a label in capitals only: "a" and "i" are words.
    emotion = parse_emotion(word) if len(word) > 1 or word in LETTERS else None
    if emotion is None or emotion not in labels:
        return Reading(fault="refused" if _REFUSAL.match(text) else f"not one of the labels: {_short(word)}")
    return Reading(emotion=emotion, reason=_clean(rest))


def _ratings(text: str, labels: Sequence[Emotion]) -> Reading:
    if not text.strip():
        return Reading(fault="empty answer")
    found = _json_object(text, *ATTRIBUTES)
    if found is None:
        return Reading(fault="refused" if _REFUSAL.match(text) else f"malformed: {_short(text)}")
    words: dict[Attribute, Bin | None] = {}
    for name in ATTRIBUTES:
        value = found[name]
        step = " ".join(value.lower().replace("_", " ").split()) if isinstance(value, str) else value
        if step is None or (isinstance(step, str) and _is_na(step)):
            words[name] = None
        elif step in STEPS:
            words[name] = step
        else:
            return Reading(fault=f"not a step of {name}: {_short(value)}")
    return Reading(words=words, stated=_confidence(found), reason=_reason(found))


def _json_object(text: str, *keys: str) -> dict[str, Any] | None:
    """The one JSON object with these keys in a text, whatever is around it; None if none or several."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    found: list[dict[str, Any]] = []
    at, tries = text.find("{"), 0
    while at >= 0 and tries < 20:
        tries += 1
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if isinstance(value, dict) and all(key in value for key in keys):
                found.append(value)
        at = text.find("{", end)
    return found[0] if found and all(other == found[0] for other in found) else None


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are no JSON


def _confidence(found: dict[str, Any]) -> float | None:
    """The stated confidence as 0..1: a whole number of percent, or a fraction with a point; else None."""
    value = found.get("confidence")
    if isinstance(value, str):
        number = value.strip().removesuffix("%").strip()
        convert: Callable[[str], float] = float if "." in number and not value.strip().endswith("%") else int
        try:
            value = convert(number) if len(number) < 20 else None
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    share = value if isinstance(value, float) and value <= 1 else value / 100
    return float(share) if 0 <= share <= 1 else None


def _reason(found: dict[str, Any]) -> str:
    reason = found.get("reason")
    return _clean(reason) if isinstance(reason, str) else ""


def _is_na(word: str) -> bool:
    return word.strip().rstrip(".").lower() in _NA


def _clean(text: str) -> str:
    joined = " ".join(text[: 4 * MAX_REASON].encode("utf-8", "replace").decode().split())
    return joined if len(joined) <= MAX_REASON else joined[: MAX_REASON - 1] + "…"


def _short(value: object) -> str:
    text = _clean(value if isinstance(value, str) else repr(value))
    return repr(text if len(text) <= 60 else text[:59] + "…")


__all__ = ["NA", "Reading", "read"]
