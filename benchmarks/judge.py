"""Whether a language model's refinement helps on real data: dialogues in text (MELD), acted voices (RAVDESS).

MELD: examples are drawn from its training split, everything is tuned on its development split, and the
settings that come out judge its test split once. RAVDESS, which has no split, is tuned and measured by nested
cross-validation over its actors, without examples. Both are predictions of the embedded bundle, which was
trained on neither.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emojudge.bundle.format import Bundle
from emojudge.corpora import load_corpus
from emojudge.corpora.splits import position
from emojudge.emotions import EMOTIONS, Emotion
from emojudge.judge import figures as f
from emojudge.judge.bins import bins_of
from emojudge.judge.evidence import gather_evidence
from emojudge.judge.examples import correct_predictions
from emojudge.judge.judging import Judge
from emojudge.judge.ledger import Ledger
from emojudge.judge.prompt import PARAPHRASES
from emojudge.judge.providers import load_provider
from emojudge.judge.settings import Settings
from emojudge.judge.tuning import Labelled, Report, tune_judges
from emojudge.recognizer import Recognizer
from emojudge.records import Evidence, Prediction, Utterance

MELD = {
    "transcript": "Utterance",
    "emotion": "Emotion",
    "speaker": "Speaker",
    "recording": "Dialogue_ID",
    "position": "Utterance_ID",
}
NO_CONTEMPT: tuple[Emotion, ...] = tuple(emotion for emotion in EMOTIONS if emotion != "contempt")
POOL = 400  # training utterances among which examples are looked for


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both runs, with their tables on stdout."""
    if arguments.model is None or arguments.corpora is None:
        sys.exit("judge needs --corpora DIR and --model GGUF")
    name = f"local:{arguments.model}" if Path(arguments.model).is_file() else arguments.model
    provider = load_provider(name)
    bundle = Bundle.open(arguments.bundle)
    with Ledger(arguments.ledger) as ledger:
        return {
            "model": Path(arguments.model).name,
            "limit": arguments.limit,
            "meld": _meld(arguments.corpora / "meld", bundle, provider, ledger, arguments.limit),
            "ravdess": _ravdess(arguments.corpora / "ravdess", bundle, provider, ledger, arguments.limit),
        }


def _meld(folder: Path, bundle: Bundle, provider: Any, ledger: Ledger, limit: int) -> dict[str, Any]:
    recognizer = Recognizer(bundle)
    splits = {
        split: load_corpus("table", folder / f"{split}_sent_emo.csv", columns=MELD)
        for split in ("train", "dev", "test")
    }
    pool = _judged(recognizer, splits["train"], POOL, bundle)
    alone = [(item.evidence.model_copy(update={"turns": ()}), item.emotion) for item in pool]
    examples = correct_predictions(
        alone
    )  # their own earlier turns would make the prompt several times as long
    settings = Settings(labels=NO_CONTEMPT, examples=tuple(examples), shown=7)
    dev = _judged(recognizer, splits["dev"], limit, bundle)
    report = _tuned("MELD, development", dev, provider, ledger, settings)
    test = [item for item in _judged(recognizer, splits["test"], limit, bundle) if item.emotion]
    on = report.settings.model_copy(update={"judge": "on"})  # measured, also where tuning says that it is off
    judge = Judge(provider, settings=on, ledger=ledger)
    verdicts = list(judge.refine(item.evidence for item in test))
    groups = [item.group or "" for item in test]
    figures = f.of_verdicts(verdicts, [item.emotion for item in test if item.emotion], groups)
    print("MELD, test, once, with the settings chosen on development")
    print(f.in_words("macro-F1", figures["macro_f1"]))
    print(f.changes_in_words(figures), end="\n\n")
    return {"dev": report.settings.figures, "judge": report.settings.judge, "test": figures}


def _ravdess(folder: Path, bundle: Bundle, provider: Any, ledger: Ledger, limit: int) -> dict[str, Any]:
    utterances = [u for u in load_corpus("ravdess", folder) if u.emotion is not None]
    items = _judged(Recognizer(bundle), utterances, limit, bundle)
    settings = Settings(labels=NO_CONTEMPT)
    report = _tuned("RAVDESS, nested by actor", items, provider, ledger, settings)
    return {"nested": report.settings.figures, "judge": report.settings.judge}


def _judged(
    recognizer: Recognizer, utterances: list[Utterance], limit: int, bundle: Bundle
) -> list[Labelled]:
    """Up to `limit` utterances, drawn by hash of their recording or name, with the evidence on them.

    Of dialogues, whole ones are drawn, so that what was said before is there.
    """
    drawn = sorted(utterances, key=lambda u: (position(u.recording or u.id), u.position or 0.0))[:limit]
    predictions = [p for p in recognizer.predict(drawn) if isinstance(p, Prediction)]
    known = {u.id: u for u in drawn}
    told = gather_evidence(predictions, drawn, bins=bins_of(bundle))
    return [
        Labelled(evidence, known[evidence.id].emotion, None, _group(known[evidence.id]))
        for evidence in told
        if isinstance(evidence, Evidence)
    ]


def _group(utterance: Utterance) -> str | None:
    """What is drawn and divided as a whole: a dialogue, else a speaker's utterances."""
    return utterance.recording or utterance.speaker


def _tuned(
    title: str, items: Iterable[Labelled], provider: Any, ledger: Ledger, settings: Settings
) -> Report:
    judges = [
        Judge(provider, settings=settings, prompt=wording, confidence="likelihood", ledger=ledger)
        for wording in PARAPHRASES["emotion"]
    ]
    report = tune_judges(list(items), judges, progress=_Ticks(title))
    print(f"\n{title}: {provider.name.rsplit('/', 1)[-1]}")
    print("\n".join(report.lines), end="\n\n", flush=True)
    return report


class _Ticks:
    """Says from time to time how many answers there are."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.done = 0

    def __call__(self, steps: int) -> None:
        self.done += steps
        if self.done % 100 == 0:
            print(f"{self.title}: {self.done} answers", file=sys.stderr, flush=True)
