"""Finished runs to a bundle: calibrate on what was held out, find the fusion, export."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emojudge.bundle.format import MANIFEST, AcousticPart, Bundle, Fusion, LinguisticPart
from emojudge.bundle.make import embedding_statistics, equal_shares, make_bundle
from emojudge.emotions import EMOTIONS
from emojudge.errors import TrainingError
from emojudge.fusion.calibration import fit_temperature
from emojudge.fusion.fit import fit_fusion
from emojudge.models.acoustic import AcousticModel
from emojudge.models.linguistic import LinguisticModel
from emojudge.training.heldout import HeldOut, Run, voices, words
from emojudge.training.outputs import embeddings
from emojudge.training.split import load_split

PAIRS_PER_EMOTION = 600
TELLING_SHARE = 0.5  # of the pairs have words of the voice's emotion; the others have neutral words


def assemble(
    folder: Path,
    name: str,
    data: Path,
    *,
    audio_run: Path | None = None,
    text_run: Path | None = None,
    strangers: Sequence[Path] = (),
    weights: Path | None = None,
    small: bool = True,
    torch_weights: bool = False,
) -> Bundle:
    """Calibrate the models of finished runs, fit their fusion, and write the bundle.

    With both runs the fusion is fitted on pairs. No open corpus has both free speech and words with emotion
    labels of both. So held-out recordings are paired with held-out sentences: half of them with a sentence of
    the same emotion, half with a neutral one, since people mostly say what they feel in plain words. What
    that assumes goes into `fusion.method`.

    Args:
        folder: the bundle's; one that is there is replaced when the new one is whole.
        data: the folder that holds the corpora's folders, as for the training.
        text_run: a run, or a bundle whose model of the words is taken over as it is.
        strangers: runs of the audio recipe without one of its corpora, see `heldout.voices`.
        weights: folder that holds the pre-trained weights by the names in the recipes.
        small: float16 and 8-bit weights.
        torch_weights: keep float32 weights for the engine torch beside these.

    Raises:
        TrainingError: no run, an unfinished one, or one of the other modality.
        BundleError: no usable model of the words in the bundle that was named for it, or weights for torch
            that it has not.
    """
    audio = _run(audio_run, data, weights, "audio") if audio_run else None
    unheard = [_run(stranger, data, weights, "audio") for stranger in strangers]
    text: Run | Bundle | None = None
    if text_run:
        taken = (text_run / MANIFEST).exists()
        text = Bundle.open(text_run) if taken else _run(text_run, data, weights, "text")
    if audio is None and text is None:
        raise TrainingError(folder, found="no run", expected="an audio run, a text run, or both")
    heard = voices(audio, unheard) if audio else None
    read = words(text, data) if text else None
    provenance = {}
    if audio:
        provenance["audio"] = audio.provenance()
    if isinstance(text, Bundle):
        provenance["text"] = text.manifest.provenance["text"]
    elif text:
        provenance["text"] = text.provenance()
    return make_bundle(
        folder,
        name,
        acoustic=_acoustic_part(audio, heard) if audio and heard else None,
        linguistic=_linguistic_part(text, read) if text and read else None,
        fusion=_fit_on_pairs(heard, read, audio.recipe.training.seed) if audio and heard and read else None,
        small=small,
        torch_weights=torch_weights,
        provenance=provenance,
    )


def _run(folder: Path, data: Path, weights: Path | None, modality: str) -> Run:
    run = Run(folder, data, weights)
    if run.recipe.modality != modality:
        raise TrainingError(
            folder, found=f"a run of modality {run.recipe.modality!r}", expected=f"one of {modality!r}"
        )
    if "emotion" not in run.recipe.tasks:
        raise TrainingError(
            folder,
            found="a run of attributes alone",
            expected="one of emotions, or of both tasks: a bundle's predictions are emotions",
            advice="Train with tasks: [emotion, attributes].",
        )
    return run


def _acoustic_part(run: Run, heard: HeldOut) -> tuple[AcousticModel, AcousticPart]:
    settings = run.recipe.acoustic
    assert settings is not None
    assert isinstance(run.model, AcousticModel)
    split = load_split(run.recipe, run.data, "train")
    mean, deviation = embedding_statistics(embeddings(run.model, run.make(split, False)), split.repeats)
    part = AcousticPart(
        temperature=fit_temperature(heard.logits, heard.labels, heard.shares()),
        trim_db=settings.trim_db,
        window_seconds=settings.max_seconds,
        embedding_mean=mean,
        embedding_deviation=deviation,
        attributes="attributes" in run.recipe.tasks,
    )
    return run.model, part


def _linguistic_part(
    source: Run | Bundle, read: HeldOut
) -> tuple[LinguisticModel, LinguisticPart, Path] | Bundle:
    if isinstance(source, Bundle):
        return source
    settings = source.recipe.linguistic
    assert settings is not None
    assert isinstance(source.model, LinguisticModel)
    part = LinguisticPart(
        temperature=fit_temperature(read.logits, read.labels),
        max_tokens=settings.max_tokens,
        attributes="attributes" in source.recipe.tasks,
        languages=tuple(sorted({language for language in read.languages if language})),
    )
    return source.model, part, source.tokenizer()


def _fit_on_pairs(heard: HeldOut, read: HeldOut, seed: int) -> Fusion:
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
    fit = fit_fusion((audio[~spared], text[~spared]), labels[~spared], seed=seed)
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
