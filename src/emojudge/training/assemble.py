"""Finished runs to a bundle: calibrate on what was held out, find the fusion, export."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from emojudge.bundle.format import AcousticPart, Bundle, Fusion, LinguisticPart
from emojudge.bundle.make import embedding_statistics, equal_shares, make_bundle
from emojudge.emotions import EMOTIONS
from emojudge.errors import TrainingError
from emojudge.fusion.calibration import fit_temperature
from emojudge.fusion.fit import fit_fusion
from emojudge.models.acoustic import AcousticModel
from emojudge.models.linguistic import LinguisticModel
from emojudge.recipe import Recipe
from emojudge.training.checkpoint import load_checkpoint
from emojudge.training.data import AudioData, Data, collate
from emojudge.training.run import Split, load_split, model_and_data
from emojudge.training.steps import split_outputs

PAIRS_PER_EMOTION = 600
TELLING_SHARE = 0.5  # of the pairs have words of the voice's emotion; the others have neutral words
AUGMENTED_SEED = 2026  # of the held-out clips' second version, as a strange channel would give it
EMBEDDED = 20_000  # training items at most that the embedding statistics are taken from

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
        self.recipe = Recipe.model_validate_json((folder / "recipe.json").read_text(encoding="utf-8"))
        self.model, make = model_and_data(self.recipe, weights)
        tensors, self.metrics = load_checkpoint(folder / "best.safetensors")
        self.model.load_state_dict(tensors)
        self.model.eval()
        self.environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
        self.make = make
        self.data = data

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
    audio_run: Path, text_run: Path, data: Path, folder: Path, name: str,
    *, weights: Path | None = None, small: bool = True,
) -> Bundle:  # fmt: skip
    """Calibrate both models, fit their fusion on pairs made of held-out items, and write the bundle.

    No open corpus has both free speech and words with emotion labels of both. So held-out recordings are
    paired with held-out sentences: half of them with a sentence of the same emotion, half with a neutral one,
    since people mostly say what they feel in plain words. What that assumes goes into `fusion.method`.

    Args:
        weights: folder that holds the pre-trained weights by the names in the recipes.
        small: float16 and 8-bit weights.
    """
    audio, text = Run(audio_run, data, weights), Run(text_run, data, weights)
    if not isinstance(audio.model, AcousticModel) or not isinstance(text.model, LinguisticModel):
        raise TrainingError(
            audio_run, found="runs of other modalities", expected="an audio run and a text run"
        )
    heard, heard_labels, sources = _audio_logits(audio)
    read, read_labels = _text_logits(text)
    shares = 1.0 / np.array([np.sum(sources == s) for s in sources])
    fusion = _fit_on_pairs(heard, heard_labels, sources, read, read_labels, audio.recipe.training.seed)
    embeddings, repeats = _training_embeddings(audio)
    mean, deviation = embedding_statistics(embeddings, repeats)
    linguistic, acoustic = text.recipe.linguistic, audio.recipe.acoustic
    assert linguistic is not None
    assert acoustic is not None
    audio_part = AcousticPart(
        temperature=fit_temperature(heard, heard_labels, shares),
        window_seconds=acoustic.max_seconds,
        embedding_mean=mean,
        embedding_deviation=deviation,
    )
    text_part = LinguisticPart(
        temperature=fit_temperature(read, read_labels),
        max_tokens=linguistic.max_tokens,
        attributes="attributes" in text.recipe.tasks,
        languages=("en",),
    )
    tokenizer = (weights or Path()) / linguistic.backbone.weights / "tokenizer.json"
    return make_bundle(
        folder,
        name,
        acoustic=(audio.model, audio_part),
        linguistic=(text.model, text_part, tokenizer),
        fusion=fusion,
        small=small,
        provenance={"audio": audio.provenance(), "text": text.provenance()},
    )


def _audio_logits(run: Run) -> tuple[Logits, NDArray[np.int64], NDArray[np.str_]]:
    """Held-out clips as they are and as a strange channel would give them: logits, labels, corpora."""
    split, data = run.held_out()
    settings = run.recipe.acoustic
    assert settings is not None
    strange = AudioData(split.utterances, settings.max_seconds, augment=True)
    labels = data.emotions.argmax(axis=1)
    sources = np.array([u.id.split(":")[0] for u in split.utterances])
    logits = [_outputs(run.model, data, None), _outputs(run.model, strange, AUGMENTED_SEED)]
    return np.concatenate(logits), np.tile(labels, 2), np.tile(sources, 2)


def _text_logits(run: Run) -> tuple[Logits, NDArray[np.int64]]:
    _, data = run.held_out()
    emotion, _ = split_outputs(torch.from_numpy(_outputs(run.model, data, None)), run.recipe.tasks)
    assert emotion is not None
    single = data.emotions.max(axis=1) == 1.0
    return emotion.numpy()[single], data.emotions[single].argmax(axis=1)


def _outputs(model: nn.Module, data: Data, seed: int | None) -> Logits:
    order = np.argsort(-data.sizes, kind="stable")
    pieces = []
    with torch.no_grad():
        for start in range(0, len(order), 32):
            batch = collate(data, order[start : start + 32], seed)
            pieces.append(model(batch.inputs, batch.lengths).numpy())
    outputs = np.concatenate(pieces)
    in_order = np.empty_like(outputs)
    in_order[order] = outputs
    return in_order


def _training_embeddings(run: Run) -> tuple[Logits, NDArray[np.float64]]:
    """Pooled features of training clips, and how often an epoch takes each."""
    split = load_split(run.recipe, run.data, "train")
    data = run.make(split, False)

    class Embedding(nn.Module):
        def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            assert isinstance(run.model, AcousticModel)
            return run.model.embed(waveforms, lengths)

    return _outputs(Embedding(), data, None), split.repeats


def _fit_on_pairs(
    heard: Logits, heard_labels: NDArray[np.int64], sources: NDArray[np.str_],
    read: Logits, read_labels: NDArray[np.int64], seed: int,
) -> Fusion:  # fmt: skip
    generator = np.random.default_rng(seed)
    neutral = EMOTIONS.index("neutral")
    audio_rows: list[int] = []
    text_rows: list[int] = []
    for emotion in range(len(EMOTIONS)):
        voices = np.flatnonzero(heard_labels == emotion)
        words = np.flatnonzero(read_labels == emotion)
        if not len(voices):
            continue
        by_source = [voices[sources[voices] == s] for s in np.unique(sources[voices])]
        for pair in range(PAIRS_PER_EMOTION):
            audio_rows.append(generator.choice(by_source[pair % len(by_source)]))
            telling = len(words) > 0 and generator.random() < TELLING_SHARE
            pool = words if telling else np.flatnonzero(read_labels == neutral)
            text_rows.append(generator.choice(pool))
    labels = heard_labels[audio_rows]
    odd = np.arange(len(labels)) % 2 == 1
    audio, text = heard[audio_rows], read[text_rows]
    fit = fit_fusion(audio[~odd], text[~odd], labels[~odd], seed=seed)
    fused = fit.fusion(audio, text)
    return Fusion(
        coefficients=tuple(tuple(round(float(v), 5) for v in row) for row in fit.fusion.coefficients),
        intercept=tuple(round(float(v), 5) for v in fit.fusion.intercept),
        temperature=fit_temperature(fused[odd], labels[odd]),
        text_share=equal_shares(),
        method=(
            f"L2 logistic regression, C = {fit.strength:g} by 5-fold macro-F1, on {int((~odd).sum())} pairs "
            f"of held-out recordings with held-out sentences: {TELLING_SHARE:.0%} of the sentences have the "
            "recording's emotion, the others are neutral. No open corpus has real pairs, so how voice and "
            "words go together is assumed, not learned. Attributes: the mean of both opinions, not fitted."
        ),
    )
