"""Finished runs to a bundle: calibrate on what was held out, find the fusion, export."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from emojudge.bundle.batches import in_order
from emojudge.bundle.format import AcousticPart, Bundle, Fusion, LinguisticPart
from emojudge.bundle.make import embedding_statistics, equal_shares, make_bundle
from emojudge.emotions import EMOTIONS
from emojudge.errors import TrainingError
from emojudge.fusion.calibration import fit_temperature
from emojudge.fusion.fit import fit_fusion
from emojudge.models.acoustic import AcousticModel
from emojudge.models.linguistic import LinguisticModel
from emojudge.recipe import Recipe
from emojudge.training.batching import sorted_batches
from emojudge.training.checkpoint import load_checkpoint
from emojudge.training.data import AudioData, Data, collate
from emojudge.training.run import Split, load_split, model_and_data, tokenizer_file, weights_at
from emojudge.training.steps import split_outputs

BATCH_SIZE = 32
PAIRS_PER_EMOTION = 600
TELLING_SHARE = 0.5  # of the pairs have words of the voice's emotion; the others have neutral words
AUGMENTED_SEED = 2026  # of the held-out clips' second version, as a strange channel would give it

Logits = NDArray[np.float32]


class Run:
    """A finished run folder: its recipe, its best model, its held-out data."""

    def __init__(self, folder: Path, data: Path, weights: Path | None) -> None:
        if not (folder / "best.safetensors").exists():
            raise TrainingError(
                folder,
                found="no best.safetensors",
                expected="a finished run",
                advice="Run `emojudge train` first.",
            )
        self.recipe = Recipe.read(folder / "recipe.json")  # JSON is YAML
        self.model, make = model_and_data(self.recipe, weights)
        tensors, self.metrics = load_checkpoint(folder / "best.safetensors")
        self.model.load_state_dict(tensors)
        self.model.eval()
        self.environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
        self.make = make
        self.data = data
        self.folder = folder
        self._weights = weights

    def tokenizer(self) -> Path:
        """The words' `tokenizer.json`, beside the pre-trained weights."""
        assert self.recipe.linguistic is not None
        return tokenizer_file(weights_at(self.recipe.linguistic.backbone.weights, self._weights))

    def held_out(self) -> tuple[Split, Data]:
        split = load_split(self.recipe, self.data, "validation")
        return split, self.make(split, False)

    def provenance(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.model_dump(mode="json", exclude_defaults=True),
            "validation": {k: round(v, 4) for k, v in self.metrics.items()},
            "environment": self.environment,
        }


def assemble(
    folder: Path,
    name: str,
    data: Path,
    *,
    audio_run: Path | None = None,
    text_run: Path | None = None,
    weights: Path | None = None,
    small: bool = True,
) -> Bundle:
    """Calibrate the models of finished runs, fit their fusion, and write the bundle.

    With both runs the fusion is fitted on pairs. No open corpus has both free speech and words with emotion
    labels of both. So held-out recordings are paired with held-out sentences: half of them with a sentence of
    the same emotion, half with a neutral one, since people mostly say what they feel in plain words. What
    that assumes goes into `fusion.method`.

    Args:
        folder: the bundle's; one that is there is replaced when the new one is whole.
        data: the folder that holds the corpora's folders, as for the training.
        weights: folder that holds the pre-trained weights by the names in the recipes.
        small: float16 and 8-bit weights.

    Raises:
        TrainingError: no run, an unfinished one, or one of the other modality.
    """
    audio = Run(audio_run, data, weights) if audio_run else None
    text = Run(text_run, data, weights) if text_run else None
    for run, modality in ((audio, "audio"), (text, "text")):
        if run is not None and run.recipe.modality != modality:
            raise TrainingError(
                run.folder,
                found=f"a run of modality {run.recipe.modality!r}",
                expected=f"one of {modality!r}",
            )
    runs = {run.recipe.modality: run for run in (audio, text) if run}
    if not runs:
        raise TrainingError(folder, found="no run", expected="an audio run, a text run, or both")
    heard = _audio_logits(audio) if audio else None
    read = _text_logits(text) if text else None
    fusion = _fit_on_pairs(heard, read, runs["audio"].recipe.training.seed) if heard and read else None
    return make_bundle(
        folder,
        name,
        acoustic=_acoustic_part(audio, heard) if audio and heard else None,
        linguistic=_linguistic_part(text, read) if text and read else None,
        fusion=fusion,
        small=small,
        provenance={modality: run.provenance() for modality, run in runs.items()},
    )


def _acoustic_part(run: Run, heard: "_HeldOut") -> tuple[AcousticModel, AcousticPart]:
    settings = run.recipe.acoustic
    assert settings is not None
    assert isinstance(run.model, AcousticModel)
    mean, deviation = embedding_statistics(*_training_embeddings(run))
    shares = 1.0 / np.array([np.sum(heard.sources == source) for source in heard.sources])
    part = AcousticPart(
        temperature=fit_temperature(heard.logits, heard.labels, shares),
        trim_db=settings.trim_db,
        window_seconds=settings.max_seconds,
        embedding_mean=mean,
        embedding_deviation=deviation,
    )
    return run.model, part


