"""From logits to opinions, and from two opinions to the fused one."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emojudge.bundle.format import AcousticPart, LinguisticPart, Manifest
from emojudge.emotions import (
    ATTRIBUTES,
    EMOTIONS,
    SCALE_HALF,
    SCALE_MAX,
    SCALE_MIDDLE,
    SCALE_MIN,
    Attribute,
    Emotion,
    attributes_of,
    scores_by_name,
    scores_in_order,
)
from emojudge.errors import BundleError
from emojudge.fusion.calibration import softmax
from emojudge.fusion.linear import LinearFusion
from emojudge.records import Attributes, Opinion

Logits = NDArray[np.float32]
Origin = Literal["model", "derived", "mixed"]


@dataclass(frozen=True)
class Fused:
    """Scores and attributes of an utterance from whatever opinions there were."""

    scores: dict[Emotion, float]
    attributes: Attributes
    attributes_from: dict[Attribute, Origin]


class Opinions:
    """What a bundle makes of its models' outputs: its temperatures, its fusion."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._logistic: LinearFusion | None = None
        if fusion := manifest.fusion:
            self._logistic = LinearFusion(np.array(fusion.coefficients), np.array(fusion.intercept))

    def of_audio(self, outputs: Logits) -> Opinion:
        """Audio outputs: logits `(emotions,)`, followed by attributes on -1..1 where the model has them."""
        return self._of(outputs, self._manifest.audio, "audio")

    def of_text(self, outputs: Logits) -> Opinion:
        """Text outputs: logits `(emotions,)`, followed by attributes on -1..1 where the model has them."""
        return self._of(outputs, self._manifest.text, "text")

    def _of(self, outputs: Logits, part: AcousticPart | LinguisticPart | None, name: str) -> Opinion:
        """Attributes that the model does not have are derived from its scores, see `attributes_of`."""
        if part is None:
            raise BundleError(self._manifest.name, found=f"no {name} model", expected="one")
        logits = outputs[: len(EMOTIONS)]
        scores = softmax(logits, part.temperature)
        if part.attributes:
            return _opinion(logits, scores, SCALE_MIDDLE + SCALE_HALF * outputs[len(EMOTIONS) :])
        return _opinion(logits, scores, attributes_of(scores))

    def fuse(self, audio: Opinion | None, text: Opinion | None) -> Fused:
        """The fused opinion; of one modality alone, that modality's own.

        Raises:
            BundleError: both are there and the bundle has no fusion.
        """
        manifest, fusion = self._manifest, self._manifest.fusion
        of = ((audio, manifest.audio), (text, manifest.text))
        measured = [part.attributes for opinion, part in of if opinion and part]
        origin: Origin = "model" if all(measured) else "mixed" if any(measured) else "derived"
        origins = dict.fromkeys(ATTRIBUTES, origin)
        if audio is None or text is None:
            alone = audio or text
            if alone is None:
                raise BundleError(manifest.name, found="no opinion", expected="audio, text, or both")
            return Fused(alone.scores, alone.attributes, origins)
        if fusion is None or self._logistic is None:
            raise BundleError(manifest.name, found="no fusion", expected="one, for audio with words")
        logits = self._logistic(scores_in_order(audio.logits)[None], scores_in_order(text.logits)[None])
        scores = softmax(logits, fusion.temperature)[0]
        mixed = [
            fusion.text_share[name] * getattr(text.attributes, name)
            + (1 - fusion.text_share[name]) * getattr(audio.attributes, name)
            for name in ATTRIBUTES
        ]
        return Fused(scores_by_name(scores), _attributes(np.array(mixed)), origins)


def _opinion(logits: Logits, scores: Logits, attributes: NDArray[np.floating]) -> Opinion:
    return Opinion(
        logits=scores_by_name(logits), scores=scores_by_name(scores), attributes=_attributes(attributes)
    )


def _attributes(values: NDArray[np.floating]) -> Attributes:
    clipped = np.clip(values, SCALE_MIN, SCALE_MAX)
    return Attributes(**{name: float(value) for name, value in zip(ATTRIBUTES, clipped, strict=True)})
