"""The paper's tables again: train what each row needs, fuse, score every labelled split, with intervals.

Everything goes into one folder, and what is there is not done again: `splits/` (the corpus with Dev-2 taken
out), `runs/` (one training per model), `outputs/` (what each model makes of each split), `fused/`,
`predictions/`. Rows that a language model refines are scored from `judged/`, see `Result.note`.
"""

import csv
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from emojudge.challenge import systems, tiny
from emojudge.challenge.submission import read_predictions
from emojudge.challenge.systems import System
from emojudge.corpora import load_corpus, manifest
from emojudge.corpora.splits import with_dev2
from emojudge.emotions import (
    ATTRIBUTES,
    EMOTIONS,
    LETTERS,
    SCALE_HALF,
    SCALE_MAX,
    SCALE_MIDDLE,
    SCALE_MIN,
)
from emojudge.errors import ChallengeError, EmojudgeError
from emojudge.evaluation.metrics import ccc, macro_f1
from emojudge.evaluation.significance import Interval, Metric, bootstrap
from emojudge.fusion.calibration import softmax
from emojudge.fusion.fit import fit_fusion
from emojudge.fusion.logistic import LogisticFusion
from emojudge.fusion.ridge import RidgeFusion, fit_ridge
from emojudge.recipe import Recipe
from emojudge.records import Utterance
from emojudge.training.heldout import Run
from emojudge.training.outputs import outputs
from emojudge.training.run import Split, train
from emojudge.training.steps import output_count
from emojudge.training.trainer import Progress

Scale = Literal["tiny", "full"]
Fusion = LogisticFusion | RidgeFusion
Values = NDArray[
    np.float32
]  # (items, 8) logits or (items, 3) attributes; NaN where there is nothing to go by
SPLITS = ("dev", "dev2", "test1", "test2", "test3")
SEED = 0
FOLDS = 5  # of Development's speakers, when a fusion that is fitted on it is scored on it


@dataclass
class Result:
    """What became of a row: figures by split in the order of FIGURES, or why there are none."""

    system: System
    figures: dict[str, tuple[Interval, ...]] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    note: str = ""  # what keeps the row from being run, which is no failure
    error: str = ""


