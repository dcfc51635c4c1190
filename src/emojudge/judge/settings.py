"""`judge.json`: how a judge was set up, by hand or by tuning; the command line and bundles read it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from emojudge.emotions import EMOTIONS, Emotion
from emojudge.errors import JudgeError
from emojudge.files import write_whole
from emojudge.judge.decision import Decision, Source
from emojudge.judge.examples import Choice
from emojudge.judge.exchange import Sampling
from emojudge.judge.forms import Form
from emojudge.judge.gate import Gate
from emojudge.judge.prompt import Example, Prompt, Question
from emojudge.judge.steps import Scales
from emojudge.records import Record

FORMAT = 1
NAME = "judge.json"
AGREEMENT_SAMPLES = 5  # where confidence is to be the share of samples that agree, and no number was given


class Settings(Record):
    """Everything that decides what a judge does, its examples included, and no key."""

    format: int = FORMAT
    judge: Literal["on", "off"] = "on"  # off: tuning found that refinement does not help
    why_off: str = ""
    provider: str | None = None  # as it was named when tuned, such as "openai/MODEL"
    prompt: str = "default"  # a template's name
    template: str | None = None  # or its text, where it is not one of ours
    temperature: float | None = Field(default=0.3, ge=0)  # EmoJudge section 2.4
    samples: int = Field(default=1, ge=1, le=50)
    max_tokens: int = Field(default=120, ge=1)
    seed: int | None = None
    labels: tuple[Emotion, ...] = Field(default=EMOTIONS, min_length=2)
    gate: Gate = Gate()
    decision: Decision = Decision()
    scales: Scales = Scales()
    examples: tuple[Example, ...] = ()
    shown: int = Field(default=8, ge=0)  # examples in a prompt
    choice: Choice = "balanced"
    figures: dict[str, Any] = Field(default_factory=dict)  # what tuning measured

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a settings file.

        Raises:
            JudgeError: unreadable, another format, an unknown key or a value out of range.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise JudgeError(
                path, found=str(error), expected=f"a {NAME} as `emojudge judge tune` writes it"
            ) from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            found = f"format {content.get('format') if isinstance(content, dict) else None!r}"
            raise JudgeError(path, found=found, expected=f"format {FORMAT}")
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"])
            raise JudgeError(
                path, found=f"{place}: {fault['msg']}", expected="settings of a judge"
            ) from error

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_whole(path, self.model_dump_json(indent=1) + "\n")


def question_of(settings: Settings, prompt: Prompt, model: str) -> Question:
    """The question that settings stand for."""
    source = settings.decision.confidence
    form: Form = "letter" if source == "likelihood" and prompt.task == "emotion" else prompt.form
    sampling = Sampling(
        temperature=settings.temperature,
        max_tokens=4 if form == "letter" else settings.max_tokens,
        samples=settings.samples,
        label_logprobs=form == "letter",
        seed=settings.seed,
    )
    threshold = settings.decision.threshold
    return Question(prompt, model, form, sampling, settings.labels, threshold, settings.scales)


def overlaid(
    settings: Settings,
    threshold: float | None,
    gate: str | Gate | None,
    prompt: str | Path | None,
    confidence: Source | None,
    samples: int | None,
    examples: Iterable[Example] | None,
    choice: Choice | None,
) -> Settings:
    """Settings with what was given beside them. A calibration is of one source of confidence only."""
    decision = settings.decision.model_dump()
    if confidence is not None and confidence != settings.decision.confidence:
        decision |= {"confidence": confidence, "calibration": None, "prior": None}
    if threshold is not None:
        decision |= {"threshold": threshold, "kind": "override"}
    changes: dict[str, Any] = {"decision": decision}
    if gate is not None:
        changes["gate"] = gate if isinstance(gate, Gate) else Gate.parse(gate)
    if prompt is not None:
        changes |= {"prompt": str(prompt), "template": None}
    if samples is not None:
        changes["samples"] = samples
    elif decision["confidence"] == "agreement" and settings.samples < 2:
        changes["samples"] = AGREEMENT_SAMPLES
    if examples is not None:
        changes["examples"] = tuple(examples)
    if choice is not None:
        changes["choice"] = choice
    try:
        return Settings.model_validate(settings.model_dump() | changes)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise JudgeError(f"judge: {place}", found=repr(fault["input"]), expected=fault["msg"]) from error
