"""From files to predictions: overlap of the stages, padding in the batches, and whether memory grows."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.timing import median_seconds
from emojudge.audio.decode import decode
from emojudge.audio.windows import trim
from emojudge.bundle.batches import within_budget
from emojudge.bundle.format import Bundle
from emojudge.bundle.sessions import SAMPLES_PER_BATCH, TOKENS_PER_BATCH, AcousticSession, LinguisticSession
from emojudge.cli.main import HANDOVER
from emojudge.corpora import load_corpus
from emojudge.recognizer import CHUNK, load
from emojudge.records import Transcript, Utterance
from emojudge.training.batching import epoch_batches

RATE = 16_000
CLIPS = 200
FEW, MANY = 200, 20_000  # files between which memory must not grow
PREDICT_MANY = """  # in a process that imports what prediction needs, and no torch
import re, sys
from pathlib import Path
from emojudge.recognizer import load
from emojudge.records import Failure, Utterance

folder, few, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
utterances = (Utterance(id=str(n), audio=folder / f"{n % few}.wav") for n in range(count))
failed = sum(isinstance(result, Failure) for result in load(asr="none").predict(utterances))
assert not failed, f"{failed} of {count} failed"
# Not by getrusage: a process begins with the peak of the one that started it.
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""
WORDS = "I never thought that this would happen again, and today of all days it really did."


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    paths = [u.audio for name in ("emodb", "ravdess") for u in load_corpus(name, arguments.corpora / name)]
    chosen = [path for path in paths if path is not None]
    chosen = [chosen[i] for i in np.random.default_rng(0).permutation(len(chosen))[:CLIPS]]
    sys.setswitchinterval(HANDOVER)  # as the command line has it
    figures = {"overlap": _overlap(chosen), "padding": _padding(chosen)}
    print(figures, flush=True)
    return {**figures, "memory": _memory()}


def _overlap(paths: list[Path]) -> dict[str, Any]:
    """Seconds of each stage alone and of all together, each model on one core, with a transcript for each."""
    bundle = Bundle.open()
    part, text = bundle.manifest.audio, bundle.manifest.text
    if part is None or text is None or part.trim_db is None:
        raise SystemExit("the embedded bundle has voice, words and a trim level")
    acoustic, linguistic = AcousticSession(bundle, 1), LinguisticSession(bundle, text.max_tokens, 1)
    clips = [trim(decode(path).samples, part.trim_db) for path in paths]
    words = [f"{number} {WORDS}" for number in range(len(paths))]
    recognizer = load(asr="none", threads=1, engine="onnxruntime")
    utterances = [
        Utterance(id=str(number), audio=path, transcript=Transcript(text=said, source="given"))
        for number, (path, said) in enumerate(zip(paths, words, strict=True))
    ]

    def encode() -> None:
        for at in range(0, len(clips), CHUNK):
            acoustic.classify(acoustic.embed(clips[at : at + CHUNK]))

    def read() -> None:
        for at in range(0, len(words), CHUNK):
            linguistic(words[at : at + CHUNK])

    stages = {
        "decode": median_seconds(lambda: [trim(decode(path).samples, part.trim_db or 0) for path in paths]),
        "acoustic model": median_seconds(encode),
        "linguistic model": median_seconds(read),
    }
    together = median_seconds(lambda: list(recognizer.predict(utterances)))
    slowest, alone = max(stages.values()), sum(stages.values())
    return {
        "stages_s": {name: round(seconds, 2) for name, seconds in stages.items()},
        "together_s": round(together, 2),
        "over_slowest": round(together / slowest, 3),
        "over_sum": round(together / alone, 3),
    }


def _padding(paths: list[Path]) -> dict[str, float]:
    """The share of positions in batches that hold nothing, in prediction and in training."""
    samples = np.array(
        [soundfile.info(path).frames * RATE // soundfile.info(path).samplerate for path in paths]
    )
    chunks = [samples[at : at + CHUNK] for at in range(0, len(samples), CHUNK)]
    by_chunk = [chunk[batch] for chunk in chunks for batch in within_budget(chunk, SAMPLES_PER_BATCH)]
    sizes = np.random.default_rng(0).uniform(2, 12, 2000) * RATE
    training = [sizes[batch] for batch in epoch_batches(sizes.astype(np.int64), np.ones(2000), 32, 0, 0)]
    random = np.split(sizes[:1984], 62)
    return {
        "prediction": _wasted(by_chunk),
        "training, 2 to 12 s, batches of 32": _wasted(training),
        "the same, random batches": _wasted(random),
        "tokens_per_batch": TOKENS_PER_BATCH,
    }


def _wasted(batches: list[Any]) -> float:
    padded = sum(len(batch) * batch.max() for batch in batches)
    return round(1 - float(sum(batch.sum() for batch in batches) / padded), 4)


def _memory() -> dict[str, Any]:
    """Peak resident megabytes of a process that predicts so many files."""
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        random = np.random.default_rng(0)
        for number in range(FEW):
            samples = 0.1 * random.normal(size=int(RATE * random.uniform(0.5, 1.0)))
            soundfile.write(Path(folder) / f"{number}.wav", samples, RATE)
        for count in (FEW, MANY):
            command = [sys.executable, "-c", PREDICT_MANY, folder, str(FEW), str(count)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            peaks[str(count)] = round(int(done.stdout) / 1000, 1)
            print(count, "files:", peaks[str(count)], "MB", flush=True)
    return {"peak_mb": peaks, "ratio": round(peaks[str(MANY)] / peaks[str(FEW)], 3)}
