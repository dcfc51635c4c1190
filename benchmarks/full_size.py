"""One training step of the paper's acoustic model at full size: seconds and memory, beside the plain way.

Random weights do: a step takes as long whatever the weights are. Each way runs in a process of its own, so
that neither's memory is in the other's figure.

The plain way is what one writes first, and the official baseline much the same: stock attention in float32,
a random batch padded to its longest clip, all hidden states kept, pooling item by item, micro-batches in the
order in which they came. Ours sorts by length, fuses attention, and pools the batch at once; `bfloat16` and
gradient checkpointing are measured beside it, apart, since they are choices and not free.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, WavLMConfig

from emojudge.models.acoustic import AcousticModel
from emojudge.models.padding import length_mask
from emojudge.models.wav2vec2 import Wav2Vec2Backbone
from emojudge.recipe import AcousticSettings, BackboneSettings, TrainingSettings
from emojudge.training.batching import epoch_batches
from emojudge.training.trainer import Trainer

RATE = 16_000
BATCH, ACCUMULATION = 32, 4
SECONDS = (4.0, 8.0)
STEPS = 3  # measured, after one that is not
SIZES: dict[str, dict[str, Any]] = {
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
              "intermediate_size": 4096},
    "tiny": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
             "conv_dim": (16,) * 7},
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "ours_float32": {},
    "ours_bfloat16": {"precision": "bfloat16"},
    "ours_bfloat16_checkpointed": {"precision": "bfloat16", "gradient_checkpointing": True},
}


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    size = arguments.model or "large"
    figures: dict[str, Any] = {"size": size, "batch": f"{ACCUMULATION} x {BATCH // ACCUMULATION}"}
    for way in WAYS:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.full_size", way, size],
            capture_output=True,
            text=True,
            check=True,
        )
        figures[way] = json.loads(done.stdout.splitlines()[-1])
    for way in list(WAYS)[1:]:
        for name in ("seconds", "peak_mb"):
            figures[f"{way}_{name}_ratio"] = round(figures["plain"][name] / figures[way][name], 2)
        print(f"{way}: {figures[f'{way}_seconds_ratio']} times as fast as the plain way")
    return figures


class Clips:
    """Noise as long as utterances are."""

    def __init__(self, items: int) -> None:
        generator = np.random.default_rng(0)
        self.sizes = (generator.uniform(*SECONDS, items) * RATE).astype(np.int64)
        self.emotions = np.eye(8, dtype=np.float32)[np.arange(items) % 8]
        self.attributes = np.full((items, 3), np.nan, dtype=np.float32)
        self.choices = np.ones((items, 8), dtype=bool)

    def inputs(self, indices: Any, seed: int | None) -> list[Any]:
        generator = np.random.default_rng(seed)
        return [(0.1 * generator.standard_normal(self.sizes[i])).astype(np.float32) for i in indices]


class PlainModel(nn.Module):
    """Stock WavLM, and attentive statistics of one item after the other."""

    def __init__(self, model: AcousticModel, encoder: nn.Module) -> None:
        super().__init__()
        self.model, self.encoder = model, encoder
        model.backbone.encoder = nn.Identity()

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        mask = length_mask(lengths, waveforms.shape[1])
        normal = self.model.normalise(waveforms, lengths)
        hidden = self.encoder(normal, attention_mask=mask.long()).last_hidden_state
        pooled = []
        for states, count in zip(hidden, self.model.backbone.frames(lengths), strict=True):
            one = states[None, : int(count)]
            pooled.append(self.model.pooling(one, torch.ones(1, one.shape[1], dtype=torch.bool)))
        logits: Tensor = self.model.head(torch.cat(pooled))
        return logits

    def penalty(self) -> Tensor:
        return self.model.penalty()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        groups = self.model.parameter_groups()
        return {**groups, "encoder": [p for p in self.encoder.parameters() if p.requires_grad]}


def step_time(way: str, size: str) -> dict[str, float]:
    """Median seconds of a step, and the process's peak, of one way."""
    torch.manual_seed(0)
    config = WavLMConfig(
        **SIZES[size],
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        apply_spec_augment=False,
        layerdrop=0.0,
    )
    settings = AcousticSettings(backbone=BackboneSettings(kind="wavlm", weights="none"))
    model: Any = AcousticModel(Wav2Vec2Backbone.from_config(config), 8, settings)
    model.backbone.freeze(0)
    if way == "plain":
        stock: Any = AutoModel
        encoder = stock.from_config(config)
        encoder.feature_extractor.requires_grad_(False)
        model = PlainModel(model, encoder)
    training = TrainingSettings(batch_size=BATCH, accumulation=ACCUMULATION, **WAYS[way])
    clips = Clips((1 + STEPS) * BATCH)
    unused: Any = None  # the folder: nothing is run to an end, nothing is written
    trainer = Trainer(model, training, ("emotion",), clips, np.ones(len(clips.sizes)), clips, unused, 1e-4)
    lengths = np.ones_like(clips.sizes) if way == "plain" else clips.sizes  # all the same: nothing to sort by
    batches = epoch_batches(lengths, np.ones(len(clips.sizes)), BATCH, 0, 0)
    model.train()
    taken = []
    for number, batch in enumerate(batches):
        started = time.perf_counter()
        trainer.step(batch, number)
        taken.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return {"seconds": round(statistics.median(taken[1:]), 3), "peak_mb": round(peak)}


if __name__ == "__main__":
    print(json.dumps(step_time(*sys.argv[1:3])))