class Reproduction:
    """A folder of stages, each done once.

    Args:
        corpus: a copy of MSP-Podcast.
        folder: where everything goes; one that has begun goes on.
        scale: `tiny` puts small random encoders of the same architecture in the place of the paper's.
        weights: folder with pre-trained weights by the recipes' names; without it they are names on the Hub.

    Raises:
        ChallengeError: the folder belongs to another corpus or scale.
        CorpusError: a copy that is not as its release has it, or has too little for Dev-2.
    """

    def __init__(
        self,
        corpus: Path,
        folder: Path,
        scale: Scale = "full",
        weights: Path | None = None,
        progress: Progress = lambda done, steps, text: None,
    ) -> None:
        self.folder, self.scale, self._progress = folder, scale, progress
        self._weights = folder / "tiny" if scale == "tiny" else weights
        _claim(folder, {"corpus": str(corpus.resolve()), "scale": scale})
        listed = folder / "splits" / "manifest.csv"
        if not listed.exists():
            manifest.write(with_dev2(load_corpus("msp_podcast", corpus), SEED), listed)
        self._hash = hashlib.sha256(listed.read_bytes()).hexdigest()
        self.utterances: dict[str, list[Utterance]] = {}
        for utterance in load_corpus("table", listed):
            self.utterances.setdefault(utterance.split or "train", []).append(utterance)
        self._failed: dict[str, EmojudgeError] = {}  # models that cannot be had: not tried for every row

    def run(self, chosen: Sequence[System]) -> list[Result]:
        """Every row's result, in the rows' order; a row that fails does not keep the others from it."""
        return [self._row(system) for system in chosen]

    # ------------------------------------------------------------------------------------------------ stages

    def outputs(self, name: str) -> dict[str, Values]:
        """What a system's model gives for every split, after its training where it is not trained yet."""
        path = self.folder / "outputs" / f"{name}-{self._key(*map(self._recipe, systems.stages(name)))}.npz"
        if not path.exists():
            if name in self._failed:
                raise self._failed[name]
            try:
                _save(path, self._computed(name))
            except EmojudgeError as error:
                self._failed[name] = error
                raise
        return _load(path)

    def _recipe(self, name: str) -> Recipe:
        recipe = systems.recipe(name)
        return tiny.shrunk(recipe) if self.scale == "tiny" else recipe

    def _trained(self, name: str) -> Path:
        """The run folder of a recipe that is trained, after the stages that its training goes on from."""
        run_folder: Path | None = None
        for stage in systems.stages(name):
            recipe, before = self._recipe(stage), run_folder
            if self.scale == "tiny":
                assert self._weights is not None
                texts = [u.transcript.text for u in self.utterances.get("train", []) if u.transcript]
                tiny.write_weights(recipe, self._weights, texts)
            run_folder = self.folder / "runs" / recipe.name
            cache = self.folder / "cache"  # all runs hear the same recordings
            train(recipe, self.folder, run_folder, self._weights, self._told(stage), cache, before)
        assert run_folder is not None
        return run_folder

    def _told(self, name: str) -> Progress:
        return lambda done, steps, text: self._progress(done, steps, f"{name}: {text}")

    def _computed(self, name: str) -> dict[str, Values]:
        import torch

        recipe, progress, run_folder = self._recipe(name), self._told(name), self._trained(name)
        run = Run(run_folder, self.folder, self._weights)
        run.model.to("cuda" if torch.cuda.is_available() else "cpu")
        made = {}
        for number, name in enumerate(self._splits()):
            items = self.utterances[name]
            there = [
                i for i, u in enumerate(items) if (u.audio if recipe.modality == "audio" else u.transcript)
            ]
            progress(number, len(self._splits()), f"outputs for {name}")
            values = np.full((len(items), output_count(recipe.tasks)), np.nan, dtype=np.float32)
            if there:
                values[there] = outputs(run.model, run.make(_split([items[i] for i in there]), False))
            made[name] = values
        return made

    def values(self, system: System) -> dict[str, Values]:
        """Logits or attributes (1..7) of a row for every split, fused where it has several models."""
        of_task = np.s_[:, : len(EMOTIONS)] if system.task == "emotion" else np.s_[:, -len(ATTRIBUTES) :]
        parts = [{n: v[of_task] for n, v in self.outputs(name).items()} for name in system.models]
        if len(parts) == 1:
            values = parts[0]
        else:
            stages = [stage for name in system.models for stage in systems.stages(name)]
            keys = "-".join((system.task, *system.models))
            path = self.folder / "fused" / f"{keys}-{self._key(*map(systems.recipe, stages))}.npz"
            if not path.exists():
                _save(path, self._fused(system, parts, path.with_suffix(".json")))
            values = _load(path)
        if system.task == "emotion":
            return values
        fused = len(parts) > 1
        return {n: np.clip(v if fused else _scaled(v), SCALE_MIN, SCALE_MAX) for n, v in values.items()}

    def _fused(self, system: System, parts: list[dict[str, Values]], about: Path) -> dict[str, Values]:
        """Fitted on Development; Development itself is fused by fits on the other folds of its speakers."""
        items = self.utterances["dev"]
        heard = _known(*(part["dev"] for part in parts))
        rows = np.flatnonzero(heard & _labelled(items, system))
        speakers = [items[row].speaker or "" for row in rows]  # those not known may be one
        groups = np.unique(speakers, return_inverse=True)[1]

        def beside(split: str, chosen: NDArray[np.int64]) -> list[Values]:
            values = [part[split][chosen] for part in parts]
            return values if system.task == "emotion" else [_scaled(v) for v in values]

        def fit(chosen: NDArray[np.int64]) -> tuple[Fusion, dict[str, object]]:
            some, people = rows[chosen], groups[chosen]
            given = beside("dev", some)
            truth = _truth([items[row] for row in some], system)
            if system.task == "emotion":
                made = fit_fusion(given, truth, groups=people)
                return made.fusion, {"C": made.strength}
            ridge = fit_ridge(given, truth, ccc, groups=people)
            return ridge.fusion, {"strengths": list(ridge.strengths)}

        whole, facts = fit(np.arange(len(rows)))
        made = {name: np.full_like(values, np.nan) for name, values in parts[0].items()}
        for name, values in made.items():
            there = np.flatnonzero(_known(*(part[name] for part in parts)))
            if len(there):
                values[there] = whole(*beside(name, there))
        for fold in range(FOLDS):
            inside = groups % FOLDS == fold
            fusion, _ = fit(np.flatnonzero(~inside))
            made["dev"][rows[inside]] = fusion(*beside("dev", rows[inside]))
        numbers = {"coefficients": whole.coefficients.tolist(), "intercept": whole.intercept.tolist()}
        _write(about, json.dumps({**facts, **numbers, "models": system.models}, indent=1))
        return made

    def _key(self, *recipes: Recipe) -> str:
        content = json.dumps([self._hash, self.scale, *(recipe.model_dump_json() for recipe in recipes)])
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def _splits(self) -> list[str]:
        return [name for name in SPLITS if name in self.utterances]

    # --------------------------------------------------------------------------------------------------- rows

    def _row(self, system: System) -> Result:
        result = Result(system, note=system.absent)
        if system.absent:
            return result
        try:
            if system.refined:
                self._refined(result)
            else:
                for name, values in self.values(system).items():
                    path = self.folder / "predictions" / system.name / f"{name}.csv"
                    _write_predictions(path, self.utterances[name], values, system)
                    self._score(result, name, values)
        except EmojudgeError as error:
            result.error = str(error)
        return result

    def _refined(self, result: Result) -> None:
        """From tables that `emojudge judge` wrote, one a split."""
        name = result.system.name
        judged = self.folder / "judged" / name
        tables = {split: judged / f"{split}.csv" for split in self._splits()}
        for split, table in tables.items():
            if table.exists():
                position = {u.id: row for row, u in enumerate(self.utterances[split])}
                values = np.full((len(position), len(EMOTIONS)), np.nan, dtype=np.float32)
                for row in read_predictions(table, 1, True):
                    if not row.fault and row.name in position:
                        letter = list(LETTERS).index(row.values[0])
                        values[position[row.name]] = np.eye(len(EMOTIONS), dtype=np.float32)[letter]
                self._score(result, split, values)
        if not result.figures:
            plain = self.folder / "predictions" / name.removesuffix("-refined") / "dev2.csv"
            command = f"emojudge judge {plain} --output {judged}/dev2.csv"
            result.note = f"a language model has to refine it: {command}"

    def _score(self, result: Result, split: str, values: Values) -> None:
        items, system = self.utterances[split], result.system
        rows = np.flatnonzero(_labelled(items, system) & _known(values))
        if not len(rows):
            return
        truth, given = _truth([items[row] for row in rows], system), values[rows]
        groups = [items[row].speaker or items[row].id for row in rows]
        predicted = given.argmax(axis=1) if system.task == "emotion" else given
        result.items[split] = len(rows)
        result.figures[split] = tuple(
            bootstrap(metric, truth, predicted, groups=groups) for metric in _METRICS[system.task]
        )


