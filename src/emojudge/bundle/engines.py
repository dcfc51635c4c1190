"""What runs a bundle's models: ONNX Runtime, or what goes by a name in its place.

An engine is called with a bundle, the name of a part (`acoustic`, `acoustic_head`, `linguistic`), what
follows the colon in `NAME:PRECISION` (None where nothing does) and a number of threads, and gives a `Model`.
Other packages add theirs by an entry point of the group `emojudge.engines`.
"""

import functools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from emojudge.bundle.format import Bundle
from emojudge.errors import BundleError, EmojudgeError, MissingExtraError
from emojudge.plugins import find

DEFAULT = "onnxruntime"
Inputs = Mapping[str, NDArray[Any]]  # by the names in the graph


@dataclass(frozen=True)
class Model:
    """One of a bundle's models, ready to run, by several threads at a time."""

    run: Callable[[Inputs], NDArray[np.float32]]  # to its one output
    width: int | None  # of its first input's last axis; None where it is free


Engine = Callable[[Bundle, str, str | None, int], Model]


def load_model(bundle: Bundle, part: str, engine: str = DEFAULT, threads: int = 0) -> Model:
    """A bundle's model, loaded by the engine of that name.

    Args:
        part: `acoustic`, `acoustic_head` or `linguistic`.
        engine: `NAME` or `NAME:PRECISION`; float32 unless said.
        threads: of one run; 0 for one per core.

    Raises:
        BundleError: the bundle's file cannot be read.
        EmojudgeError: no engine of this name, or not with this precision here.
        MissingExtraError: the engine is not installed.
    """
    name, _, precision = engine.partition(":")
    return find("emojudge.engines", ENGINES, name, EmojudgeError)(bundle, part, precision or None, threads)


def loaded(path: Any, load: Callable[[str], Any]) -> Any:
    """What `load` makes of a file; a BundleError for one that it cannot read."""
    try:
        return load(str(path))
    except Exception as error:  # neither the engines nor tokenizers have anything narrower
        found = f"{type(error).__name__}: {' '.join(str(error).split())}"  # OpenVINO's are of many lines
        raise BundleError(path, found=found, expected="a file that this version can load") from error


def _onnxruntime(bundle: Bundle, part: str, precision: str | None, threads: int) -> Model:
    _check_precision("onnxruntime", precision, ["float32"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # The arena keeps the largest batch's memory for ever; without it a process stays small.
    options.enable_cpu_mem_arena = False
    there = onnxruntime.get_available_providers()  # CUDA is there with the package onnxruntime-gpu
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in there]
    session = loaded(
        bundle.file(f"{part}.onnx"),
        lambda path: onnxruntime.InferenceSession(path, options, providers=providers),
    )

    def run(inputs: Inputs) -> NDArray[np.float32]:
        (output,) = session.run(None, inputs)
        return np.asarray(output)

    width = session.get_inputs()[0].shape[-1]  # a free axis has a name
    return Model(run, width if isinstance(width, int) else None)


def _openvino(bundle: Bundle, part: str, precision: str | None, threads: int) -> Model:
    """OpenVINO on the processor, always told the precision: by itself it takes bfloat16 where it can."""
    core = _lasting(_openvino_alone().Core)
    can = {"FP32": "float32", "BF16": "bfloat16"}
    found = [can[name] for name in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") if name in can]
    _check_precision("openvino", precision, found)
    cores = os.cpu_count() or 1
    streams = max(1, cores // threads) if threads else 1
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        # As with ONNX Runtime, threads are those of one run, and runs at a time as many as have cores.
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": streams * (threads or cores),
        "ENABLE_CPU_PINNING": False,  # processes side by side would share the cores that each began with
    }
    path = bundle.file(f"{part}.onnx")
    compiled = loaded(path, lambda name: core.compile_model(core.read_model(name), "CPU", settings))

    def run(inputs: Inputs) -> NDArray[np.float32]:
        request = compiled.create_infer_request()  # one each: two threads cannot share one
        request.infer(dict(inputs), share_inputs=True)
        return np.array(request.get_output_tensor().data)

    width = compiled.input(0).partial_shape[-1]
    return Model(run, width.get_length() if width.is_static else None)


@functools.cache
def _lasting(core: type) -> Any:
    """The process's one core of OpenVINO, never let go of.

    A core gives its thread another stack for signals. When it goes, it unmaps that and puts the one before in
    its place, mapped or not: after two of them the next signal, such as Ctrl-C, would be a crash.
    """
    return core()


def _openvino_alone() -> Any:
    """The package, without the one by which it tells its makers of every import and leaves an identifier."""
    telemetry = "openvino_telemetry"
    was = {telemetry: sys.modules[telemetry]} if telemetry in sys.modules else {}
    sys.modules[telemetry] = None  # type: ignore[assignment]  # as if it were not installed
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError("the engine openvino", "openvino") from error
    finally:
        del sys.modules[telemetry]
        sys.modules.update(was)
    return openvino


ENGINES: dict[str, Engine] = {"onnxruntime": _onnxruntime, "openvino": _openvino}


def _check_precision(engine: str, precision: str | None, found: list[str]) -> None:
    if precision is not None and precision not in found:
        raise EmojudgeError(
            f"engine {engine!r}",
            found=f"precision {precision!r}",
            expected=f"one of {', '.join(found)} on this processor",
        )
