"""The processes of one training: this one alone, or those that `torchrun` started, each with its share."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import TypeVar, cast

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
from accelerate.utils import gather_object
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh

from emojudge.recipe import Parallel
from emojudge.training.shards import is_sharded, shard, whole

T = TypeVar("T")
# How long processes wait for each other: the first one decodes a corpus before the others may begin.
PATIENCE = timedelta(hours=12)


class Ranks:
    """Data parallelism through Accelerate: a process per graphics card, or two of gloo on a processor.

    Every process takes its share of each batch, and has the whole model or a slice of every parameter.
    Gradients are averaged by torch's DistributedDataParallel or its `fully_shard`; what a loss is divided by
    is summed over the processes, so that a step is that of the whole batch, however many share it. One
    process is the case of one share, and waits for nobody.
    """

    def __init__(self) -> None:
        # Layers that are dropped at random have no gradient in one process and one in another.
        parallel = DistributedDataParallelKwargs(find_unused_parameters=True)
        self._accelerator = Accelerator(
            mixed_precision="no",  # `steps.autocast` and the trainer's scaler are for that
            cpu=not torch.cuda.is_available(),
            kwargs_handlers=[parallel, InitProcessGroupKwargs(timeout=PATIENCE)],
        )
        self.rank: int = self._accelerator.process_index
        self.size: int = self._accelerator.num_processes
        self.device: torch.device = self._accelerator.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and tells of progress."""
        return self.rank == 0

    def share(self, items: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Which of a batch's items are this process's, by their places in it, and which of those count.

        All processes have as many: where the batch does not divide, some get an item that another has too,
        and that does not count.
        """
        places = np.arange(self.rank, -(-items // self.size) * self.size, self.size)
        return places % items, places < items

    def place(self, model: nn.Module, parallel: Parallel) -> None:
        """Put a model on this process's device: the whole of it, or for "fsdp" a slice of every parameter."""
        if self.size > 1 and parallel == "fsdp":
            shard(model, init_device_mesh(self.device.type, (self.size,)))
        else:
            model.to(self.device)

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model, with the same parameters, whose backward pass averages gradients over the processes."""
        if self.size == 1 or is_sharded(model):
            return model
        return cast(nn.Module, self._accelerator.prepare_model(model))

    def apart(self, model: nn.Module) -> AbstractContextManager[object]:
        """In it, gradients stay in this process and add up, until a pass outside of it averages their sum.

        Not those of a sharded model, which would be whole until then: there, every pass averages its own.
        """
        replicated = self.size > 1 and not is_sharded(model)
        return self._accelerator.no_sync(model) if replicated else nullcontext()

    def gather(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors whose slices all processes hold, whole, for the first process; the others get none."""
        each = ((name, whole(tensor)) for name, tensor in tensors.items())
        return {name: tensor for name, tensor in each if self.first}

    def sum(self, values: Tensor) -> Tensor:
        """Tensors of one shape, added over the processes."""
        return cast(Tensor, self._accelerator.reduce(values, "sum"))

    def together(self, values: Tensor) -> Tensor:
        """Tensors of one shape, one after the other along their first dimension, by process."""
        return cast(Tensor, self._accelerator.gather(values))

    def collect(self, items: list[T]) -> list[T]:
        """The lists of all processes, one after the other."""
        return cast(list[T], gather_object(items))

    def wait(self) -> None:
        """Until all processes are here."""
        self._accelerator.wait_for_everyone()

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """What is in it is done by the first process, then by the others, who find what it has written."""
        with self._accelerator.main_process_first():
            yield
