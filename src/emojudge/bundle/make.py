"""Trained models, fusion and calibration into one bundle folder."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE
from emojudge.audio.windows import SHORTEST
from emojudge.bundle.export import export_acoustic, export_linguistic
from emojudge.bundle.format import (
    FORMAT,
    PROSODY,
    WEIGHTS,
    AcousticPart,
    Bundle,
    Fusion,
    LinguisticPart,
    Manifest,
    write_manifest,
)
from emojudge.emotions import EMOTIONS
from emojudge.files import whole_folder
from emojudge.models.acoustic import AcousticModel
from emojudge.models.linguistic import LinguisticModel


def make_bundle(
    folder: Path,
    name: str,
    *,
    acoustic: tuple[AcousticModel, AcousticPart] | None = None,
    linguistic: tuple[LinguisticModel, LinguisticPart, Path] | Bundle | None = None,
    fusion: Fusion | None = None,
    small: bool = False,
    torch_weights: bool = False,
    licence: str = "Apache-2.0",
    provenance: dict[str, Any] | None = None,
    card: str = "",
) -> Bundle:
    """Write a bundle folder, whole or not at all, and open it.

    Args:
        acoustic: the model and its part of the manifest.
        linguistic: the model, its part of the manifest, and its `tokenizer.json`; or another bundle, whose
            model of the words is taken over as it is, and its bins of the voice if it has any.
        small: float16 weights for audio, 8-bit ones for text.
        torch_weights: keep float32 weights for the engine torch beside these.
        card: the model card, `README.md`.

    Raises:
        BundleError: weights for torch that the other bundle has not, or that there are none of.
    """
    with whole_folder(folder) as temporary:
        if acoustic:
            # The last window may be a little longer than the others, see `audio.windows`.
            longest = acoustic[1].window_seconds + SHORTEST / SAMPLE_RATE
            export_acoustic(
                acoustic[0], temporary, half=small, longest_seconds=longest, torch_weights=torch_weights
            )
        text: LinguisticPart | None = None
        if isinstance(linguistic, Bundle):
            text = linguistic.manifest.text
            for file in {"linguistic.onnx", "tokenizer.json", PROSODY} & linguistic.manifest.hashes.keys():
                shutil.copyfile(linguistic.file(file), temporary / file)
            if torch_weights:
                shutil.copyfile(linguistic.weights("linguistic"), temporary / f"linguistic{WEIGHTS}")
        elif linguistic:
            model, text, tokenizer = linguistic
            export_linguistic(model, temporary, quantise=small, torch_weights=torch_weights)
            shutil.copyfile(tokenizer, temporary / "tokenizer.json")
        (temporary / "README.md").write_text(card, encoding="utf-8")
        manifest = Manifest(
            format=FORMAT,
            name=name,
            emotions=EMOTIONS,
            audio=acoustic[1] if acoustic else None,
            text=text,
            fusion=fusion,
            licence=licence,
            provenance=provenance or {},
            hashes={},
        )
        write_manifest(temporary, manifest)
    return Bundle.open(folder)


def equal_shares(weight: float = 0.5) -> dict[str, float]:
    """The same share of the text in each fused attribute."""
    return {"valence": weight, "arousal": weight, "dominance": weight}


def embedding_statistics(
    embeddings: NDArray[np.float32], weights: NDArray[np.floating]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Weighted mean and deviation of pooled features `(items, features)`, for the manifest."""
    mean = np.average(embeddings, axis=0, weights=weights)
    deviation = np.sqrt(np.average(np.square(embeddings - mean), axis=0, weights=weights))
    return tuple(round(float(v), 6) for v in mean), tuple(round(float(v), 6) for v in deviation)
