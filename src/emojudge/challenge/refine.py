"""The rows that a language model refines: asked about every prediction, decided, and kept in a table.

Source: EmoJudge, section 2.4.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emojudge.bundle.format import Bundle, file_hash
from emojudge.challenge.tables import write_rows
from emojudge.corpora.splits import position
from emojudge.emotions import Emotion
from emojudge.errors import AudioError
from emojudge.evaluation.predictions import Predictions, Row
from emojudge.judge.bins import bins_of
from emojudge.judge.costs import Spending
from emojudge.judge.evidence import evidence_of
from emojudge.judge.judging import Judge
from emojudge.judge.ledger import Ledger
from emojudge.judge.prompt import Example
from emojudge.judge.providers import load_provider
from emojudge.judge.settings import Settings
from emojudge.progress import Progress
from emojudge.records import Evidence, Verdict

PAPER = Settings(prompt="paper")  # with its threshold of 0.8 and its temperature of 0.3, which are defaults
_VERDICT = ("emotion", "status", "proposed", "confidence", "reason")
COLUMNS = ("id", "emotion", *(f"verdict_{name}" for name in _VERDICT), "error")
SEED = 0
Table = list[dict[str, str]]  # rows with COLUMNS


@dataclass(frozen=True)
class Options:
    """Which language model is asked, and how.

    Args:
        name: as in `emojudge.judge.providers`.
        settings: those that tuning wrote; None: the paper's, with examples drawn from Dev-2.
        max_cost: US dollars that all rows together may cost.
    """

    name: str
    settings: Settings | None = None
    max_cost: float | None = None
    redact: bool = False
    batch: bool = False


class Refinement:
    """A language model over the tables of predictions of a reproduction.

    What it is asked and answers is kept in `ledger.sqlite` in the folder, so that nothing is paid for twice.
    """

    def __init__(self, options: Options, folder: Path, progress: Progress) -> None:
        self._options, self._folder, self._progress = options, folder, progress
        self._provider = load_provider(options.name)  # once: a local model is large
        self._spending = Spending(options.max_cost)
        folder.mkdir(parents=True, exist_ok=True)
        self._ledger = Ledger(folder / "ledger.sqlite")
        self._bins = bins_of(Bundle.open())
        self.unheard: set[str] = set()  # utterances whose voice could not be described

    def tables(
        self, name: str, predictions: Mapping[str, Path], labels: Mapping[str, Emotion]
    ) -> dict[str, Table]:
        """Verdicts of every split, with those of Dev-2 that are shown as examples left out.

        Args:
            name: the row's, which names the tables.
            predictions: table of each split, `dev2` among them.
            labels: emotion of utterances of Dev-2.
        """
        examples = []
        if self._options.settings is None:
            drawn = _one_of_each(Predictions(predictions["dev2"]), labels)
            examples = [Example(evidence=e, emotion=e.emotion) for row in drawn if (e := self._evidence(row))]
        judge = Judge(
            self._provider,
            settings=self._options.settings or PAPER,
            examples=examples or None,
            ledger=self._ledger,
            max_cost=self._options.max_cost,
            redact=self._options.redact,
            batch=self._options.batch,
        )
        judge.spending = self._spending
        made = {}
        for split, path in predictions.items():
            kept = self._folder / name / f"{split}-{self._key(judge, path)}.csv"
            if not kept.exists():
                table = self._judged(judge, path, f"{name}, {split}")
                if any(row["verdict_status"] == "failed" for row in table):  # the next run asks again
                    made[split] = table
                    continue
                write_rows(kept, COLUMNS, table)
            with kept.open(encoding="utf-8", newline="") as file:
                made[split] = list(csv.DictReader(file))
        return made

    def _judged(self, judge: Judge, path: Path, what: str) -> Table:
        shown = judge.examples.ids
        rows = [row for row in Predictions(path) if row.id not in shown]
        table: Table = []
        for row, verdict in judge.alongside(rows, self._evidence):
            told = dict.fromkeys(COLUMNS, "") | {"id": row.id, "error": row.error or ""}
            table.append(told | (_cells(verdict) if verdict else {}))
            self._progress(len(table), len(rows), f"judging {what}")
        return table

    def _evidence(self, row: Row) -> Evidence | None:
        """Also of an utterance whose recording is damaged; then its words alone are told."""
        if row.prediction is None:
            return None
        try:
            return evidence_of(row.prediction, row.utterance, bins=self._bins)
        except AudioError:
            self.unheard.add(row.id)
            silent = row.utterance and row.utterance.model_copy(update={"audio": None})
            return evidence_of(row.prediction, silent)

    def _key(self, judge: Judge, path: Path) -> str:
        """Of whatever the verdicts depend on."""
        asked = judge.settings.model_dump(mode="json", exclude={"examples", "figures"})
        o = self._options
        content = [file_hash(path), judge.provider.name, judge.prompt.hash, asked, sorted(judge.examples.ids),
                   o.redact, o.max_cost]  # fmt: skip
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def counts(tables: Mapping[str, Sequence[Mapping[str, str]]]) -> Counter[str]:
    """How many verdicts there are of each status."""
    statuses = (row["verdict_status"] for table in tables.values() for row in table)
    return Counter(status for status in statuses if status)


def _one_of_each(rows: Predictions, labels: Mapping[str, Emotion]) -> Iterator[Row]:
    """A correct prediction of each emotion of which there is one, drawn by the seed."""
    drawn: dict[Emotion, Row] = {}
    for row in sorted(rows, key=lambda row: position(row.id, SEED)):
        if row.prediction is not None and labels.get(row.id) == row.prediction.emotion:
            drawn.setdefault(row.prediction.emotion, row)
    yield from drawn.values()


def _cells(verdict: Verdict) -> dict[str, str]:
    confidence = "" if verdict.confidence is None else f"{verdict.confidence:.4f}"
    return {
        "emotion": verdict.before,
        "verdict_emotion": verdict.emotion,
        "verdict_status": verdict.status,
        "verdict_proposed": verdict.proposed or "",
        "verdict_confidence": confidence,
        "verdict_reason": verdict.reason,
    }
