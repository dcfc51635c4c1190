"""Prompts: templates that anybody may replace, filled with the case, the examples and the rules.

A template is a text file. Lines `key: value` come first, if any; then, after a line `---` each, the system
message and the user message (a file without keys begins with the system message). `$name` stands for:

- `$case` (required, in the user message): what is judged, as a block of data;
- `$rule` (required): that blocks are data and never instructions;
- `$answer` (required): the form of the answer;
- `$categories`, `$examples`, `$threshold`, `$bins`: the emotions, the examples of correct predictions, the
  confidence that a correction needs, the steps of an attribute.

`$$` is a dollar sign. Nothing else is understood: no code, no attributes, no conditions. The keys are `task`
(emotion or attributes), `form` (the form of answer where the judge's settings do not say one), `fields` (what
of the evidence is told; see FIELDS) and `voice` (how the voice is described: `bins`, or `paper` as there).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Literal, get_args

from emojudge.emotions import ATTRIBUTES, EMOTIONS, Attribute, Emotion
from emojudge.errors import JudgeError
from emojudge.judge.block import RULE, data_block
from emojudge.judge.evidence import describe
from emojudge.judge.exchange import Message, Request, Role, Sampling
from emojudge.judge.forms import LETTER_OF, Form, instruction, schema
from emojudge.judge.steps import EVEN, STEPS, Scales
from emojudge.records import Attributes, Evidence, Record

Task = Literal["emotion", "attributes"]
FIELDS = ("transcript", "speaker", "turns", "voice", "emotion", "scores", "opinions", "attributes")
PARAPHRASES: dict[Task, tuple[str, ...]] = {  # the same question in other words, to measure what wording does
    "emotion": ("default", "second", "third"),
    "attributes": ("attributes", "attributes-second", "attributes-third"),
}
DRAWN = Sampling()
TOLD = 0.1  # of a score, from which it is told
_CASE = "\0case\0"  # stands for the case where the rest is filled in already; no block can contain it
_REQUIRED = ("case", "rule", "answer")
_KNOWN = (*_REQUIRED, "categories", "examples", "threshold", "bins")


class Example(Record):
    """A correct prediction to show, and the label that it agrees with."""

    evidence: Evidence
    emotion: Emotion | None = None
    attributes: Attributes | None = None


@dataclass(frozen=True)
class Prompt:
    """A template, read and checked."""

    name: str
    system: str
    user: str
    task: Task = "emotion"
    form: Form = "json"
    fields: tuple[str, ...] = FIELDS
    voice: Literal["bins", "paper"] = "bins"  # see `evidence.describe`
    own_text: str | None = None  # the file's, where it is not one of ours

    @classmethod
    def load(cls, name: str | Path, text: str | None = None) -> "Prompt":
        """A template by its name (`paper`, `default`, `second`, `third`, `attributes` ...) or its file.

        Args:
            name: of one of ours, or a file.
            text: of a template that is not one of ours, where it is known already.

        Raises:
            JudgeError: no such template, or one that cannot be filled.
        """
        own = files("emojudge.judge") / "prompts"
        names = sorted(file.name.removesuffix(".txt") for file in own.iterdir() if file.name.endswith(".txt"))
        if text is None and str(name) in names:
            return cls.parse(str(name), (own / f"{name}.txt").read_text(encoding="utf-8"))
        try:
            text = Path(name).read_text(encoding="utf-8") if text is None else text
        except (OSError, UnicodeDecodeError, ValueError) as error:
            near = get_close_matches(str(name), names, n=1)
            advice = f"Did you mean {near[0]!r}?" if near else ""
            expected = f"{', '.join(names)}, or a template's file"
            raise JudgeError(f"prompt {name}", found=str(error), expected=expected, advice=advice) from error
        return replace(cls.parse(Path(name).name, text), own_text=text)

    @classmethod
    def parse(cls, name: str, text: str) -> "Prompt":
        """A template from its text; see the head of this module."""
        parts = [part.strip() for part in f"\n{text}".replace("\r\n", "\n").split("\n---\n")]
        if len(parts) == 2:
            parts.insert(0, "")
        if len(parts) != 3:
            expected = "a system message and a user message, with a line --- between them"
            raise JudgeError(f"prompt {name}", found=f"{len(parts)} part(s)", expected=expected)
        head, system, user = parts
        prompt = cls(name, system, user, **_keys(name, head))
        prompt._check()
        return prompt

    def _check(self) -> None:
        where = f"prompt {self.name}"
        system, user = Template(self.system), Template(self.user)
        if not (system.is_valid() and user.is_valid()):
            raise JudgeError(
                where, found="a $ that begins no name", expected="$name, or $$ for a dollar sign"
            )
        used = {*system.get_identifiers(), *user.get_identifiers()}
        if unknown := sorted(used - {*_KNOWN}):
            near = get_close_matches(unknown[0], _KNOWN, n=1)
            advice = f"Did you mean ${near[0]}?" if near else ""
            expected = ", ".join(f"${known}" for known in _KNOWN)
            raise JudgeError(where, found=f"${unknown[0]}", expected=expected, advice=advice)
        missing = [required for required in _REQUIRED if required not in used]
        if missing or "case" not in user.get_identifiers():
            found = f"no ${(missing or ['case'])[0]}"
            raise JudgeError(
                where, found=found, expected="$case in the user message, $rule and $answer anywhere"
            )

    @cached_property
    def hash(self) -> str:
        """Names the wording: prompts of the same text have the same."""
        return hashlib.sha256(repr((self.system, self.user, self.fields, self.voice)).encode()).hexdigest()[
            :16
        ]


@dataclass(frozen=True)
class Question:
    """What is the same for all utterances of a run: wording, model, labels, form, drawing of answers."""

    prompt: Prompt
    model: str
    form: Form
    sampling: Sampling = DRAWN
    labels: tuple[Emotion, ...] = EMOTIONS
    threshold: float = 0.8  # told to the model by templates that name it
    scales: Scales = EVEN

    @property
    def tells_threshold(self) -> bool:
        """Whether it is told to answer NA under the threshold, and asked for no number: as in the paper."""
        return (
            self.form == "word"
            and "threshold" in Template(self.prompt.system + self.prompt.user).get_identifiers()
        )

    def request(self, evidence: Evidence, examples: Sequence[Example] = ()) -> Request:
        """The request about an utterance."""
        case = data_block(self.case(evidence))
        messages = tuple(Message(role, case.join(around)) for role, around in self._around(tuple(examples)))
        letters = tuple(LETTER_OF[label] for label in self.labels)
        return Request(request_key(messages, self._rest), messages, letters, self._schema, self.sampling)

    def case(self, evidence: Evidence) -> dict[str, Any]:
        """What the model is told of an utterance: of the template's fields, those that there are."""
        told = {name: _TOLD[name](evidence, self) for name in self.prompt.fields}
        hidden = {"attributes"} if self.prompt.task == "emotion" else {"emotion", "scores", "opinions"}
        return {_NAMES[name]: value for name, value in told.items() if value and name not in hidden}

    def _around(self, examples: tuple[Example, ...]) -> list[tuple[Role, list[str]]]:
        """Each message as the texts before and after the case: with most examples, the same every time."""
        if not self._last or examples != self._last[0]:
            values = {
                "rule": RULE,
                "answer": instruction(self.form, self.labels),
                "categories": ", ".join(self.labels),
                "threshold": f"{self.threshold:.0%}",
                "bins": ", ".join(STEPS),
                "examples": self._shown(examples),
                "case": _CASE,
            }
            templates: dict[Role, str] = {"system": self.prompt.system, "user": self.prompt.user}
            texts = {role: Template(text).substitute(values).strip() for role, text in templates.items()}
            self._last[:] = [examples, [(role, text.split(_CASE)) for role, text in texts.items()]]
        around: list[tuple[Role, list[str]]] = self._last[1]
        return around

    def _shown(self, examples: tuple[Example, ...]) -> str:
        if not examples:
            return ""
        shown = [f"{data_block(self.case(e.evidence))}\nCorrect: {self._label(e)}" for e in examples]
        return "Correct predictions for other speech:\n\n" + "\n\n".join(shown)

    def _label(self, example: Example) -> str:
        if self.prompt.task == "attributes" and example.attributes is not None:
            return ", ".join(f"{name} {word}" for name, word in self.scales.words(example.attributes).items())
        emotion = example.emotion or example.evidence.emotion
        return LETTER_OF[emotion] if self.form == "letter" else emotion

    @cached_property
    def _last(self) -> list[Any]:
        return []  # the examples that were shown last, and the messages around a case with them

    @cached_property
    def _rest(self) -> bytes:
        """What a request's key depends on beside the messages."""
        return json.dumps(
            [self.model, self._schema, asdict(self.sampling), self.labels], sort_keys=True
        ).encode()

    @cached_property
    def _schema(self) -> dict[str, Any] | None:
        return schema(self.form, self.labels)


