"""What a million hours take: operations of each system, decoding, transcription, and what each gate sends.

Measured here: how many operations an encoder takes for ten seconds of audio or a hundred tokens (counted by
torch over the real classes with random weights), how long decoding and transcription take on one core, and
which share of predictions each gate of the judge lets through. docs/scale.md joins these with the
figures of `embedded`, `large`, `long` and `judge`; what is published or assumed is marked as such there.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    DebertaConfig,
    DebertaModel,
    HubertConfig,
    RobertaConfig,
    RobertaModel,
    Wav2Vec2Config,
    WavLMConfig,
    WhisperConfig,
)

from benchmarks.timing import median_seconds
from emojudge.audio.decode import decode
from emojudge.audio.transcribe import load_transcriber
from emojudge.corpora import load_corpus
from emojudge.emotions import scores_in_order
from emojudge.judge.gate import Gate
from emojudge.models.ecapa import EcapaBackbone, EcapaEncoder
from emojudge.models.wav2vec2 import Wav2Vec2Backbone
from emojudge.models.whisper import WhisperBackbone
from emojudge.recognizer import load
from emojudge.records import Opinion, Prediction

RATE, SECONDS, TOKENS = 16_000, 10, 100
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
STABLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
GATES = ("all", "conflict", "margin:0.2", "entropy:0.6", "budget:10%")
UTTERANCES = 400  # over which the gates' shares are found
FORMATS: dict[str, tuple[str, str | None, int, int]] = {  # container, subtype, Hz, channels
    "WAV, 16 kHz": ("WAV", "PCM_16", 16_000, 1),
    "FLAC, 44.1 kHz stereo": ("FLAC", "PCM_16", 44_100, 2),
    "MP3, 44.1 kHz stereo": ("MP3", None, 44_100, 2),
    "Opus, 48 kHz": ("OGG", "OPUS", 48_000, 1),
}


def _wav2vec2(config: Any) -> Callable[[], nn.Module]:
    return lambda: Wav2Vec2Backbone.from_config(config)


VOICES: dict[str, Callable[[], nn.Module]] = {
    "WavLM-Large": _wav2vec2(WavLMConfig(**LARGE, **STABLE)),
    "HuBERT-Large": _wav2vec2(HubertConfig(**LARGE, **STABLE)),
    "wav2vec 2.0 Large": _wav2vec2(Wav2Vec2Config(**LARGE, **STABLE)),
    "WavLM-base": _wav2vec2(WavLMConfig()),
    "Whisper-small": lambda: WhisperBackbone(
        WhisperConfig(d_model=768, encoder_layers=12, encoder_attention_heads=12, encoder_ffn_dim=3072)
    ),
    "ECAPA-TDNN": lambda: EcapaBackbone(EcapaEncoder()),
}
WORDS: dict[str, Callable[[], nn.Module]] = {
    "RoBERTa-Large": lambda: RobertaModel(RobertaConfig(**LARGE)),
    "DeBERTa-Large": lambda: DebertaModel(
        DebertaConfig(**LARGE, relative_attention=True, pos_att_type=["c2p", "p2c"])
    ),
    "RoBERTa-base": lambda: RobertaModel(RobertaConfig()),
}


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    torch.set_num_threads(1)
    figures: dict[str, Any] = {"gflop_per_second": {}, "gflop_per_100_tokens": {}}
    waveform, length = torch.randn(1, SECONDS * RATE) * 0.1, torch.tensor([SECONDS * RATE])
    for name, make in VOICES.items():
        operations = _operations(make(), waveform, length)
        figures["gflop_per_second"][name] = round(operations / SECONDS / 1e9, 2)
    tokens = torch.randint(5, 1000, (1, TOKENS))
    for name, make in WORDS.items():
        figures["gflop_per_100_tokens"][name] = round(_operations(make(), tokens) / 1e9, 2)
    figures["decode_core_s_per_hour"] = _decoding()
    figures["transcription"] = _transcription(arguments.corpora)
    figures["sent"] = _sent(arguments.corpora)
    print(figures)
    return figures


def _operations(model: nn.Module, *inputs: torch.Tensor) -> int:
    """Floating-point operations of a pass, a multiplication and an addition being two."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval().requires_grad_(False)(*inputs)
    return int(counter.get_total_flops())


def _decoding(minutes: int = 2) -> dict[str, float]:
    """Seconds of one core for an hour of noise, by format."""
    taken = {}
    for name, (container, subtype, rate, channels) in FORMATS.items():
        noise = 0.1 * np.random.default_rng(0).standard_normal((minutes * 60 * rate, channels))
        file = io.BytesIO()
        soundfile.write(file, np.clip(noise, -1, 1), rate, format=container, subtype=subtype)
        data = file.getvalue()
        taken[name] = round(median_seconds(lambda: decode(data)) * 60 / minutes, 2)  # noqa: B023
    return taken


def _transcription(corpora: Path) -> dict[str, Any] | None:
    """Real-time factor on one core of the engine that `predict` would take, over acted English sentences."""
    engine = load_transcriber("moonshine")
    if engine is None:
        return None
    spoken = [u.audio for u in load_corpus("ravdess", corpora / "ravdess") if u.audio][:40]
    clips = [decode(path).samples for path in spoken]
    seconds = median_seconds(lambda: [engine(clip) for clip in clips])
    return {"engine": engine.name, "real_time_factor": round(seconds * RATE / sum(map(len, clips)), 4)}


def _sent(corpora: Path) -> dict[str, float]:
    """Share of RAVDESS's recordings, with their words, that each gate sends."""
    utterances = list(load_corpus("ravdess", corpora / "ravdess"))
    chosen = np.random.default_rng(0).permutation(len(utterances))[:UTTERANCES]
    found = [p for p in load(threads=1).predict([utterances[i] for i in chosen]) if isinstance(p, Prediction)]
    scores = np.stack([scores_in_order(p.scores) for p in found])
    conflicts = np.array([_best(p.audio) != _best(p.text) for p in found])
    return {name: round(float(Gate.parse(name).sends(scores, conflicts).mean()), 3) for name in GATES}


def _best(opinion: Opinion | None) -> str | None:
    return max(opinion.scores, key=lambda name: opinion.scores[name]) if opinion else None
