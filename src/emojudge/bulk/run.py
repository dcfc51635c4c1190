"""A bulk run on Ray Data: parts of a plan over a pool of workers, on this machine or on a cluster."""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from emojudge.bulk.plan import Done, Plan
from emojudge.bulk.worker import Worker
from emojudge.errors import EmojudgeError, MissingExtraError


@dataclass(frozen=True)
class Pool:
    """The workers: at least one, and more as there is work and room."""

    workers: int = 0  # at most; 0: as many as there are cores, or GPUs where they are used
    threads: int = 1  # of each, which are its cores: two workers of one thread beat one of two
    gpu: bool = False  # a GPU for each worker
    address: str | None = None  # of a Ray cluster, such as `auto` or `ray://head:10001`; None: this machine


def run(
    plan: Plan, to: str, pool: Pool | None = None, progress: Callable[[Done], None] = lambda done: None
) -> dict[str, Any]:
    """Predict the parts that are not done, and count everything.

    Each part is one task: a worker that dies loses the part it was at, which is then done by another. A run
    that is killed goes on when it is called again with the same plan.

    Args:
        plan: in a folder that every worker reads and writes.
        to: the address of that folder.
        pool: how many workers, and where.
        progress: is told of each part that is done.

    Returns:
        The totals of the manifest: inputs, predicted, failed, audio_seconds, wall_seconds.

    Raises:
        EmojudgeError: a cluster that cannot be reached, or a worker that cannot begin.
        MissingExtraError: Ray is not installed.
    """
    parts = plan.open_parts()
    if parts:
        for done in _through_ray(to, parts, pool or Pool()):
            progress(done)
    return plan.finish()


def _through_ray(to: str, parts: list[int], pool: Pool) -> Iterator[Done]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is told to anybody
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what people can mend is said by us
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("bulk runs", "bulk") from error
    _connect(ray, pool)
    try:
        workers = max(1, min(pool.workers or _room(ray, pool), len(parts)))
        tasks = [{"to": to, "threads": pool.threads, "part": part} for part in parts]
        done = ray.data.from_items(tasks, override_num_blocks=len(parts)).map_batches(
            _Actor,
            batch_size=1,
            # On a cluster the pool grows while there is room; here it is known how much there is. Two tasks
            # for each: Ray adds workers only where some have work waiting.
            compute=ray.data.ActorPoolStrategy(
                min_size=1 if pool.address else workers, max_size=workers, max_tasks_in_flight_per_actor=2
            ),
            num_cpus=pool.threads,
            num_gpus=1 if pool.gpu else 0,
        )
        for row in done.iter_rows():
            yield Done.model_validate_json(row["done"])
    except ray.exceptions.RayError as error:
        raise EmojudgeError(
            "bulk", found=str(error).strip().splitlines()[-1], expected="workers that run"
        ) from error
    finally:
        ray.shutdown()


def _connect(ray: Any, pool: Pool) -> None:
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    try:
        if pool.address is not None:
            ray.init(address=pool.address, **quiet)
        else:
            cores = pool.workers * pool.threads or None
            ray.init(num_cpus=cores, include_dashboard=False, **quiet)
    except (ConnectionError, ValueError) as error:
        raise EmojudgeError(
            pool.address or "Ray", found=str(error), expected="a Ray cluster that can be reached"
        ) from error
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def _room(ray: Any, pool: Pool) -> int:
    have = ray.cluster_resources()
    return int(have.get("GPU", 0) if pool.gpu else have.get("CPU", 1) // pool.threads)


class _Actor:
    """A worker as Ray Data calls it: with batches of one task. It loads the models at its first."""

    def __init__(self) -> None:
        self._worker: Worker | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        done = []
        for to, threads, part in zip(batch["to"], batch["threads"], batch["part"], strict=True):
            self._worker = self._worker or Worker(str(to), int(threads))
            done.append(self._worker(int(part)).model_dump_json())
        return {"done": done}
