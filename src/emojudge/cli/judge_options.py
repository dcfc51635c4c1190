"""What the verbs that ask a judge have in common: their options, and the judge that these stand for."""

import math
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emojudge.cli.messages import say

if TYPE_CHECKING:
    from emojudge.bundle.format import Bundle
    from emojudge.judge.exchange import Provider
    from emojudge.judge.judging import Judge
    from emojudge.judge.prompt import Example
    from emojudge.judge.providers.capabilities import Price

LEDGER = Path("emojudge-judge.sqlite")  # where nothing else is said: in the folder one works in, to be seen


class Confidence(StrEnum):
    """Which figure of an answer is its confidence, see `judge.decision`."""

    STATED = "stated"
    LIKELIHOOD = "likelihood"
    AGREEMENT = "agreement"


Name = Annotated[
    str | None,
    typer.Option(
        "--judge",
        "-j",
        metavar="NAME",
        help="The language model: openai/MODEL, azure/DEPLOYMENT, http://HOST/v1#MODEL, local:FILE.gguf, "
        "local:smollm2, echo. Nothing leaves this computer unless one elsewhere is named.",
        show_default=False,
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", "--judge-settings", metavar="FILE", help="A judge.json, as tune writes it."),
]
Prompts = Annotated[
    str | None,
    typer.Option("--prompt", metavar="NAME|FILE", help="default, second, third, paper, or a file."),
]
Threshold = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="The confidence from which another label counts; 0.8 by default."),
]
GateOption = Annotated[
    str | None,
    typer.Option(
        "--gate",
        metavar="GATE",
        help="Which are sent: all, conflict, uncertain[:0.2], entropy[:0.6], budget[:10%].",
    ),
]
ConfidenceOption = Annotated[
    Confidence | None, typer.Option("--confidence", help="Stated, of the letter, or of several samples.")
]
Samples = Annotated[int | None, typer.Option(min=1, max=50, help="Answers to draw for each utterance.")]
ExamplesFile = Annotated[
    Path | None,
    typer.Option(
        "--examples",
        metavar="TABLE",
        help="Predictions of a training split with a column 'label'; correct ones are shown.",
    ),
]
LedgerPath = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        "--cache",
        metavar="FILE",
        help=f"Requests and answers are kept here, and never paid for twice; {LEDGER} by default.",
    ),
]
MaxCost = Annotated[float | None, typer.Option(min=0, metavar="DOLLARS", help="Spend no more than this.")]
PriceOption = Annotated[
    str | None,
    typer.Option(
        "--price",
        metavar="IN,OUT",
        help="US dollars for a million tokens of prompts and of answers, where the table has none.",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(min=1, max=256, help="Requests under way at once; by default what suits the model."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Send nothing; say what would be sent and its cost.")]
Redact = Annotated[bool, typer.Option("--redact", help="Mask names, numbers and addresses in what is sent.")]
Batch = Annotated[bool, typer.Option("--batch", help="By the Batch API: half the price, within a day.")]


@dataclass(frozen=True)
class Asked:
    """What the options say."""

    name: str | None
    settings: Path | None = None
    prompt: str | None = None
    threshold: float | None = None
    gate: str | None = None
    confidence: Confidence | None = None
    samples: int | None = None
    examples: Path | None = None
    ledger: Path | None = None
    max_cost: float | None = None
    dry_run: bool = False
    redact: bool = False
    batch: bool = False
    price: str | None = None
    concurrency: int | None = None


def make_judge(asked: Asked, bundle: "Bundle | None" = None, provider: "Provider | None" = None) -> "Judge":
    """The judge that the options stand for; without settings of their own, a bundle's `judge.json` counts.

    `provider` is the language model where it is loaded already.
    """
    from emojudge.errors import JudgeError
    from emojudge.judge.judging import Judge
    from emojudge.judge.settings import NAME, Settings

    if asked.name is None:
        raise JudgeError(
            "--judge",
            found="no language model",
            expected="its name",
            advice="Such as: --judge openai/MODEL, or, on this computer, --judge local:FILE.gguf",
        )
    settings = None
    if asked.settings is not None:
        settings = Settings.read(asked.settings)
    elif bundle is not None and NAME in bundle.manifest.hashes:
        settings = Settings.read(bundle.file(NAME))
    if settings is not None and settings.judge == "off":
        say(f"the judge is off: {settings.why_off}")
    ledger = (
        None if asked.dry_run and asked.ledger is None and not LEDGER.exists() else asked.ledger or LEDGER
    )
    return Judge(
        provider or _loaded(asked.name, asked),
        threshold=asked.threshold,
        gate=asked.gate,
        prompt=asked.prompt,
        confidence=asked.confidence.value if asked.confidence else None,
        samples=asked.samples,
        examples=None if asked.examples is None else read_examples(asked.examples),
        settings=settings,
        ledger=ledger,
        max_cost=asked.max_cost,
        redact=asked.redact,
        batch=asked.batch,
    )


def _loaded(name: str, asked: Asked) -> "Provider":
    from emojudge.judge.providers import Settings, load_provider

    price = None if asked.price is None else _price(asked.price)
    return load_provider(name, Settings(price=price, concurrency=asked.concurrency))


def _price(text: str) -> "Price":
    """A price that holds today.

    >>> _price("2.5,10").dollars(1_000_000, 100_000)
    3.5
    """
    from emojudge.errors import JudgeError
    from emojudge.judge.providers.capabilities import Price

    try:
        prompt, completion = (float(part) for part in text.split(","))
        if not (0 <= prompt < math.inf and 0 <= completion < math.inf):
            raise ValueError
    except ValueError:
        raise JudgeError(
            "--price",
            found=repr(text),
            expected="two numbers, of US dollars for a million tokens",
            advice="Such as: --price 2.5,10",
        ) from None
    return Price(prompt, completion, date.today())


def read_examples(path: Path) -> "list[Example]":
    """Correct predictions with their labels, from a table with a column 'label'."""
    from emojudge.errors import JudgeError
    from emojudge.evaluation.labels import label_of, read_labels
    from emojudge.evaluation.predictions import Predictions
    from emojudge.judge.evidence import evidence_of
    from emojudge.judge.examples import correct_predictions

    labels = read_labels(path)
    pairs = []
    for row in Predictions(path):
        label = label_of(labels, row.id)
        if row.prediction is not None and label is not None:
            silent = row.utterance and row.utterance.model_copy(update={"audio": None})
            pairs.append((evidence_of(row.prediction, silent), label.emotion))
    examples = correct_predictions(pairs)
    if not examples or not any("label" in row.cells for row in Predictions(path)):
        raise JudgeError(path, found="no correct prediction", expected="predictions with a column 'label'")
    return examples