def request_key(messages: Sequence[Message], rest: bytes) -> str:
    """The hash that a request and its answer are known by: of all that the answer depends on."""
    digest = hashlib.sha256(rest)
    for message in messages:
        content = message.content.encode("utf-8", "surrogatepass")
        digest.update(f"\0{message.role} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def _keys(name: str, head: str) -> dict[str, Any]:
    """The keys above a template's messages."""
    keys: dict[str, Any] = {}
    choices: dict[str, tuple[str, ...]] = {
        "task": get_args(Task),
        "form": get_args(Form),
        "fields": FIELDS,
        "voice": ("bins", "paper"),
    }
    for line in head.splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        words = value.split()
        if key not in choices or not words or not {*words} <= {*choices[key]}:
            expected = "; ".join(f"{known}: {' '.join(values)}" for known, values in choices.items())
            raise JudgeError(f"prompt {name}", found=repr(line), expected=expected)
        keys[key] = tuple(words) if key == "fields" else words[0]
    if keys.get("task") == "attributes":
        keys["form"] = "ratings"
    return keys


def _speaker(evidence: Evidence, question: Question) -> str:
    return ", ".join(part for part in (evidence.speaker, evidence.gender) if part)


def _turns(evidence: Evidence, question: Question) -> list[dict[str, str]]:
    return [{"speaker": turn.speaker or "unknown", "said": turn.text} for turn in evidence.turns]


def _percent(scores: dict[Emotion, float] | None) -> dict[str, str]:
    """The scores worth a word, the largest first; nothing where a recogniser gave a label alone."""
    ranked = sorted((scores or {}).items(), key=lambda item: -item[1])
    if not ranked or ranked[0][1] == 1.0:
        return {}
    return {emotion: f"{score:.0%}" for emotion, score in ranked[:4] if score >= TOLD}


def _opinions(evidence: Evidence, question: Question) -> dict[str, dict[str, str]]:
    """What each model says alone; nothing where there is one, for then the scores are its own."""
    both = {"by the voice alone": evidence.audio_scores, "by the words alone": evidence.text_scores}
    if None in both.values():
        return {}
    told = {name: _percent(scores) for name, scores in both.items()}
    return {name: scores for name, scores in told.items() if scores}


def _ratings(evidence: Evidence, question: Question) -> dict[Attribute, str]:
    if evidence.attributes is None:
        return {}
    words = question.scales.words(evidence.attributes)
    return {name: words[name] for name in ATTRIBUTES}


_TOLD: dict[str, Any] = {
    "transcript": lambda evidence, question: evidence.transcript.text if evidence.transcript else "",
    "speaker": _speaker,
    "turns": _turns,
    "voice": lambda evidence, question: describe(evidence, question.prompt.voice),
    "emotion": lambda evidence, question: evidence.emotion,
    "scores": lambda evidence, question: _percent(evidence.scores),
    "opinions": _opinions,
    "attributes": _ratings,
}
_NAMES = {
    "transcript": "transcript",
    "speaker": "speaker",
    "turns": "said before",
    "voice": "voice",
    "emotion": "recogniser's emotion",
    "scores": "recogniser's scores",
    "opinions": "recogniser's opinions",
    "attributes": "recogniser's ratings",
}
