"""One training step of the paper's acoustic model at full size: seconds and memory, beside the plain way.

Random weights do: a step takes as long whatever the weights are. Each way runs in a process of its own, one
after the other, so that neither's memory is in the other's figure. A way that was measured before at the same
size is kept unless it is named: `--names plain`, then `--names ours`, comes to the same as both at once. What
is named several times is run as often, and its medians count: `--names plain ours plain ours`.

The plain way is what one writes first, and the official baseline much the same: transformers' encoder as it
comes, stock dropout and AdamW in float32, a random batch padded to its longest clip, pooling item by item.
Ours fuses attention and the optimiser, pools the batch at once, and has batches of similar length. Both have
as much audio in their batch: that of the epoch whose total length is the nearest to the mean. Both leave the
convolutions out of the backward pass. What else there is in WAYS is measured where it is named: these are
choices, and not free. LoRA trains other parameters; checkpointing is slower for less memory; bfloat16 is
slower without hardware for it. Whether both learn the same is looked at in tiny trainings.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import WavLMConfig, WavLMModel

from emojudge.models.acoustic import AcousticModel
from emojudge.models.dropout import QuickDropout
from emojudge.models.lora import add_lora
from emojudge.models.padding import length_mask
from emojudge.models.wav2vec2 import Wav2Vec2Backbone
from emojudge.recipe import (
    AcousticSettings,
    BackboneSettings,
    LearningRates,
    LoraSettings,
    TrainingSettings,
)
from emojudge.training.batching import POOL, epoch_batches
from emojudge.training.memory import keep_freed_memory
from emojudge.training.trainer import Trainer

KEPT = Path(__file__).parent / "results" / "full_size.json"
RATE = 16_000
BATCH, ACCUMULATION = 32, 4
SECONDS = (4.0, 8.0)
WARM_UP = 4  # clips of a second, one a micro-batch: memory is asked for and the optimiser's moments are made
SIZES: dict[str, dict[str, Any]] = {
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
              "intermediate_size": 4096},
    "tiny": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
             "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2},
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "ours": {},
    "ours_checkpointed": {"gradient_checkpointing": True},
    "ours_bfloat16": {"precision": "bfloat16"},
    "ours_lora": {},
}
USUAL = ("plain", "ours")
STEPS, SEEDS = 50, (0, 1, 2)  # of the tiny trainings whose losses are compared


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    size = arguments.model or "large"
    figures: dict[str, Any] = {"size": size, "batch": f"{ACCUMULATION} x {BATCH // ACCUMULATION}"}
    before = json.loads(KEPT.read_text())["figures"] if KEPT.exists() else {}
    if before.get("size") == size:
        figures |= {way: before[way] for way in WAYS if way in before}
    runs: dict[str, list[dict[str, float]]] = {}
    for way in arguments.names or [way for way in USUAL if way not in figures]:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.full_size", way, size],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        runs.setdefault(way, []).append(json.loads(done.stdout.splitlines()[-1]))
        print(f"{way}: {runs[way][-1]}", flush=True)
        figures[way] = {
            name: round(float(np.median([run[name] for run in runs[way]])), 2) for name in runs[way][0]
        }
        figures[way]["all_seconds"] = [run["seconds"] for run in runs[way]]
    for way in [way for way in WAYS if way in figures and way != "plain"]:
        for name in ("seconds", "peak_mb") if "plain" in figures else ():
            figures[f"{way}_{name}_ratio"] = round(figures["plain"][name] / figures[way][name], 2)
    return {**figures, "curve": _curves()}


def _curves() -> dict[str, float]:
    """How far the losses of both ways lie apart in a tiny training, and those of the plain way by chance."""
    plain, ours = (np.array([losses(way, seed) for seed in SEEDS]) for way in ("plain", "ours"))
    chance = [np.abs(one - other).mean() for i, one in enumerate(plain) for other in plain[:i]]
    apart = [np.abs(one - other).mean() for one in plain for other in ours]
    figures = {"ours_and_plain": np.mean(apart), "plain_and_plain": np.mean(chance)}
    ends = {f"last_10_{way}": each[:, -10:].mean() for way, each in (("plain", plain), ("ours", ours))}
    return {name: round(float(value), 4) for name, value in {**figures, **ends}.items()}


def losses(way: str, seed: int) -> list[float]:
    """Of STEPS steps over tones, one pitch an emotion, by the tiny model, dropout and all."""
    model = model_of(way, "tiny")
    rates = LearningRates(encoder=1e-3, pooling=1e-3, head=1e-3)
    training = TrainingSettings(batch_size=16, accumulation=4, learning_rates=rates, epochs=1, warmup=0.0)
    clips = Clips(16 * STEPS, (0.4, 0.8), tones=True)
    unused: Any = None
    trainer = Trainer(model, training, ("emotion",), clips, np.ones(len(clips.sizes)), clips, unused, 1e-4)
    model.train()
    torch.manual_seed(seed)  # of dropout: the weights are the same
    batches = np.arange(16 * STEPS).reshape(STEPS, 16)
    return [trainer.step(batch, number) for number, batch in enumerate(batches)]


class Clips:
    """Noise as long as utterances are, or tones."""

    def __init__(self, items: int, seconds: tuple[float, float] = SECONDS, tones: bool = False) -> None:
        generator = np.random.default_rng(0)
        self._tones = tones
        self.sizes = (generator.uniform(*seconds, items) * RATE).astype(np.int64)
        self.emotions = np.eye(8, dtype=np.float32)[np.arange(items) % 8]
        self.attributes = np.full((items, 3), np.nan, dtype=np.float32)
        self.choices = np.ones((items, 8), dtype=bool)
        self.auxiliary = np.full((items, 18), np.nan, dtype=np.float32)

    def inputs(self, indices: Any, seed: int | None) -> list[Any]:
        generator = np.random.default_rng(seed)
        noise = [(0.1 * generator.standard_normal(self.sizes[i])).astype(np.float32) for i in indices]
        if not self._tones:
            return noise
        pitches = [2 * np.pi * 150 * (1 + i % 8) / RATE for i in indices]
        return [
            n + np.sin(p * np.arange(len(n))).astype(np.float32) for n, p in zip(noise, pitches, strict=True)
        ]


class PlainModel(nn.Module):
    """Stock WavLM, and attentive statistics of one item after the other."""

    def __init__(self, model: AcousticModel) -> None:
        super().__init__()
        self.model = model
        self.longest = 0  # samples of the batch's longest clip, which its micro-batches are padded to
        ours = model.backbone.encoder
        stock = model.backbone.encoder = WavLMModel(ours.config)  # with nothing quickened
        stock.load_state_dict(ours.state_dict())
        model.backbone.freeze(0)
        for module in model.modules():
            if type(module) is QuickDropout:
                module.__class__ = nn.Dropout

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        waveforms = nn.functional.pad(waveforms, (0, max(0, self.longest - waveforms.shape[1])))
        mask = length_mask(lengths, waveforms.shape[1])
        normal = self.model.normalise(waveforms, lengths)
        hidden = self.model.backbone.encoder(normal, attention_mask=mask.long()).last_hidden_state
        pooled = []
        for states, count in zip(hidden, self.model.backbone.frames(lengths), strict=True):
            one = states[None, : int(count)]
            pooled.append(self.model.pooling(one, torch.ones(1, one.shape[1], dtype=torch.bool)))
        logits: Tensor = self.model.head(torch.cat(pooled))
        return logits

    def penalty(self) -> Tensor:
        return self.model.penalty()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return self.model.parameter_groups()


def model_of(way: str, size: str) -> Any:
    """The model, with random weights; layers are not dropped, so that every step has as many."""
    torch.manual_seed(0)
    config = WavLMConfig(
        **SIZES[size], feat_extract_norm="layer", do_stable_layer_norm=True, apply_spec_augment=False,
        layerdrop=0.0, activation_dropout=0.0,
    )  # fmt: skip
    settings = AcousticSettings(backbone=BackboneSettings(kind="wavlm", weights="none"))
    model = AcousticModel(Wav2Vec2Backbone.from_config(config), 8, settings)
    model.backbone.freeze(0)
    if way == "ours_lora":
        add_lora(model.backbone.encoder, LoraSettings())
    return PlainModel(model) if way == "plain" else model


def measure(way: str, size: str) -> dict[str, float]:
    """Seconds of a step, and the process's peak, of one way."""
    model = model_of(way, size)
    training = TrainingSettings(batch_size=BATCH, accumulation=ACCUMULATION, **WAYS[way])
    clips = Clips(POOL * BATCH)
    unused: Any = None  # the folder: nothing is run to an end, nothing is written
    trainer = Trainer(model, training, ("emotion",), clips, np.ones(len(clips.sizes)), clips, unused, 1e-4)
    batch = typical(clips.sizes, by_length=way != "plain")
    if way != "plain":
        keep_freed_memory()  # as `emojudge train` does
    else:
        made = trainer._optimiser.param_groups
        groups = [{"params": g["params"], "lr": g["lr"], "full_lr": g["full_lr"]} for g in made]
        trainer._optimiser = torch.optim.AdamW(groups)  # as it comes
    model.train()
    sizes = clips.sizes.copy()
    clips.sizes[:WARM_UP] = RATE
    trainer.step(np.arange(WARM_UP), 0)
    clips.sizes[:] = sizes
    model.longest = int(sizes[batch].max())
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
    started = time.perf_counter()
    trainer.step(batch, 1)
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    audio = float(clips.sizes[batch].sum() / RATE)
    return {
        "seconds": round(seconds, 2),
        "peak_mb": round(used.ru_maxrss / 1000),
        "audio_seconds": round(audio, 1),
        "read_back": used.ru_majflt - faults,  # pages, from the disk: many where memory is short
    }


def typical(sizes: Any, by_length: bool) -> Any:
    """The batch of an epoch whose total length is the nearest to the batches' mean."""
    kinds = sizes if by_length else np.ones_like(sizes)  # all the same: nothing to sort by
    batches = epoch_batches(kinds, np.ones(len(sizes)), BATCH, 0, 0)
    totals = np.array([sizes[batch].sum() for batch in batches])
    return batches[int(np.abs(totals - totals.mean()).argmin())]


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:3])))
