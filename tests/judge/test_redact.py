"""What is masked before words leave, how much of it, and what of the rest stays as it was.

`pytest -s -k recall tests/judge/test_redact.py` prints the tables of `docs/explanation/redaction.md`.
"""

import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojudge.judge import redact as module
from emojudge.judge.redact import Redactor, Span, load_redactor, redact
from emojudge.records import Evidence, Segment, Transcript, Turn

pytest.importorskip("faker", reason="needs the extra 'redact'")

SECRET = re.compile(r"\[(\w+):([^\]]*)\]")
MASK = re.compile(r"\[(?:name|number|email|address)\]")


def sentences() -> dict[str, list[tuple[str, str]]]:
    """Language and marked text, of the part that the rules were made with and of the part that came later."""
    parts: dict[str, list[tuple[str, str]]] = {"made with": [], "fair": []}
    part = "made with"
    for line in (Path(__file__).parent / "redaction.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# Written when"):
            part = "fair"
        elif not line.startswith("#"):
            language, text = line.split("\t")
            parts[part].append((language, text))
    return parts


def spoken(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", MASK.sub(" ", text).casefold()))


def measure(lines: list[tuple[str, str]]) -> tuple[Counter[str], Counter[str], float]:
    """Secrets by kind, those of which no word is left, and the share of all other words that stays."""
    there, gone = Counter[str](), Counter[str]()
    kept = total = 0
    for language, text in lines:
        plain, rest = SECRET.sub(r"\2", text), spoken(SECRET.sub(" ", text))
        left = spoken(load_redactor(language)(plain))
        for kind, secret in SECRET.findall(text):
            there[kind] += 1
            gone[kind] += not any(left[word] > rest[word] for word in spoken(secret))
        kept += (left & rest).total()
        total += rest.total()
    return there, gone, kept / total


def test_recall_and_what_is_left() -> None:
    for part, lines in sentences().items():
        there, gone, kept = measure(lines)
        for kind in there:
            sys.stdout.write(f"{part}: {kind} {gone[kind]} of {there[kind]}\n")
        by_language = {code: measure([line for line in lines if line[0] == code]) for code, _ in lines}
        for code, (total, found, _) in by_language.items():
            sys.stdout.write(f"{part}: {code} {found.total()} of {total.total()}\n")
        sys.stdout.write(f"{part}: {kept:.1%} of the other words stay; {load_redactor('en').name}\n")
        assert gone.total() / there.total() >= (0.85 if part == "made with" else 0.6)
        assert gone["number"] / there["number"] >= 0.6
        assert kept > 0.97


@pytest.mark.parametrize(
    ("language", "text", "masked"),
    [
        ("en", "Sarah said so.", "[name] said so."),
        ("en", "Mrs. Zyxwent called.", "Mrs. [name] called."),
        ("en", "Will you come? May I? I hope so.", "Will you come? May I? I hope so."),
        ("en", "I met Will there.", "I met [name] there."),
        ("en", "Call +44 (0)20 7946-0958 now", "Call [number] now"),
        ("en", "one or two of them, three times", "one or two of them, three times"),
        ("en", "Mail a.b+c@example.co.uk!", "Mail [email]!"),
        ("de", "Der Sommer war heiß, die Wut groß.", "Der Sommer war heiß, die Wut groß."),
        ("de", "Sie wohnt in der Gartenstraße 5 in Bonn.", "Sie wohnt in der [address] in Bonn."),
        ("fr", "J'habite 3 rue de la Paix.", "J'habite [address]."),
        ("en", "this is so good, she said, miss you", "this is so good, she said, miss you"),
        ("en", "my name is zyxwent and i said", "my name is [name] and i said"),
        ("xx", "Sarah said 12.", "[name] said [number]."),
        (None, "Sarah said 12.", "[name] said [number]."),
    ],
)
def test_masked_as_written(
    language: str | None, text: str, masked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_spacy_finder", lambda language: (None, ""))
    assert Redactor(language)(text) == masked


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_taken_and_no_digit_is_left(text: str) -> None:
    masked = load_redactor("en")(text)
    assert not re.search(r"\d", masked)


def test_a_model_that_is_installed_adds_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    def model(text: str) -> list[Span]:
        return [Span(m.start(), m.end(), "address") for m in re.finditer("Leeds", text)]

    monkeypatch.setattr(module, "_spacy_finder", lambda language: (model, "some_model 1.0"))
    redactor = Redactor("en")
    assert redactor("Sarah is in Leeds.") == "[name] is in [address]."
    assert redactor.name.endswith("some_model 1.0")
    assert redactor.name.startswith("rules + faker ")


def test_evidence_is_masked_in_all_its_words() -> None:
    segments = (Segment(start=0, end=1, text="Ask Sarah.", speaker="Speaker A"),)
    evidence = Evidence(
        id="call:1",
        transcript=Transcript(text="Ask Sarah.", source="given", language="en", segments=segments),
        turns=(Turn(speaker="Speaker B", text="My number is 555 0199."),),
        emotion="neutral",
        scores={"neutral": 1.0},
    )
    masked = redact(evidence)
    assert "Sarah" not in masked.model_dump_json()
    assert "555" not in masked.model_dump_json()
    assert masked.transcript is not None
    assert masked.transcript.segments[0].text == masked.transcript.text == "Ask [name]."
    assert masked.turns[0] == Turn(speaker="Speaker B", text="My number is [number].")
    assert masked.emotion == evidence.emotion
