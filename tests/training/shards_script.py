"""Trainings of tiny models whose parameters torchrun's processes share by slices; run by test_shards.py.

    torchrun --nproc-per-node 2 -m tests.training.shards_script FOLDER VARIANT/NAME[:STEPS] ...

Each is trained in FOLDER/VARIANT/NAME, and left after so many steps where these are named. What a process
then holds of a model and its average is written there, to held<rank>.json.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import WavLMConfig

from emojudge.models.acoustic import AcousticModel
from emojudge.models.lora import add_lora
from emojudge.models.wav2vec2 import Wav2Vec2Backbone
from emojudge.recipe import (
    AcousticSettings,
    AuxiliarySettings,
    BackboneSettings,
    LearningRates,
    LoraSettings,
    TrainingSettings,
)
from emojudge.training.trainer import Trainer
from tests.training.ranks_script import Points


class Toy(torch.nn.Module):
    """Two layers, some of an odd size, a part that is never used, and a penalty that no forward pass sees."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.head = torch.nn.Linear(1, 7), torch.nn.Linear(7, 11)
        self.layers = torch.nn.ModuleList(torch.nn.Linear(7, 7) for _ in range(2))
        self.never, self.auxiliary = torch.nn.Linear(2, 2), torch.nn.Linear(7, 18)
        self.register_buffer("scale", torch.tensor(0.3))

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.first(inputs.sum(dim=1, keepdim=True) / lengths[:, None]))
        for layer in self.layers:
            hidden = hidden + self.scale * torch.tanh(layer(hidden))
        outputs = self.head(hidden)
        return torch.cat([outputs, self.auxiliary(hidden)], dim=1) if self.training else outputs

    @property
    def output_layer(self) -> torch.nn.Linear:
        return self.head

    def penalty(self) -> torch.Tensor:
        return self.first.weight.square().sum()

    def parameter_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        head = [*self.head.parameters(), *self.auxiliary.parameters()]
        encoder = [p for part in (self.first, self.layers, self.never) for p in part.parameters()]
        return {"encoder": encoder, "head": head}


class Tones(Points):
    """Noises of 0.05 to 0.1 s, whose loudness tells their emotion."""

    def __init__(self, items: int, seed: int) -> None:
        super().__init__(items, seed)
        self.sizes = np.random.default_rng(seed).integers(800, 1600, items)

    def inputs(self, indices: np.ndarray, seed: int | None) -> list[np.ndarray]:
        noises = [np.random.default_rng(int(i)).normal(size=self.sizes[i]) for i in indices]
        return [(2.0 ** self.values[i] * n).astype(np.float32) for i, n in zip(indices, noises, strict=True)]


def wavlm(lora: bool, dropout: float) -> AcousticModel:
    torch.manual_seed(0)
    config = WavLMConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=24, conv_dim=(8, 8),
        conv_kernel=(10, 8), conv_stride=(5, 8), num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2,
        do_stable_layer_norm=True, layerdrop=2 * dropout, hidden_dropout=dropout, attention_dropout=dropout,
        activation_dropout=dropout, feat_proj_dropout=dropout,
    )  # fmt: skip
    backbone = Wav2Vec2Backbone.from_config(config)
    backbone.freeze(1)
    if lora:
        add_lora(backbone.encoder, LoraSettings(rank=3), 1)
    settings = AcousticSettings(
        backbone=BackboneSettings(kind="wavlm", weights=""), head_width=12, dropout=dropout
    )
    return AcousticModel(backbone, 8, settings)


BOTH = {
    "auxiliary": AuxiliarySettings(gender=0.3, secondary=0.5), "annotation_dropout": 0.3, "select": "mean",
    "max_gradient_norm": 0.5, "learning_rates": LearningRates(encoder=0.01, head=0.02),
}  # fmt: skip
FAST = {"learning_rates": LearningRates(encoder=1e-3, pooling=1e-3, head=1e-3), "checkpoint_every": 3}
VARIANTS = {
    "toy": {**BOTH, "epochs": 3, "accumulation": 2, "weight_average": 0.8, "known_prior": "uniform"},
    "float16": {**BOTH, "precision": "float16"},
    "overflow": {**BOTH, "precision": "float16", "epochs": 1},
    "wavlm": {**FAST, "accumulation": 2},
    "lora": {**FAST, "gradient_checkpointing": True, "weight_average": 0.5},
    # Whatever is random, which no other number of processes repeats.
    "random": {
        **FAST, "accumulation": 2, "gradient_checkpointing": True, "precision": "bfloat16", "mixup": {},
    },
}  # fmt: skip


def make(variant: str, folder: Path) -> Trainer:
    settings = {"epochs": 2, "batch_size": 8, "checkpoint_every": 1, **VARIANTS[variant]}
    toy = variant in ("toy", "float16", "overflow")
    model = Toy() if toy else wavlm(variant == "lora", 0.3 if variant == "random" else 0.0)
    items, tasks = (Points, ("emotion", "attributes")) if toy else (Tones, ("emotion",))
    train, validation = items(37, 0), items(23, 1)  # the last batch of an epoch has five items
    settings = TrainingSettings.model_validate({**settings, "parallel": "fsdp"})
    made = Trainer(model, settings, tasks, train, np.ones(37), validation, folder, 0.01)
    scales = {"float16": 2.0**10, "overflow": 2.0**40}  # under which no step overflows, or every one
    if variant in scales:
        made._scaler = torch.amp.GradScaler("cpu", init_scale=scales[variant])
    return made


class Left(Exception):
    pass


def train(folder: Path, job: str) -> Trainer:
    where, _, steps = job.partition(":")
    made = make(where.partition("/")[0], folder / where)
    real, done = made.step, [0]

    def step(*arguments: object) -> float:
        if str(done[0]) == steps:
            raise Left
        done[0] += 1
        return real(*arguments)

    made.step = step
    with contextlib.suppress(Left):
        made.run()
    return made


def held(made: Trainer) -> dict[str, list[int]]:
    """Numbers in this process and in all: of parameters, gradients, moments and the average."""
    kinds = {
        "parameters": list(made.model.parameters()),
        "average": list(made._average.parameters()),
        "gradients": [p.grad for p in made.model.parameters() if p.grad is not None],
        "moments": [s[name] for s in made._optimiser.state.values() for name in ("exp_avg", "exp_avg_sq")],
    }
    return {
        kind: [sum(t.to_local().numel() for t in tensors), sum(t.numel() for t in tensors)]
        for kind, tensors in kinds.items()
    }


if __name__ == "__main__":
    folder, *jobs = sys.argv[1:]
    for job in jobs:
        made = train(Path(folder), job)
        if made._average is not None:
            where = Path(folder, job.partition(":")[0], f"held{os.environ['RANK']}.json")
            where.write_text(json.dumps(held(made)))
