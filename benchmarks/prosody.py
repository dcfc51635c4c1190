"""How many times faster than real time the voice is measured, by the time of one core that it takes."""

import argparse
import os
import time
from typing import Any

import numpy as np

from benchmarks.timing import median_seconds
from emojudge.audio.decode import SAMPLE_RATE, decode
from emojudge.audio.pitch import track_pitch
from emojudge.audio.prosody import measure_voice
from emojudge.corpora import load_corpus

CLIPS = 60
BAR = 50.0  # times real time


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Clips of RAVDESS, decoded before, one by one; and the same joined to one long recording."""
    if arguments.corpora is None:
        raise SystemExit("benchmarks prosody: name the folder of the corpora with --corpora")
    utterances = load_corpus("ravdess", arguments.corpora / "ravdess")
    chosen = utterances[:: len(utterances) // CLIPS][:CLIPS]
    clips = [decode(utterance.audio).samples for utterance in chosen if utterance.audio]
    joined = np.concatenate(clips)
    seconds = len(joined) / SAMPLE_RATE
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        extractor = measure_voice(clips[0]).extractor  # loads the model
        clip_by_clip = median_seconds(lambda: [measure_voice(clip) for clip in clips], time.process_time)
        pitch_alone = median_seconds(lambda: [track_pitch(clip) for clip in clips], time.process_time)
        at_once = median_seconds(lambda: measure_voice(joined), time.process_time)
    finally:
        os.sched_setaffinity(0, cores)
    figures = {
        "extractor": extractor,
        "seconds": round(seconds, 1),
        "times_real_time_clip_by_clip": round(seconds / clip_by_clip, 1),
        "times_real_time_pitch_alone": round(seconds / pitch_alone, 1),
        "times_real_time_one_recording": round(seconds / at_once, 1),
        "bar": BAR,
        "met": seconds / clip_by_clip >= BAR,
    }
    print(figures)
    return figures
