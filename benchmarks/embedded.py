"""The embedded voice model on one core against what a user would pick instead, each in a process of its own.

The rivals: transformers' `audio-classification` pipeline with the same backbone (Whisper base: all of its
encoder, on 30 s whatever the clip's length; random weights, as they do not matter for time), and eGeMAPS by
openSMILE with an SVM, the classic. openSMILE's licence is for research alone, so it is no dependency here: it
is measured where it is installed. Accuracy stands beside speed in docs/results.md; random weights have none.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import median_seconds

RATE, CLIPS, SECONDS = 16_000, 24, (2.0, 6.0)
Samples = NDArray[np.float32]


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start to first result, one clip, and many, of every way; and the ratios to ours."""
    del arguments
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        _whisper(Path(folder))
        ways = ["ours", "transformers"]
        ways += ["egemaps"] if importlib.util.find_spec("opensmile") else []
        for way in ways:
            figures[way] = _of(way, Path(folder))
            print(way, figures[way], flush=True)
    for way in ways[1:]:
        for name in ("start_s", "one_clip_s", "real_time_factor"):
            figures[f"{way}_{name}_ratio"] = round(figures[way][name] / figures["ours"][name], 1)
    return figures


def _of(way: str, folder: Path) -> dict[str, float]:
    """Figures of a process that is kept to one core."""
    core = str(min(os.sched_getaffinity(0)))
    command = ["taskset", "-c", core, sys.executable, "-m", "benchmarks.embedded", way, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def measure(way: str, folder: Path) -> dict[str, float]:
    """In this process: from its start to a result, then the medians of five."""
    clips = _clips()
    make: dict[str, Callable[[Path], Callable[[list[Samples]], Any]]] = {
        "ours": _ours,
        "transformers": _transformers,
        "egemaps": _egemaps,
    }
    predict = make[way](folder)
    predict(clips[:1])
    start = time.time() - _process_started()
    audio = sum(len(clip) for clip in clips) / RATE
    one = median_seconds(lambda: predict(clips[:1]))
    many = median_seconds(lambda: predict(clips))
    return {
        "start_s": round(start, 2),
        "one_clip_s": round(one, 4),
        "real_time_factor": round(many / audio, 5),
    }


def _process_started() -> float:
    """Seconds since the epoch, from /proc: the interpreter's own start counts."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    booted = next(
        int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if "btime" in line
    )
    return booted + ticks / os.sysconf("SC_CLK_TCK")


def _clips() -> list[Samples]:
    random = np.random.default_rng(0)
    return [
        (0.1 * random.normal(size=int(s * RATE))).astype(np.float32) for s in random.uniform(*SECONDS, CLIPS)
    ]


def _ours(folder: Path) -> Callable[[list[Samples]], Any]:
    del folder
    import emojudge
    from emojudge.audio.decode import Audio
    from emojudge.records import Utterance

    recognizer = emojudge.load(asr="none", threads=1, engine="onnxruntime")

    def predict(clips: list[Samples]) -> Any:
        pairs = [
            (Utterance(id=str(number)), Audio(clip, len(clip) / RATE, "clip"))
            for number, clip in enumerate(clips)
        ]
        return list(recognizer.predict(pairs))

    return predict


def _whisper(folder: Path) -> None:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForAudioClassification

    config = WhisperConfig(  # base
        d_model=512, encoder_layers=6, encoder_attention_heads=8, encoder_ffn_dim=2048, decoder_layers=1,
        decoder_attention_heads=8, decoder_ffn_dim=2048, num_labels=8, vocab_size=51_865,
    )  # fmt: skip
    WhisperForAudioClassification(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)


def _transformers(folder: Path) -> Callable[[list[Samples]], Any]:
    import torch
    from transformers import pipeline

    torch.set_num_threads(1)
    classify = pipeline("audio-classification", model=str(folder))
    return lambda clips: [classify(clip) for clip in clips]


def functionals() -> Callable[[Samples], NDArray[np.float64]]:
    """openSMILE's 88 eGeMAPS functionals of a clip at 16 kHz, `(1, 88)`; NaN where it finds none."""
    import opensmile

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )
    return lambda clip: smile.process_signal(clip, RATE).to_numpy()


def _egemaps(folder: Path) -> Callable[[list[Samples]], Any]:
    del folder
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    features = functionals()
    random = np.random.default_rng(0)
    model = CalibratedClassifierCV(SVC(), ensemble=False)
    model.fit(random.normal(size=(200, 88)), np.arange(200) % 8)
    return lambda clips: [model.predict_proba(features(clip)) for clip in clips]


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
