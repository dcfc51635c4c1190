"""Whether a language model's refinement helps on real data: dialogues in text (MELD), acted voices (RAVDESS).

MELD, with the turns before an utterance and without: examples are drawn from its training split, everything
is tuned on its development split, and the settings that come out judge its test split once. RAVDESS, which
has no split, is tuned and measured by nested cross-validation over its actors, without examples. Both are
predictions of the embedded bundle, which was trained on neither.

A smaller --limit takes the first of what a larger one takes, so that with the same --ledger nothing is asked
twice: begin small, and go as far as there is time.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emojudge.bundle.format import Bundle
from emojudge.corpora import load_corpus
from emojudge.corpora.splits import position
from emojudge.emotions import EMOTIONS, Emotion
from emojudge.judge import figures as f
from emojudge.judge.bins import bins_of
from emojudge.judge.evidence import TURNS, gather_evidence
from emojudge.judge.examples import correct_predictions
from emojudge.judge.exchange import Provider
from emojudge.judge.judging import Judge
from emojudge.judge.ledger import Ledger
from emojudge.judge.prompt import PARAPHRASES
from emojudge.judge.providers import Settings as Reach
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
    """All runs, with their tables on stdout."""
    if arguments.model is None or arguments.corpora is None:
        sys.exit("judge needs --corpora DIR and --model GGUF")
    name = f"local:{arguments.model}" if Path(arguments.model).is_file() else arguments.model
    provider = load_provider(name, Reach(threads=arguments.threads))
    bundle = Bundle.open(arguments.bundle)
    with Ledger(arguments.ledger) as ledger:
        bench = Bench(bundle, provider, ledger, arguments.limit)
        return {
            "model": Path(arguments.model).name,
            "limit": arguments.limit,
            "meld_alone": bench.meld(arguments.corpora / "meld", 0),
            "meld_dialogue": bench.meld(arguments.corpora / "meld", TURNS),
            "ravdess": bench.ravdess(arguments.corpora / "ravdess"),
        }


@dataclass
class Bench:
    """What all runs have in common."""

    bundle: Bundle
    provider: Provider
    ledger: Ledger
    limit: int  # utterances of a split

    def meld(self, folder: Path, turns: int) -> dict[str, Any]:
        """Tuned on development, measured on test, with so many turns before an utterance."""
        train, dev, test = (
            load_corpus("table", folder / f"{split}_sent_emo.csv", columns=MELD)
            for split in ("train", "dev", "test")
        )
        # The examples' own earlier turns would make the prompt several times as long.
        pool = [(item.evidence, item.emotion) for item in self.drawn(train, 0, POOL)]
        settings = Settings(labels=NO_CONTEMPT, examples=tuple(correct_predictions(pool)), shown=7)
        title = f"MELD, {turns} turns before"
        report = self.tuned(f"{title}, development", self.drawn(dev, turns), settings)
        on = report.settings.model_copy(update={"judge": "on"})  # measured, also where tuning says: off
        judge = Judge(self.provider, settings=on, ledger=self.ledger)
        items = [item for item in self.drawn(test, turns) if item.emotion]
        verdicts = list(judge.refine(item.evidence for item in items))
        groups = [item.group or "" for item in items]
        figures = f.of_verdicts(verdicts, [item.emotion for item in items if item.emotion], groups)
        chosen = f"{on.prompt}, {on.gate}, {on.decision.kind}"
        print(f"{title}, test, once, with the settings chosen on development ({chosen})")
        print(f.in_words("macro-F1", figures["macro_f1"]))
        print(f.changes_in_words(figures), end="\n\n", flush=True)
        return {
            "dev": report.settings.figures,
            "judge": report.settings.judge,
            "chosen": chosen,
            "test": figures,
            "tokens": self.tokens(judge, items),
        }

    def ravdess(self, folder: Path) -> dict[str, Any]:
        """Tuned and measured by nested cross-validation over actors."""
        utterances = [u for u in load_corpus("ravdess", folder) if u.emotion is not None]
        items = self.drawn(utterances, 0)
        settings = Settings(labels=NO_CONTEMPT)
        report = self.tuned("RAVDESS, nested by actor", items, settings)
        judge = Judge(self.provider, settings=report.settings, ledger=self.ledger)
        return {
            "nested": report.settings.figures,
            "judge": report.settings.judge,
            "tokens": self.tokens(judge, items),
        }

    def drawn(self, utterances: list[Utterance], turns: int, most: int | None = None) -> list[Labelled]:
        """Up to `most` utterances, drawn by hash of their names, with the evidence on them.

        The turns before an utterance are told whether or not they are drawn.
        """
        ranked = sorted(utterances, key=lambda u: position(u.id))
        known = {u.id: u for u in ranked[: most or self.limit]}
        predictions = [
            p for p in Recognizer(self.bundle).predict(known.values()) if isinstance(p, Prediction)
        ]
        silent = [u for u in utterances if u.id not in known]  # their words alone
        told = gather_evidence(
            predictions, [*known.values(), *silent], bins=bins_of(self.bundle), turns=turns
        )
        return [
            Labelled(evidence, known[evidence.id].emotion, None, _group(known[evidence.id]))
            for evidence in told
            if isinstance(evidence, Evidence)
        ]

    def tuned(self, title: str, items: list[Labelled], settings: Settings) -> Report:
        """Three wordings, asked for a letter and its probability."""
        judges = [
            Judge(
                self.provider, settings=settings, prompt=wording, confidence="likelihood", ledger=self.ledger
            )
            for wording in PARAPHRASES["emotion"]
        ]
        report = tune_judges(items, judges, progress=_Ticks(title))
        print(f"\n{title}: {self.provider.model}")
        print("\n".join(report.lines), end="\n\n", flush=True)
        return report

    def tokens(self, judge: Judge, items: list[Labelled]) -> dict[str, float]:
        """Tokens of a request and its answer, on average over what was asked."""
        answers = [self.ledger.answered(judge.key_of(item.evidence)) for item in items]
        usage = [answer.usage for answer in answers if answer is not None]
        return {
            "prompt": sum(u.prompt for u in usage) / max(1, len(usage)),
            "completion": sum(u.completion for u in usage) / max(1, len(usage)),
        }


def _group(utterance: Utterance) -> str | None:
    """What is drawn and divided as a whole: a dialogue, else a speaker's utterances."""
    return utterance.recording or utterance.speaker


class _Ticks:
    """Says from time to time how many answers there are."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.done = 0

    def __call__(self, steps: int) -> None:
        self.done += steps
        if self.done % 50 == 0:
            print(f"{self.title}: {self.done} answers", file=sys.stderr, flush=True)
