"""Mask names, numbers, e-mail and street addresses before words go to a language model elsewhere.

It lowers what leaves the machine; it does not make a transcript anonymous. `docs/explanation/redaction.md`
says what it finds and what it misses.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any, Literal

from emojudge.errors import MissingExtraError
from emojudge.judge import redact_words as words
from emojudge.records import Evidence

Kind = Literal["email", "address", "number", "name"]  # of spans that overlap, the first of these is taken
Finder = Callable[[str], Iterable["Span"]]

LONGEST_NAME = 4  # words


@dataclass(frozen=True)
class Span:
    """A stretch of a text, and what it is."""

    start: int
    end: int
    kind: Kind


class Redactor:
    """Masks texts of one language."""

    def __init__(self, language: str | None) -> None:
        """Load what is installed for a language, such as "de"; None takes the rules of all.

        Raises:
            MissingExtraError: the extra `redact` is not installed.
        """
        code = (language or "").lower()[:2]
        listed, lists = _name_finder(code)
        modelled, model = _spacy_finder(code)
        self.finders: list[Finder] = [_patterns, listed, *([modelled] if modelled else [])]
        self.name = " + ".join(["rules", lists, *([model] if model else [])])  # what a record should keep

    def __call__(self, text: str) -> str:
        """The text with `[name]`, `[number]`, `[email]` and `[address]` in it."""
        masked: list[str] = []
        end = 0
        for span in _apart(span for find in self.finders for span in find(text)):
            gap = text[end : span.start]
            if masked and masked[-1] == f"[{span.kind}]" and not gap.strip():
                end = span.end  # first name and last name are one name
                continue
            masked += [gap, f"[{span.kind}]"]
            end = span.end
        return "".join([*masked, text[end:]])


def redact(evidence: Evidence) -> Evidence:
    """Evidence whose transcript, its segments, and earlier turns are masked.

    Raises:
        MissingExtraError: the extra `redact` is not installed.
    """
    transcript = evidence.transcript
    mask = load_redactor(transcript.language if transcript else None)
    if transcript is not None:
        segments = tuple(s.model_copy(update={"text": mask(s.text)}) for s in transcript.segments)
        transcript = transcript.model_copy(update={"text": mask(transcript.text), "segments": segments})
    turns = tuple(turn.model_copy(update={"text": mask(turn.text)}) for turn in evidence.turns)
    return evidence.model_copy(update={"transcript": transcript, "turns": turns})


@cache
def load_redactor(language: str | None) -> Redactor:
    """The redactor of a language, made once."""
    return Redactor(language)


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, none over another: the kind that comes first wins, and grows by what it overlaps."""
    ranks = {kind: rank for rank, kind in enumerate(("email", "address", "number", "name"))}
    apart: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if apart and span.start < apart[-1].end:
            kind = min(span.kind, apart[-1].kind, key=ranks.__getitem__)
            apart[-1] = Span(apart[-1].start, max(span.end, apart[-1].end), kind)
        else:
            apart.append(span)
    return apart


# --------------------------------------------------------------------------------------------------- patterns

_CAPITAL = r"[A-ZÀ-ÖØ-ÞĀĄĆČĎĐĒĘĚĞĢĪİĶĹĻĽŁŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŹŻŽА-ЯЁІЇЄҐΑ-Ω]"
_HOUSE = r"\d+[a-zA-Z]?\b"
_STREET_NAME = rf"(?:(?:{words.LINKS})\s+|[dl]['’])*{_CAPITAL}[\w'’-]*(?:\s+{_CAPITAL}[\w'’-]*)*"
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("email", re.compile(r"(?:https?://|www\.)\S*\w|@\w{2,}")),
    (
        "email",
        re.compile(
            rf"\b(?:[\w-]+\s+(?:{words.DOT})\s+)*[\w.-]+\s+(?:{words.AT})\s+[\w-]+(?:\s+(?:{words.DOT})\s+\w+)+",
            re.IGNORECASE,
        ),
    ),
    (
        "address",
        re.compile(rf"(?:{_HOUSE},?\s+)?(?:{_CAPITAL}[\w'’-]+\s+){{1,3}}(?:{words.STREETS_AFTER})\b\.?"),
    ),
    ("address", re.compile(rf"\b{_CAPITAL}\w*(?:{words.STREETS_WITHIN})(?:\s+{_HOUSE}|\b)")),
    ("address", re.compile(rf"\b{_CAPITAL}\w*(?:weg|platz|damm|ufer|ring|hof)\s+{_HOUSE}")),
    (
        "address",
        re.compile(rf"(?:{_HOUSE},?\s+)?\b(?i:{words.STREETS_BEFORE})\s+{_STREET_NAME}(?:,?\s+{_HOUSE})?"),
    ),
    ("number", re.compile(r"[+(]*\w*\d\w*(?:[\s().,/:+-]{1,3}\w*\d\w*)*")),
    (
        "number",
        re.compile(rf"\b(?:{words.DIGITS})(?:[\s,.-]+(?:{words.DIGITS})){{2,}}\b", re.IGNORECASE),
    ),
)


