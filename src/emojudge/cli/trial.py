"""A bundle tried out on a clip that is made here: that its models load, run, and give a prediction."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE
from emojudge.bundle.format import Bundle
from emojudge.errors import BundleError
from emojudge.recognizer import Recognizer
from emojudge.records import Prediction, Transcript, Utterance

WORDS = Transcript(text="I am so happy that you called!", source="given")


@dataclass(frozen=True)
class Trial:
    """What the models said and how long it took, loading and all."""

    prediction: Prediction
    seconds: float

    def __str__(self) -> str:
        prediction = self.prediction
        judges = " + ".join({"audio": "voice", "text": "words"}[m] for m in prediction.modalities)
        share = prediction.scores[prediction.emotion]
        return f"{prediction.emotion} {share:.0%} by {judges}, in {self.seconds:.1f} s"


def clip(seconds: float = 2.0) -> NDArray[np.float32]:
    """A buzz with a melody of speech, `(samples,)` at 16 kHz: harmonics of 120 to 180 Hz in syllables."""
    time_axis = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(150 + 30 * np.sin(2 * np.pi * 0.7 * time_axis)) / SAMPLE_RATE
    buzz = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 20))
    syllables = np.sin(np.pi * 4 * time_axis) ** 2  # four a second
    return (0.1 * buzz * syllables).astype(np.float32)


def try_out(bundle: Bundle) -> Trial:
    """Let all models of a bundle judge a generated clip with words.

    Raises:
        BundleError: the models do not load or run, or give figures that are none.
    """
    started = time.monotonic()
    try:
        recognizer = Recognizer(bundle)
        if bundle.manifest.audio:
            prediction = recognizer(
                clip(), rate=SAMPLE_RATE, transcript=WORDS if bundle.manifest.text else None
            )
        else:
            result = next(recognizer.predict([Utterance(id="text", transcript=WORDS)]))
            if not isinstance(result, Prediction):
                raise BundleError(bundle.folder, found=result.error, expected="a prediction on words")
            prediction = result
    except BundleError:
        raise
    except (
        Exception
    ) as error:  # ONNX Runtime's errors have no base but Exception; a damaged model may cause any
        raise BundleError(
            bundle.folder, found=f"{type(error).__name__}: {error}", expected="models that load and run"
        ) from error
    total = sum(prediction.scores.values())
    if not np.isclose(total, 1.0, atol=1e-3):
        raise BundleError(bundle.folder, found=f"scores that sum to {total}", expected="a sum of 1")
    return Trial(prediction, time.monotonic() - started)
