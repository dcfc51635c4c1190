"""Trainings that are killed, each in a process of its own; run by test_resume.py.

    python resume_script.py FOLDER

One process imports torch and forks the others, since the import is what takes long. A child ends itself with
SIGKILL at the n-th of the events below: the moments around which a training changes what is on the disk.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file as real_save_file

from emojudge.training import checkpoint, log, trainer


class Killer:
    """Counts events, and kills this process at the chosen one."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.events: list[str] = []

    def event(self, name: str) -> None:
        self.events.append(name)
        if len(self.events) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        replace, step = os.replace, torch.optim.AdamW.step
        append = log.Log.epoch

        def watched_save(tensors: object, where: Path, **options: object) -> None:
            real_save_file(tensors, where, **options)
            content = where.read_bytes()
            where.write_bytes(content[: len(content) // 2])
            self.event(f"half of {where.name} written")
            where.write_bytes(content)

        def watched_replace(source: Path, target: Path) -> None:
            self.event(f"before {Path(target).name} is replaced")
            replace(source, target)
            self.event(f"after {Path(target).name} is replaced")

        def watched_step(optimiser: object, *arguments: object) -> object:
            self.event("before a step")
            result = step(optimiser, *arguments)
            self.event("after a step")
            return result

        def watched_append(self_: object, row: object) -> None:
            path = self_._table
            before = path.read_bytes() if path.exists() else None
            append(self_, row)
            after = path.read_bytes()
            for cut in (0, 5, len(after) - len(before or b"") - 3):  # a row that is torn off
                path.write_bytes((before or b"") + after[len(before or b"") :][:cut])
                self.event(f"metrics row after {cut} bytes")
            path.write_bytes(after)
            self.event("metrics row written")

        checkpoint.save_file = watched_save
        os.replace = watched_replace
        torch.optim.AdamW.step = watched_step
        log.Log.epoch = watched_append


def child(work: Callable[[], None], kill_at: int | None) -> list[str] | None:
    """Run in a forked process; the events that it counted, or None if it was killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        code = 1
        try:
            killer = Killer(kill_at)
            killer.install()
            work()
            os.write(writing, json.dumps(killer.events).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    assert status == 0, "the training failed"
    events: list[str] = json.loads(told)
    return events


# ------------------------------------------------------------------------------- a toy, killed everywhere


class Toy(torch.nn.Module):
    """Mean and deviation of an item through a layer with dropout: emotion and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(2, 12)
        self.head = torch.nn.Linear(12, 11)
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = torch.arange(inputs.shape[1])[None, :] < lengths[:, None]
        mean = (inputs * mask).sum(dim=1) / lengths
        deviation = ((inputs - mean[:, None]).square() * mask).sum(dim=1) / lengths
        hidden = torch.tanh(self.first(self.scale * torch.stack([mean, deviation], dim=1)))
        return self.head(torch.nn.functional.dropout(hidden, 0.4, self.training))

    def penalty(self) -> torch.Tensor:
        return self.first.weight.square().sum()

    def parameter_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        return {"encoder": list(self.first.parameters()), "head": list(self.head.parameters())}


class Noise:
    """Items with an emotion, every other one with attributes too; augmented by noise from the seed."""

    def __init__(self, items: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.sizes = generator.integers(3, 20, items)
        labels = generator.integers(3, size=items)
        self._arrays = [
            generator.normal(label, 1 + label, size).astype(np.float32)
            for label, size in zip(labels, self.sizes, strict=True)
        ]
        self.emotions = np.eye(8, dtype=np.float32)[labels]
        self.attributes = generator.uniform(-1, 1, (items, 3)).astype(np.float32)
        self.attributes[::2] = np.nan
        self.choices = np.ones((items, 8), dtype=bool)
        self.auxiliary = np.full((items, 18), np.nan, dtype=np.float32)

    def inputs(self, indices: np.ndarray, seed: int | None) -> list[np.ndarray]:
        arrays = [self._arrays[i] for i in indices]
        if seed is None:
            return arrays
        generator = np.random.default_rng(seed)
        return [a + generator.normal(0, 0.3, len(a)).astype(np.float32) for a in arrays]


def train_toy(folder: Path, average: float | None, checkpoint_every: int) -> None:
    from emojudge.recipe import LearningRates, TrainingSettings

    torch.manual_seed(1)
    settings = TrainingSettings(
        epochs=3,
        batch_size=8,
        accumulation=2,
        learning_rates=LearningRates(encoder=0.02, head=0.05),
        warmup=0.2,
        decay="cosine",
        patience=2,
        weight_average=average,
        checkpoint_every=checkpoint_every,
    )
    repeats = np.array([0.5] * 20 + [1.5] * 10)
    trainer.Trainer(
        Toy(), settings, ("emotion", "attributes"), Noise(30, 0), repeats, Noise(15, 1), folder, 1e-3
    ).run()


def same(one: Path, other: Path) -> bool:
    """Metrics but for the seconds, and the best parameters with what is said of them: bit by bit."""

    def figures(folder: Path) -> list[list[bytes]]:
        return [line.split(b",")[:-1] for line in (folder / "metrics.csv").read_bytes().split(b"\r\n")]

    return figures(one) == figures(other) and all(
        (one / name).read_bytes() == (other / name).read_bytes()
        for name in ("best.safetensors", "checkpoint.safetensors")
    )


def kill_the_toy(folder: Path, *training: object, every: int) -> dict[str, object]:
    straight = folder / "straight"
    events = child(lambda: train_toy(straight, *training), None)
    assert events is not None
    wrong = []
    for at in range(1, len(events) + 1, every):
        broken = folder / "broken"
        shutil.rmtree(broken, ignore_errors=True)
        assert child(lambda: train_toy(broken, *training), at) is None  # noqa: B023
        child(lambda: train_toy(broken, *training), None)  # noqa: B023
        if not same(straight, broken):
            wrong.append(f"{at}: {events[at - 1]}")
    child(lambda: train_toy(broken, *training), None)  # one that has ended goes on to its end once more
    return {"events": events, "wrong": wrong, "ended": same(straight, broken)}


# ---------------------------------------------------------------- a recipe over files, killed again and again


def train_recipe(home: Path, folder: Path) -> None:
    from emojudge.recipe import Recipe
    from emojudge.training.run import train

    train(Recipe.read(home / "recipe.yaml"), home, folder, home)


def kill_a_recipe(home: Path) -> dict[str, object]:
    events = child(lambda: train_recipe(home, home / "straight"), None)
    assert events is not None
    broken = home / "broken"
    kills = 0
    # Each takes up what the one before left; the second and the fourth end before they did anything new.
    for at in (2, 1, 9, 3, 14, 11, 17, 6):
        kills += child(lambda: train_recipe(home, broken), at) is None
    child(lambda: train_recipe(home, broken), None)
    return {"events": events, "kills": kills, "same": same(home / "straight", broken)}


def main(folder: Path) -> dict[str, object]:
    torch.set_num_threads(1)
    torch.optim.AdamW(
        [torch.nn.Parameter(torch.ones(1))]
    )  # has torch import the rest of itself, once for all
    if (folder / "recipe.yaml").exists():
        import emojudge.training.run  # noqa: F401  likewise

        return kill_a_recipe(folder)
    return {
        "saved in epochs": kill_the_toy(folder / "weights", None, 3, every=1),
        "saved after epochs": kill_the_toy(folder / "average", 0.8, 1000, every=3),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
