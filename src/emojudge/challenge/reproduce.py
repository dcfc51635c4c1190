"""The paper's tables again: train what each row needs, fuse, refine, and score every labelled split.

Everything goes into one folder, and what is there is not done again: `splits/` (the corpus with Dev-2 taken
out), `runs/` (one training per model), `outputs/` (what each model makes of each split), `fused/`,
`predictions/`, `judged/` (what a language model made of the predictions, with its ledger).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from emojudge.challenge import systems, tiny
from emojudge.challenge.fusing import fuse
from emojudge.challenge.kept import claim, load_arrays, save_arrays
from emojudge.challenge.refine import Options, Refinement, counts
from emojudge.challenge.scoring import Values, figures, gain, scaled
from emojudge.challenge.systems import System
from emojudge.challenge.tables import write_predictions
from emojudge.corpora import load_corpus, manifest
from emojudge.corpora.splits import with_dev2
from emojudge.emotions import ATTRIBUTES, EMOTIONS, SCALE_MAX, SCALE_MIN, parse_emotion
from emojudge.errors import ChallengeError, EmojudgeError
from emojudge.evaluation.significance import Difference, Interval
from emojudge.files import write_whole
from emojudge.models.published import load_published
from emojudge.progress import Progress, untold
from emojudge.recipe import Recipe, Task
from emojudge.records import Modality, Utterance
from emojudge.training.data import AudioData, Data
from emojudge.training.heldout import Run
from emojudge.training.model import MakeData, weights_at
from emojudge.training.outputs import outputs
from emojudge.training.run import train
from emojudge.training.split import Split
from emojudge.training.steps import output_count

Scale = Literal["tiny", "full"]
SPLITS = ("dev", "dev2", "test1", "test2", "test3")
SEED = 0


@dataclass
class Result:
    """What became of a row: figures by split in the order of FIGURES, or why there are none."""

    system: System
    figures: dict[str, tuple[Interval, ...]] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    judged: Counter[str] = field(default_factory=Counter)  # verdicts by status
    gains: dict[str, Difference] = field(default_factory=dict)  # of refinement, in macro-F1
    note: str = ""  # what keeps the row from being run, which is no failure; or what to know of it
    error: str = ""


class Reproduction:
    """A folder of stages, each done once.

    Args:
        corpus: a copy of MSP-Podcast.
        folder: where everything goes; one that has begun goes on.
        scale: `tiny` puts small random encoders of the same architecture in the place of the paper's.
        weights: folder with pre-trained weights by the recipes' names; without it they are names on the Hub.
        judge: the language model of the refined rows; without one they are not run.

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
        progress: Progress = untold,
        judge: Options | None = None,
    ) -> None:
        self.folder, self.scale, self._progress = folder, scale, progress
        self._judge = judge
        self._refinement: Refinement | None = None  # made for the first row that needs it
        self._weights = folder / "tiny" if scale == "tiny" else weights
        claim(folder, {"corpus": str(corpus.resolve()), "scale": scale})
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
        key = self._key(*map(self._recipe, systems.stages(name)))
        return self._kept(name, key, lambda: self._computed(name))

    def published(self, name: str, task: Task) -> dict[str, Values]:
        """What a published model gives for every split."""
        return self._kept(name.replace("/", "-"), self._key(), lambda: self._read(name, task))

    def _kept(self, name: str, key: str, compute: Callable[[], dict[str, Values]]) -> dict[str, Values]:
        path = self.folder / "outputs" / f"{name}-{key}.npz"
        if not path.exists():
            if name in self._failed:
                raise self._failed[name]
            try:
                save_arrays(path, compute())
            except EmojudgeError as error:
                self._failed[name] = error
                raise
        return load_arrays(path)

    def _read(self, name: str, task: Task) -> dict[str, Values]:
        if self.scale == "tiny":
            assert self._weights is not None
            tiny.write_published(name, self._weights)
        found = load_published(weights_at(name, self._weights))
        if found.task != task:
            raise ChallengeError(name, found=f"a model of {found.task!r}", expected=f"one of {task!r}")
        seconds = found.settings.max_seconds

        def make(split: Split, training: bool) -> Data:
            return AudioData(split.utterances, seconds, augment=training)

        return self._given(found.model, make, name, "audio", (task,))

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
        recipe, run_folder = self._recipe(name), self._trained(name)
        run = Run(run_folder, self.folder, self._weights)
        return self._given(run.model, run.make, recipe.name, recipe.modality, recipe.tasks)

    def _given(
        self, model: nn.Module, make: MakeData, name: str, modality: Modality, tasks: tuple[Task, ...]
    ) -> dict[str, Values]:
        """A model's outputs for every split; NaN for items without what it hears or reads."""
        model.to("cuda" if torch.cuda.is_available() else "cpu")
        width = output_count(tasks)
        made = {}
        for number, split in enumerate(self._splits()):
            self._progress(number, len(self._splits()), f"{name}: outputs for {split}")
            items = self.utterances[split]
            there = [i for i, u in enumerate(items) if (u.audio if modality == "audio" else u.transcript)]
            made[split] = np.full((len(items), width), np.nan, dtype=np.float32)
            if there:
                made[split][there] = outputs(model, make(_split([items[i] for i in there]), False))
        return made

    def part(self, name: str, task: Task) -> dict[str, Values]:
        """Of a model's outputs, those of one of its tasks."""
        columns = np.s_[:, : len(EMOTIONS)] if task == "emotion" else np.s_[:, -len(ATTRIBUTES) :]
        return {split: values[columns] for split, values in self.outputs(name).items()}

    def values(self, system: System) -> dict[str, Values]:
        """Logits or attributes (1..7) of a row for every split, fused where it has several models."""
        parts = [self.part(name, system.task) for name in system.models]
        if system.published:
            parts = [self.published(system.published, system.task)]
        if len(parts) == 1:
            values = parts[0]
        else:
            stages = [stage for name in system.models for stage in systems.stages(name)]
            keys = "-".join((system.task, *system.models))
            path = self.folder / "fused" / f"{keys}-{self._key(*map(systems.recipe, stages))}.npz"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                values, about = fuse(self.utterances["dev"], parts, system.task)
                write_whole(
                    path.with_suffix(".json"), json.dumps({**about, "models": system.models}, indent=1)
                )
                save_arrays(path, values)
            values = load_arrays(path)
        if system.task == "emotion":
            return values
        fused = len(parts) > 1
        return {n: np.clip(v if fused else scaled(v), SCALE_MIN, SCALE_MAX) for n, v in values.items()}

    def _key(self, *recipes: Recipe) -> str:
        content = json.dumps([self._hash, self.scale, *(recipe.model_dump_json() for recipe in recipes)])
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def _splits(self) -> list[str]:
        return [name for name in SPLITS if name in self.utterances]

    # --------------------------------------------------------------------------------------------------- rows

    def _row(self, system: System) -> Result:
        result = Result(system)
        try:
            if system.refined:
                self._refined(result)
            else:
                for split, values in self.predicted(system)[1].items():
                    self._score(result, split, values)
        except EmojudgeError as error:
            result.error = str(error)
        return result

    def predicted(self, system: System) -> tuple[dict[str, Path], dict[str, Values]]:
        """A row's table and values for every split."""
        values = self.values(system)
        opinions = {}
        if system.audio and system.text:
            heard, read = (self.part(name, system.task) for name in (system.audio, system.text))
            opinions = {"audio": heard, "text": read}
        paths = {}
        for split, given in values.items():
            paths[split] = self.folder / "predictions" / system.name / f"{split}.csv"
            modalities = {kind: part[split] for kind, part in opinions.items()}
            write_predictions(paths[split], self.utterances[split], given, system.task, modalities)
        return paths, values

    def _refined(self, result: Result) -> None:
        system = result.system
        if self._judge is None:
            result.note = "not judged: name the language model that refines it, --judge NAME"
            return
        (plain,) = systems.select([system.name.removesuffix("-refined")])
        paths, before = self.predicted(plain)
        if self._refinement is None:
            self._refinement = Refinement(self._judge, self.folder / "judged", self._progress)
        labels = {u.id: u.emotion for u in self.utterances["dev2"] if u.emotion}
        tables = self._refinement.tables(system.name, paths, labels)
        for split, table in tables.items():
            after = self._verdicts(split, table)
            self._score(result, split, after)
            if (difference := gain(self.utterances[split], before[split], after)) is not None:
                result.gains[split] = difference
        result.judged = counts(tables)
        unheard = len(self._refinement.unheard)
        told = ", ".join(f"{number} {status}" for status, number in sorted(result.judged.items()))
        result.note = f"judged by {self._judge.name}: {told}"
        if unheard:
            result.note += f"; of {unheard} the voice could not be described"
        if result.judged["failed"]:
            result.note += "; run again to ask about those that failed"

    def _verdicts(self, split: str, table: list[dict[str, str]]) -> Values:
        """Verdicts as values of a split: 1 for the emotion that was decided on."""
        position = {u.id: row for row, u in enumerate(self.utterances[split])}
        values = np.full((len(position), len(EMOTIONS)), np.nan, dtype=np.float32)
        for row in table:
            if emotion := parse_emotion(row["verdict_emotion"]):
                values[position[row["id"]]] = np.eye(len(EMOTIONS))[EMOTIONS.index(emotion)]
        return values

    def _score(self, result: Result, split: str, values: Values) -> None:
        made, number = figures(self.utterances[split], values, result.system.task)
        if number:
            result.figures[split], result.items[split] = made, number


def _split(items: list[Utterance]) -> Split:
    size = len(items)
    ones = np.ones(size, dtype=np.int64)
    every = np.ones((size, len(EMOTIONS)), dtype=np.bool_)
    return Split(items, ones.astype(np.float64), every, ones, np.full(size, "msp_podcast"))