def _linguistic_part(run: Run, read: "_HeldOut") -> tuple[LinguisticModel, LinguisticPart, Path]:
    settings = run.recipe.linguistic
    assert settings is not None
    assert isinstance(run.model, LinguisticModel)
    part = LinguisticPart(
        temperature=fit_temperature(read.logits, read.labels),
        max_tokens=settings.max_tokens,
        attributes="attributes" in run.recipe.tasks,
        languages=tuple(sorted({language for language in read.languages if language})),
    )
    return run.model, part, run.tokenizer()


@dataclass(frozen=True)
class _HeldOut:
    """Logits `(items, 8)` and labels `(items,)` of held-out items, with the corpus of each."""

    logits: Logits
    labels: NDArray[np.int64]
    sources: NDArray[np.str_]
    languages: set[str | None]


def _audio_logits(run: Run) -> _HeldOut:
    """Held-out clips as they are and as a strange channel would give them."""
    split, data = run.held_out()
    settings = run.recipe.acoustic
    assert settings is not None
    strange = AudioData(split.utterances, settings.max_seconds, augment=True, trim_db=settings.trim_db)
    logits = [_outputs(run.model, data, None), _outputs(run.model, strange, AUGMENTED_SEED)]
    sources = np.array([u.id.split(":")[0] for u in split.utterances])
    return _HeldOut(
        np.concatenate(logits)[:, : len(EMOTIONS)],
        np.tile(data.emotions.argmax(axis=1), 2),
        np.tile(sources, 2),
        {u.language for u in split.utterances},
    )


def _text_logits(run: Run) -> _HeldOut:
    """Held-out lines with one emotion."""
    split, data = run.held_out()
    emotion, _ = split_outputs(torch.from_numpy(_outputs(run.model, data, None)), run.recipe.tasks)
    assert emotion is not None
    single = data.emotions.max(axis=1) == 1.0
    sources = np.array([u.id.split(":")[0] for u in split.utterances])
    languages = {u.language for u in split.utterances}
    return _HeldOut(emotion.numpy()[single], data.emotions[single].argmax(axis=1), sources[single], languages)


def _outputs(model: nn.Module, data: Data, seed: int | None) -> Logits:
    def run(indices: NDArray[np.int64]) -> Logits:
        batch = collate(data, indices, seed)
        outputs: Logits = model(batch.inputs, batch.lengths).numpy()
        return outputs

    with torch.no_grad():
        return in_order(sorted_batches(data.sizes, BATCH_SIZE), run)


def _training_embeddings(run: Run) -> tuple[Logits, NDArray[np.float64]]:
    """Pooled features of training clips, and how often an epoch takes each."""
    split = load_split(run.recipe, run.data, "train")
    data = run.make(split, False)

    class Embedding(nn.Module):
        def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            assert isinstance(run.model, AcousticModel)
            return run.model.embed(waveforms, lengths)

    return _outputs(Embedding(), data, None), split.repeats


def _fit_on_pairs(heard: _HeldOut, read: _HeldOut, seed: int) -> Fusion:
    """A fusion from as many pairs of each emotion; half of them fit it, the others its temperature."""
    generator = np.random.default_rng(seed)
    plain = np.flatnonzero(read.labels == EMOTIONS.index("neutral"))
    audio_rows: list[int] = []
    text_rows: list[int] = []
    for emotion in range(len(EMOTIONS)):
        voices = np.flatnonzero(heard.labels == emotion)
        words = np.flatnonzero(read.labels == emotion)
        pools = [pool for pool in (words, plain) if len(pool)]
        if not len(voices) or not pools:
            continue
        by_source = [voices[heard.sources[voices] == s] for s in np.unique(heard.sources[voices])]
        for pair in range(PAIRS_PER_EMOTION):
            audio_rows.append(generator.choice(by_source[pair % len(by_source)]))
            telling = generator.random() < TELLING_SHARE
            text_rows.append(generator.choice(pools[0] if telling else pools[-1]))
    labels = heard.labels[audio_rows]
    # Drawn, since every other pair would be one corpus: a fusion of one, its temperature of another.
    spared = generator.permutation(len(labels)) % 2 == 1
    audio, text = heard.logits[audio_rows], read.logits[text_rows]
    fit = fit_fusion(audio[~spared], text[~spared], labels[~spared], seed=seed)
    fused = fit.fusion(audio, text)
    return Fusion(
        coefficients=tuple(tuple(round(float(v), 5) for v in row) for row in fit.fusion.coefficients),
        intercept=tuple(round(float(v), 5) for v in fit.fusion.intercept),
        temperature=fit_temperature(fused[spared], labels[spared]),
        text_share=equal_shares(),
        method=(
            f"L2 logistic regression, C = {fit.strength:g} by 5-fold macro-F1, on {int((~spared).sum())} "
            "pairs of held-out recordings with held-out sentences: "
            f"{TELLING_SHARE:.0%} of the sentences have the recording's emotion, the others are neutral. No "
            "open corpus has real pairs, so how voice and words go together is assumed, not learned. "
            "Attributes: the mean of both opinions, not fitted."
        ),
    )
