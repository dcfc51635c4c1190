"""The engine `torch`: the float32 weights that a bundle may keep, by torch, on CUDA where it is there.

Threads: torch has one number for a whole process. Every run says its model's first, so that models that were
loaded with different numbers each have their own as long as they run one after the other.
"""

import copy
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from emojudge.bundle.engines import Inputs, Model, check_precision
from emojudge.bundle.format import Bundle
from emojudge.bundle.weights import read_acoustic, read_linguistic
from emojudge.errors import EmojudgeError
from emojudge.models.acoustic import AcousticModel
from emojudge.models.head import ResidualHead
from emojudge.models.linguistic import LinguisticModel

COMPILE = "+compile"
# Of one function: all layers of transformers share one, which is compiled for each kind of layer, number of
# threads, and batches of one and of more. Torch gives up after 8.
RECOMPILE_LIMIT = 64
THREADS = torch.get_num_threads()  # one per core, unless somebody said otherwise

Function = Callable[..., Tensor]  # of a model, and of its inputs by name


def load(bundle: Bundle, part: str, precision: str | None, threads: int) -> Model:
    """One of a bundle's models, as `engines.load_model` says.

    Args:
        precision: float32 or bfloat16, either of them with `+compile` behind it.

    Raises:
        BundleError: the bundle keeps no weights for torch, or such as cannot be read.
        EmojudgeError: a precision that there is none of here, or nothing to compile with.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kinds = ["float32", "bfloat16"] if has_bfloat16(device) else ["float32"]
    check_precision("torch", precision, [*kinds, *(kind + COMPILE for kind in kinds)])
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # as for products of matrices: float32 means float32
    kind, _, compiled = (precision or "float32").partition("+")
    path = bundle.weights("linguistic" if part == "linguistic" else "acoustic")
    if part == "acoustic_head":  # small, and what the logits come from: always float32, never compiled
        head = read_acoustic(path).head
        return Model(_runner(head, _classify, device, threads), head.features, onnx=False)
    model = read_acoustic(path) if part == "acoustic" else read_linguistic(path)
    half = kind == "bfloat16"
    _prepare(model, half)
    if compiled:
        _check_compiler(device)
    function: Function = _embed if part == "acoustic" else _read
    run = _runner(model, function, device, threads, half, bool(compiled))
    _try_out(run, part, precision or "float32")
    return Model(run, None, onnx=False)


def has_bfloat16(device: torch.device) -> bool:
    """Whether it computes in bfloat16; processors that do not take ten times as long as in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    cpu: Any = torch.cpu
    return bool(cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported())


def _prepare(model: AcousticModel | LinguisticModel, half: bool) -> None:
    """Weights as they are used: normalised ones computed once, those of large products in bfloat16."""
    encoder: nn.Module = model.backbone if isinstance(model, AcousticModel) else model.encoder
    module: Any
    for module in list(encoder.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):
                parametrize.remove_parametrizations(module, name)
        if half and isinstance(module, nn.Linear | nn.Conv1d):
            module.to(torch.bfloat16)  # here, once; autocast would in every run


def _embed(model: AcousticModel, waveforms: Tensor, lengths: Tensor) -> Tensor:
    hidden, frames = model.encode(waveforms, lengths)
    with torch.autocast(hidden.device.type, enabled=False):  # statistics want more digits than bfloat16 has
        return model.embed(hidden.float(), frames)


def _classify(head: ResidualHead, embeddings: Tensor) -> Tensor:
    logits: Tensor = head(embeddings)
    return logits


def _read(model: LinguisticModel, tokens: Tensor, lengths: Tensor) -> Tensor:
    first = model.encode(tokens, lengths)
    with torch.autocast(first.device.type, enabled=False):
        outputs: Tensor = model.head(first.float())
        return outputs


def _runner(
    model: nn.Module,
    function: Function,
    device: torch.device,
    threads: int,
    half: bool = False,
    compiled: bool = False,
) -> Callable[[Inputs], NDArray[np.float32]]:
    twins = _Twins(model.to(device), compiled)

    def run(inputs: Inputs) -> NDArray[np.float32]:
        if torch.get_num_threads() != (threads or THREADS):
            torch.set_num_threads(threads or THREADS)
        given = {name: torch.from_numpy(array).to(device) for name, array in inputs.items()}
        autocast = torch.autocast(device.type, torch.bfloat16, enabled=half)
        with torch.inference_mode(), autocast, twins.one() as twin:
            return np.asarray(function(twin, **given).cpu().numpy())

    return run


class _Twins:
    """Copies of a model that share its tensors, one for each run at a time.

    A module may keep something of the batch that it is running, as `MaskedGroupNorm` does.
    """

    def __init__(self, model: nn.Module, compiled: bool) -> None:
        self._model = model  # is copied and never run, so that there is nothing to meet
        self._compiled = compiled
        self._shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
        self._free: list[nn.Module] = []

    @contextmanager
    def one(self) -> Iterator[nn.Module]:
        try:
            twin = self._free.pop()
        except IndexError:
            twin = copy.deepcopy(self._model, dict(self._shared))
            if self._compiled:
                _compile(twin)
        try:
            yield twin
        finally:
            self._free.append(twin)


def _compile(model: Any) -> None:
    """Have torch compile the encoder's layers: one after the other the same code, which is compiled once."""
    encoder = model.backbone.encoder if isinstance(model, AcousticModel) else model.encoder
    inner = getattr(encoder, "encoder", encoder)
    layers = getattr(inner, "layers", None) or getattr(inner, "layer", None) or inner.blocks
    config = torch._dynamo.config
    config.recompile_limit = max(config.recompile_limit, RECOMPILE_LIMIT)
    for layer in layers:
        layer.compile(dynamic=True)


def _try_out(run: Callable[[Inputs], NDArray[np.float32]], part: str, precision: str) -> None:
    """Run a batch of two and one of one, for which torch compiles each its own, before anybody waits for it.

    Raises:
        EmojudgeError: torch cannot, such as an encoder of transformers that does not know bfloat16.
    """
    name, length, kind = ("waveforms", 16_000, np.float32) if part == "acoustic" else ("tokens", 4, np.int64)
    try:
        for lengths in ([length, length * 3 // 4], [length]):
            run({name: np.zeros((len(lengths), length), dtype=kind), "lengths": np.array(lengths)})
    except Exception as error:  # of a compiler, or of anything that these packages are made of
        found = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        raise EmojudgeError(
            f"engine 'torch:{precision}'",
            found=found,
            expected=f"the {part} model to run so",
            advice="Take the engine torch:float32, or onnxruntime.",
        ) from error


def _check_compiler(device: torch.device) -> None:
    """On a processor torch writes C++; on CUDA Triton does, which comes with torch."""
    compiler = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    if device.type == "cpu" and not shutil.which(compiler):
        raise EmojudgeError(
            "engine 'torch'",
            found=f"no C++ compiler {compiler}",
            expected=f"one, for {COMPILE} on a processor",
            advice=f"Install one, name yours in the variable CXX, or take the engine without {COMPILE}.",
        )
