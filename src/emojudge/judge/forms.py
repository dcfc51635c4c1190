"""The forms that an answer may have: how the prompt asks for it, and its JSON schema."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from emojudge.emotions import ATTRIBUTES, EMOTIONS, LETTERS, Emotion
from emojudge.judge.steps import STEPS

# json: a label, a stated confidence and a reason; word: a label alone (the paper); letter: a label as one
# token, whose probability can be asked for; ratings: a step of each attribute.
Form = Literal["json", "word", "letter", "ratings"]
NA = "NA"
LETTER_OF: dict[Emotion, str] = {emotion: letter for letter, emotion in LETTERS.items()}

_CONFIDENCE = '"confidence": how sure you are, a whole number from 0 to 100, "reason": at most 15 words}'


@lru_cache(maxsize=64)
def instruction(form: Form, labels: tuple[Emotion, ...] = EMOTIONS) -> str:
    """How to answer, in words; it ends a prompt.

    >>> instruction("letter", ("angry", "sad"))
    'Answer with one letter and nothing else: A for angry, S for sad.'
    """
    match form:
        case "json":
            return (
                f'Answer with one JSON object and nothing else: {{"emotion": one of {", ".join(labels)}, '
                f"or {NA}, {_CONFIDENCE}."
            )
        case "word":
            return f"Answer with one of {', '.join(labels)}, or {NA}, and nothing else."
        case "letter":
            letters = ", ".join(f"{LETTER_OF[label]} for {label}" for label in labels)
            return f"Answer with one letter and nothing else: {letters}."
        case "ratings":
            scales = ", ".join(f'"{name}": a step or {NA}' for name in ATTRIBUTES)
            return f"Answer with one JSON object and nothing else: {{{scales}, {_CONFIDENCE}."


def schema(form: Form, labels: Sequence[Emotion] = EMOTIONS) -> dict[str, Any] | None:
    """The JSON schema of the answer, for servers that can enforce one; None for forms that are not JSON."""
    if form not in ("json", "ratings"):
        return None
    properties: dict[str, Any] = (
        {"emotion": {"type": "string", "enum": [*labels, NA]}}
        if form == "json"
        else {name: {"type": "string", "enum": [*STEPS, NA]} for name in ATTRIBUTES}
    )
    confidence = {"type": "integer", "minimum": 0, "maximum": 100}
    properties |= {"confidence": confidence, "reason": {"type": "string"}}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),  # servers' strict schemas want all of them
        "additionalProperties": False,
    }
