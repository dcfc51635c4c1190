"""A training of a toy, alone or as one of torchrun's processes; run by test_ranks.py.

    [torchrun --nproc-per-node 2] ranks_script.py FOLDER [STEPS]

With STEPS, every process ends itself after so many, as a kill would end it.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch

from emojudge.recipe import LearningRates, TrainingSettings
from emojudge.training.trainer import Trainer


class Toy(torch.nn.Module):
    """Some of it is for long items alone, which not every pass has, and some is never used."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.head = torch.nn.Linear(1, 16), torch.nn.Linear(16, 11)
        self.sometimes, self.never = torch.nn.Linear(16, 16), torch.nn.Linear(2, 2)
        self.auxiliary = torch.nn.Linear(16, 18)

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.first(inputs.sum(dim=1, keepdim=True) / lengths[:, None]))
        long = lengths > 4
        if long.any():
            hidden = hidden + 0.3 * long[:, None] * torch.tanh(self.sometimes(hidden))
        outputs = self.head(hidden)
        return torch.cat([outputs, self.auxiliary(hidden)], dim=1) if self.training else outputs

    def penalty(self) -> torch.Tensor:
        return self.first.weight.square().sum()

    def parameter_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        head = [*self.head.parameters(), *self.auxiliary.parameters()]
        encoder = [p for part in (self.first, self.sometimes, self.never) for p in part.parameters()]
        return {"encoder": encoder, "head": head}


class Points:
    """Items whose single value tells their emotion and attributes; a fifth without attributes, a few without
    either, with or without a gender."""

    def __init__(self, items: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        labels = np.arange(items) % 4
        self.values = (labels + generator.normal(0, 0.4, items)).astype(np.float32)
        self.sizes = generator.integers(1, 6, items)
        self.emotions = 0.8 * np.eye(8, dtype=np.float32)[labels] + np.float32(0.025)
        self.emotions[3::7] = 0
        self.attributes = np.stack([self.values, -self.values, generator.normal(size=items)], axis=1) / 8
        self.attributes = self.attributes.astype(np.float32)
        self.attributes[::5] = np.nan
        self.choices = np.ones((items, 8), dtype=bool)
        self.auxiliary = generator.uniform(size=(items, 18)).astype(np.float32)
        self.auxiliary[::3, 0] = np.nan

    def inputs(self, indices: np.ndarray, seed: int | None) -> list[np.ndarray]:
        return [np.full(self.sizes[i], self.values[i]) for i in indices]


def main(folder: Path, steps: int | None) -> None:
    settings = TrainingSettings.model_validate(
        {
            "epochs": 3, "batch_size": 8, "accumulation": 2, "max_gradient_norm": 0.5, "weight_average": 0.8,
            "learning_rates": LearningRates(encoder=0.01, head=0.02), "annotation_dropout": 0.3,
            "auxiliary": {"gender": 0.3, "secondary": 0.5}, "select": "mean", "checkpoint_every": 1,
        }
    )  # fmt: skip
    tasks, data = ("emotion", "attributes"), Points(37, 0)  # the last batch of an epoch has five items
    trainer = Trainer(Toy(), settings, tasks, data, np.ones(37), Points(23, 1), folder, 0.01)
    real, done = trainer.step, [0]

    def step(*arguments: object) -> float:
        if done[0] == steps:
            os._exit(3)
        done[0] += 1
        return real(*arguments)

    trainer.step = step
    trainer.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