def _patterns(text: str) -> Iterator[Span]:
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            yield Span(match.start(), match.end(), kind)


# ------------------------------------------------------------------------------------------------------ names

_TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?…:]['\"»”]?\s*$")


def _name_finder(language: str) -> tuple[Finder, str]:
    """Finds names by lists of them, and by the words that introduce one; and what the lists are of."""
    first, last, cities = _lists(language)

    def names(text: str) -> Iterator[Span]:
        tokens = list(_TOKEN.finditer(text))
        low = [token.group().casefold() for token in tokens]
        lower_case = text == text.lower()  # as some speech recognisers write
        at = 0
        while at < len(tokens):
            capital = tokens[at].group()[0].isupper()
            starts = _starts_sentence(text, tokens[at].start())
            ordinary = low[at] in words.ORDINARY
            word = low[at].removesuffix("'s").removesuffix("’s")
            parts = {word, *word.split("-")}
            tells = not starts and language != "de"  # where every noun has a capital, it tells nothing
            if lower_case:
                found = _follows(low, at, words.INTRODUCTIONS) or (
                    len(word) > 3 and word in first and not ordinary
                )
            elif not capital:
                found = False
            elif _introduced(low, at):
                found = True
            elif ordinary:
                found = tells or (bool(parts & first) and _capital_follows(text, tokens, at))
            else:
                found = bool(parts & first) or (tells and bool(parts & last))
            if not found:
                if capital and not starts and word in cities:
                    yield Span(tokens[at].start(), tokens[at].end(), "address")
                at += 1
                continue
            end = at
            while end - at + 1 < LONGEST_NAME and _capital_follows(text, tokens, end):
                end += 1
            yield Span(tokens[at].start(), tokens[end].end(), "name")
            at = end + 1

    return names, f"faker {version('faker')}"


def _introduced(low: list[str], at: int) -> bool:
    """Whether a title or words such as "my name is" come right before a capital letter."""
    if at and low[at - 1] in words.TITLES:
        return True
    return _follows(low, at, words.INTRODUCTIONS) or _follows(low, at, words.GREETINGS)


def _follows(low: list[str], at: int, cues: Iterable[tuple[str, ...]]) -> bool:
    return any(tuple(low[max(0, at - len(cue)) : at]) == cue for cue in cues)


def _capital_follows(text: str, tokens: list[re.Match[str]], at: int) -> bool:
    if at + 1 >= len(tokens):
        return False
    gap, after = text[tokens[at].end() : tokens[at + 1].start()], tokens[at + 1].group()
    return gap.isspace() and after[0].isupper() and after != "I" and after.casefold() not in words.FUNCTION


def _starts_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \"'«„“(¡¿")
    return not before or _SENTENCE_END.search(before) is not None


@cache
def _lists(language: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """First names, last names and cities of a language's countries, in lower case."""
    try:
        from faker.config import AVAILABLE_LOCALES
    except ModuleNotFoundError:
        raise MissingExtraError("masking names", "redact") from None
    known = sorted(AVAILABLE_LOCALES)
    # Not the bare "en": among its names are Ever, Little, Reason and True.
    locales = [name for name in known if name[:3] == f"{language}_"] or [n for n in known if n[:3] == "en_"]
    first: set[str] = set()
    last: set[str] = set()
    cities: set[str] = set()
    for locale in locales:
        for kind, fields in (("person", words.FIRST), ("person", words.LAST), ("address", words.CITIES)):
            goal = first if fields is words.FIRST else last if fields is words.LAST else cities
            for field in fields:
                goal |= _entries(kind, locale, field)
    return frozenset(first), frozenset(last - words.FUNCTION), frozenset(cities)


def _entries(kind: str, locale: str, field: str) -> set[str]:
    try:
        provider: Any = import_module(f"faker.providers.{kind}.{locale}").Provider
    except ModuleNotFoundError:
        return set()
    found = getattr(provider, field, ())
    if not isinstance(found, tuple | list | dict):  # some are made when an instance asks
        return set()
    return {str(name).casefold() for name in found if len(str(name)) > 2} - words.FUNCTION


# ----------------------------------------------------------------------------------------------------- models


def _spacy_finder(language: str) -> tuple[Finder | None, str]:
    """People and places by the largest of spaCy's pipelines that is installed for the language, if one is."""
    try:
        import spacy
    except ModuleNotFoundError:
        return None, ""
    family = "web" if language in ("en", "zh") else "news"
    names = [*(f"{language}_core_{family}_{size}" for size in ("lg", "md", "sm")), "xx_ent_wiki_sm"]
    name = next((name for name in names if spacy.util.is_package(name)), None)
    if name is None:
        return None, ""
    pipeline = spacy.load(name, exclude=["tagger", "parser", "lemmatizer", "attribute_ruler"])

    def entities(text: str) -> Iterator[Span]:
        for entity in pipeline(text).ents:
            if kind := words.ENTITIES.get(entity.label_):
                yield Span(entity.start_char, entity.end_char, kind)

    return entities, f"{name} {version(name)}"
