"""The training loop: resumable after a kill to the same result, and honest about what it selects on."""

import contextlib
import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from emojudge.emotions import EMOTIONS
from emojudge.errors import TrainingError
from emojudge.models.pretrained import checkpoint_gradients
from emojudge.progress import Progress, untold
from emojudge.recipe import Task, TrainingSettings, VectorScaling
from emojudge.training.batching import epoch_batches
from emojudge.training.checkpoint import (
    load_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
    under_prefix,
    with_prefix,
)
from emojudge.training.data import Batch, Data, collate
from emojudge.training.imbalance import (
    balance,
    class_weights,
    drop_majority_votes,
    emotion_counts,
    prior_shift,
    vector_scaling,
)
from emojudge.training.log import Log
from emojudge.training.outputs import outputs
from emojudge.training.ranks import Ranks
from emojudge.training.shards import load_whole
from emojudge.training.steps import (
    Objective,
    autocast,
    backward,
    learning_rate_factor,
    output_count,
    random_state,
    set_random_state,
)
from emojudge.training.validation import check_targets, validation_metrics

MIN_SCALE = 1e-3  # of a float16 loss: what overflows even under it is no number at all


@dataclass
class Position:
    """Where a training is: plain numbers, kept in the checkpoint."""

    epoch: int = 0
    batch: int = 0  # batches of this epoch that are done
    step: int = 0
    best: float = -math.inf
    best_epoch: int = -1
    losses: list[float] = field(default_factory=list)  # of this epoch
    skipped: int = 0  # steps that were left out because float16 gradients overflowed