def _f1(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    return macro_f1(truth, predicted, len(EMOTIONS))


def _accuracy(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    return float(np.mean(truth == predicted))


def _concordance(column: int) -> Metric:
    return lambda truth, predicted: ccc(truth[:, column], predicted[:, column])


def _mean_concordance(truth: Values, predicted: Values) -> float:
    return float(np.mean([ccc(truth[:, c], predicted[:, c]) for c in range(len(ATTRIBUTES))]))


_METRICS: dict[str, tuple[Metric, ...]] = {
    "emotion": (_f1, _accuracy),
    "attributes": (*(_concordance(column) for column in range(len(ATTRIBUTES))), _mean_concordance),
}


def _scaled(values: Values) -> Values:
    """Models' -1..1 as 1..7."""
    return np.asarray(SCALE_MIDDLE + SCALE_HALF * values, dtype=np.float32)


def _known(*values: Values) -> NDArray[np.bool_]:
    return np.asarray(np.all([~np.isnan(v).any(axis=1) for v in values], axis=0))


def _labelled(items: list[Utterance], system: System) -> NDArray[np.bool_]:
    return np.array([(u.emotion if system.task == "emotion" else u.attributes) is not None for u in items])


def _truth(items: list[Utterance], system: System) -> NDArray[Any]:
    if system.task == "emotion":
        return np.array([EMOTIONS.index(u.emotion) for u in items if u.emotion])
    return np.array([[getattr(u.attributes, name) for name in ATTRIBUTES] for u in items])


def _split(items: list[Utterance]) -> Split:
    size = len(items)
    ones = np.ones(size, dtype=np.int64)
    every = np.ones((size, len(EMOTIONS)), dtype=np.bool_)
    return Split(items, ones.astype(np.float64), every, ones, np.full(size, "msp_podcast"))


def _write_predictions(path: Path, items: list[Utterance], values: Values, system: System) -> None:
    """As `emojudge submit` and `emojudge judge` read them; of utterances without a prediction, why."""
    names = [f"score_{e}" for e in EMOTIONS] if system.task == "emotion" else list(ATTRIBUTES)
    known = _known(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, ["id", "file", "emotion", *names, "transcript", "speaker", "gender", "error"]
        )
        writer.writeheader()
        for utterance, given, there in zip(items, values, known, strict=True):
            row: dict[str, object] = {
                "id": utterance.id,
                "error": "" if there else "no recording or no words",
            }
            row |= {"speaker": utterance.speaker, "gender": utterance.gender}
            row["file"] = os.path.relpath(utterance.audio, path.parent) if utterance.audio else None
            row["transcript"] = utterance.transcript.text if utterance.transcript else None
            if there:
                shown = softmax(given[None])[0] if system.task == "emotion" else given
                row |= dict(zip(names, shown.tolist(), strict=True))
                row |= {"emotion": EMOTIONS[int(given.argmax())]} if system.task == "emotion" else {}
            writer.writerow(row)
    os.replace(partial, path)


def _save(path: Path, arrays: dict[str, Values]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    os.replace(partial, path)


def _load(path: Path) -> dict[str, Values]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _claim(folder: Path, facts: dict[str, str]) -> None:
    path = folder / "reproduce.json"
    if not path.exists():
        _write(path, json.dumps(facts, indent=1))
    found = json.loads(path.read_text(encoding="utf-8"))
    if found != facts:
        raise ChallengeError(
            folder, found=f"a folder of {found}", expected=f"an empty one, or one of {facts}",
            advice="Choose another --output folder.",
        )  # fmt: skip