class Trainer:
    """Trains one model of a recipe in a run folder.

    Files there: `checkpoint.safetensors` (everything needed to go on), `best.safetensors` (the parameters
    with the best validation), `metrics.csv`, `tensorboard/`. A run folder that has a checkpoint is resumed.

    Under `torchrun` the processes share every batch and every validation, and the first one writes the files.
    """

    def __init__(self, model: nn.Module, settings: TrainingSettings, tasks: tuple[Task, ...], train: Data,
                 repeats: NDArray[np.float64], validation: Data, folder: Path,
                 attention_penalty: float = 0.0) -> None:  # fmt: skip
        trained: Any = model  # a module with `parameter_groups()` and `penalty()`
        self.model = trained
        self._ranks = Ranks()
        self.device = self._ranks.device
        self._settings = settings
        self._tasks = tasks
        self._train = train
        self._majority = int(emotion_counts(train.emotions, repeats).argmax())
        self._strata: NDArray[np.int64] | None = None
        if settings.balanced:
            repeats, self._strata = balance(train.emotions, repeats)
        self._repeats = repeats
        self._validation = validation
        self._folder = folder
        self._penalty = attention_penalty
        weights = class_weights(train.emotions, repeats, settings.class_weights)
        self._counts = emotion_counts(train.emotions, repeats)
        self._objective = Objective(
            settings, tasks, torch.from_numpy(weights).to(self.device), self._scaling(settings.vector_scaling)
        )
        self._shift = self._prior_shift()
        if settings.gradient_checkpointing:
            checkpoint_gradients(model)
        # Validated, kept and given out in place of the model itself where the recipe asks for an average.
        self._average: AveragedModel | None = None
        if settings.weight_average is not None:
            average = get_ema_multi_avg_fn(settings.weight_average)  # type: ignore[no-untyped-call]
            self._average = AveragedModel(model, multi_avg_fn=average)
            self._ranks.place(self._average.module, settings.parallel)
        self._ranks.place(model, settings.parallel)
        self._stepped_model = self._ranks.wrap(model)  # the one whose gradients all processes share
        rates = settings.learning_rates.model_dump()
        groups = [
            {"params": parameters, "lr": rates[name], "full_lr": rates[name], "name": name}
            for name, parameters in self.model.parameter_groups().items()
            if parameters
        ]
        # Fused: one pass over parameters, gradients and moments in the place of a dozen.
        self._optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)
        # Small gradients would be 0 in float16; where it is not asked for, everything passes unscaled.
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=settings.precision == "float16")
        self._position = Position()
        self._steps = settings.epochs * len(self._batches(0))  # every epoch has as many
        if self._steps == 0:
            raise TrainingError(
                "training", found="no item in an epoch", expected="larger `repeat` or more data"
            )
        check_targets(settings, tasks, train, validation)

    def run(self, progress: Progress = untold) -> dict[str, float]:
        """Train to the end or to the end of patience; returns the best epoch's validation metrics.

        Raises:
            TrainingError: the loss, the gradients or the model's outputs are no longer numbers.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(self._settings.seed + self._ranks.rank)
        self._resume()
        at = self._position
        with Log(self._folder, at.epoch, at.step) if self._ranks.first else contextlib.nullcontext() as log:
            while at.epoch < self._settings.epochs and not self._out_of_patience():
                self._run_epoch(log, progress if log else untold)
        self._ranks.wait()  # for the file that the first one has written
        tensors, state = load_checkpoint(self._folder / "best.safetensors")
        load_whole(self.model, tensors)
        self._shift = None  # it is in the last bias now
        metrics: dict[str, float] = state
        return metrics

    def predict(self, data: Data, batch_size: int | None = None) -> NDArray[np.float32]:
        """Outputs `(items, outputs)` in the items' own order, of the averaged weights where there are."""
        model = self.model if self._average is None else self._average.module
        model.eval()
        size = batch_size or max(1, self._settings.batch_size // self._settings.accumulation)
        with autocast(self._settings.precision, self.device.type):
            given = outputs(model, data, batch_size=size, ranks=self._ranks)
        return given if self._shift is None else given + self._shift

    def _run_epoch(self, log: Log | None, progress: Progress) -> None:
        at = self._position
        batches = self._batches(at.epoch)
        self.model.train()
        started = time.monotonic()
        while at.batch < len(batches):
            seed = (self._settings.seed * 1_000_003 + at.epoch) * 1_000_003 + at.batch
            loss = self.step(batches[at.batch], seed)
            at.batch, at.step = at.batch + 1, at.step + 1
            at.losses.append(loss)
            if log:
                log.scalar("train/loss", loss, at.step)
            if log and self._scaler.is_enabled():
                log.scalar("train/skipped", at.skipped, at.step)
            recent = float(np.mean(at.losses[-50:]))
            progress(at.step, self._steps, f"epoch {at.epoch + 1} loss {recent:.3f} best {at.best:.4f}")
            if at.step % self._settings.checkpoint_every == 0:
                self._save()
        self._end_epoch(log, time.monotonic() - started)

    def step(self, indices: NDArray[np.int64], seed: int) -> float:
        """One optimiser step on these items of the training data; returns the loss."""
        settings, model = self._settings, self._stepped_model
        batch = self._share(indices, seed)
        batch = type(batch)(*(getattr(batch, name).to(self.device) for name in batch.__annotations__))
        self._optimiser.zero_grad(set_to_none=True)
        if self._penalty:  # the same everywhere, and so is its mean
            with self._ranks.apart(model):
                torch.autograd.backward(self._scaler.scale(self._penalty * self.model.penalty()))
        two_pass = "attributes" in self._tasks and settings.whole_batch_ccc
        loss = backward(model, batch, self._objective, settings, two_pass, self._scaler.scale, self._ranks)
        self._scaler.unscale_(self._optimiser)
        if settings.max_gradient_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), settings.max_gradient_norm)
        factor = learning_rate_factor(self._position.step, self._steps, settings)
        for group in self._optimiser.param_groups:
            group["lr"] = factor * group["full_lr"]
        if self._stepped() and self._average is not None:
            self._average.update_parameters(self.model)
        return loss

    def _share(self, indices: NDArray[np.int64], seed: int) -> Batch:
        """This process's part of a batch. An item that another process counts has no targets here."""
        places, counts = self._ranks.share(len(indices))
        batch = collate(self._train, indices[places], seed)
        if share := self._settings.annotation_dropout:
            votes, generator = self._train.emotions[indices], np.random.default_rng(seed)
            kept = drop_majority_votes(votes, self._majority, share, generator)
            batch = replace(batch, emotions=torch.from_numpy(kept[places]))
        if counts.all():
            return batch
        blank = torch.from_numpy(~counts)[:, None]
        return replace(
            batch,
            emotions=batch.emotions.masked_fill(blank, 0.0),
            attributes=batch.attributes.masked_fill(blank, torch.nan),
            auxiliary=batch.auxiliary.masked_fill(blank, torch.nan),
        )

    def _stepped(self) -> bool:
        """Step, unless float16 gradients overflowed: then the scale falls, and nothing else moves."""
        before = self._scaler.get_scale()
        self._scaler.step(self._optimiser)
        self._scaler.update()
        after = self._scaler.get_scale()
        if after >= before:
            return True
        self._position.skipped += 1
        if after < MIN_SCALE:
            raise TrainingError(
                "training",
                found=f"gradients that are no numbers in float16, at whatever scale (last {before:g})",
                expected="finite numbers",
                advice="Train in bfloat16 or float32; the last checkpoint is kept.",
            )
        return False

    def _end_epoch(self, log: Log | None, seconds: float) -> None:
        at = self._position
        outputs = self.predict(self._validation)
        if not np.isfinite(outputs).all():
            raise TrainingError(
                "training",
                found=f"outputs that are no numbers after epoch {at.epoch + 1}",
                expected="finite numbers",
                advice="Lower the learning rates or train in float32.",
            )
        metrics = validation_metrics(outputs, self._validation, self._tasks)
        row = {"epoch": at.epoch + 1, "step": at.step, "loss": float(np.mean(at.losses)), **metrics}
        if self._scaler.is_enabled():
            row["skipped"] = at.skipped
        value = float(at.epoch) if self._settings.select == "last" else metrics[self._settings.select]
        if value > at.best:
            at.best, at.best_epoch = value, at.epoch
            kept = self._kept()
            if log:
                save_checkpoint(self._folder / "best.safetensors", kept, row)
        if log:
            for name, figure in metrics.items():
                log.scalar(f"validation/{name}", figure, at.step)
            log.epoch({**row, "seconds": round(seconds, 1)})
        at.epoch, at.batch, at.losses = at.epoch + 1, 0, []
        self._save()

    def _out_of_patience(self) -> bool:
        patience = self._settings.patience
        return patience is not None and self._position.epoch - 1 - self._position.best_epoch >= patience > 0

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        settings = self._settings
        return epoch_batches(
            self._train.sizes, self._repeats, settings.batch_size, settings.seed, epoch, self._strata
        )

    def _scaling(self, settings: VectorScaling | None) -> tuple[Tensor, Tensor] | None:
        if settings is None:
            return None
        factor, margin = vector_scaling(self._counts, settings.gamma, settings.tau)
        return torch.tensor(factor).float().to(self.device), torch.tensor(margin).float().to(self.device)

    def _prior_shift(self) -> NDArray[np.float32] | None:
        """What the model's outputs `(outputs,)` are moved by where the recipe knows the prior."""
        settings = self._settings
        if settings.known_prior is None:
            return None
        prior = None if settings.known_prior == "uniform" else settings.known_prior
        tau = settings.vector_scaling.tau if settings.vector_scaling else 0.0
        shift = np.zeros(output_count(self._tasks), dtype=np.float32)
        shift[: len(EMOTIONS)] = prior_shift(self._counts, prior, settings.class_weights, tau)
        return shift

    def _save(self) -> None:
        states = self._ranks.collect([random_state(self.device.type)])
        tensors = {
            **with_prefix("model", self.model.state_dict()),
            **with_prefix("optimiser", optimiser_tensors(self._optimiser)),
        }
        for rank, state in enumerate(states):
            tensors |= with_prefix(f"rank{rank}", state) if rank else state
        if self._average is not None:
            tensors |= with_prefix("average", self._average.state_dict())
        tensors = self._ranks.gather(tensors)
        if not self._ranks.first:
            return
        position = {**vars(self._position), "scaler": self._scaler.state_dict()}
        save_checkpoint(self._folder / "checkpoint.safetensors", tensors, position)

    def _resume(self) -> None:
        path = self._folder / "checkpoint.safetensors"
        if not path.exists():
            return
        tensors, state = load_checkpoint(path)
        load_whole(self.model, under_prefix("model", tensors))
        if self._average is not None:
            load_whole(self._average, under_prefix("average", tensors))
        restore_optimiser(self._optimiser, under_prefix("optimiser", tensors))
        rank = self._ranks.rank
        random = under_prefix(f"rank{rank}", tensors) if rank else tensors
        if "random" in random:  # there may be more processes than there were before
            set_random_state(random)
        self._scaler.load_state_dict(state.pop("scaler", {}))
        self._position = Position(**state)

    def _kept(self) -> dict[str, Tensor]:
        """The parameters that the validation saw; a known prior is in the last bias from here on."""
        model = self.model if self._average is None else self._average.module
        tensors = self._ranks.gather(model.state_dict())
        if tensors and self._shift is not None:
            last: Any = model.output_layer
            bias = next(name for name, p in model.named_parameters() if p is last.bias)
            tensors[bias] = tensors[bias] + torch.from_numpy(self._shift).to(tensors[bias].device)
        return tensors
