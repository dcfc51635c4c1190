"""Trained models to ONNX files, small enough to ship, and to files of their weights for torch."""

import copy
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from emojudge.audio.decode import SAMPLE_RATE
from emojudge.bundle.format import WEIGHTS
from emojudge.bundle.weights import write_weights
from emojudge.models.acoustic import AcousticModel
from emojudge.models.linguistic import LinguisticModel
from emojudge.models.lora import merge_lora
from emojudge.models.whisper import WhisperBackbone

OPSET = 20  # from here on GELU is one operation


class _Embedding(nn.Module):
    def __init__(self, model: AcousticModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        return self.model.embed(waveforms, lengths)


def export_acoustic(
    model: AcousticModel,
    folder: Path,
    *,
    half: bool = False,
    longest_seconds: float = 30.0,
    torch_weights: bool = False,
) -> None:
    """Write `acoustic.onnx` (waveforms and lengths to pooled features) and `acoustic_head.onnx`.

    Args:
        longest_seconds: of what the exported model is to hear; what only longer audio needs is left out.
        half: store weights as float16, computed in float32: half the size, no other speed.
        torch_weights: write `acoustic.safetensors` too, always in float32, see `weights`.

    Raises:
        BundleError: there are no such weights of this kind of model.
    """
    model = copy.deepcopy(model).eval().cpu()
    merge_lora(model)
    if isinstance(model.backbone, WhisperBackbone):
        model.backbone.shorten(longest_seconds)
    if torch_weights:
        write_weights(model, folder / f"acoustic{WEIGHTS}")
    seconds = torch.randn(2, 32_000) * 0.1
    seconds[1, 24_000:] = 0
    batch = torch.export.Dim("batch", min=1, max=4096)
    samples = torch.export.Dim("samples", min=1600, max=int(longest_seconds * SAMPLE_RATE))
    _export(
        _Embedding(model).eval(),
        {"waveforms": seconds, "lengths": torch.tensor([32_000, 24_000])},
        {"waveforms": {0: batch, 1: samples}, "lengths": {0: batch}},
        "embeddings",
        folder / "acoustic.onnx",
        half,
    )
    pooled = torch.randn(2, model.head.features)
    _export(
        model.head, {"pooled": pooled}, {"pooled": {0: batch}}, "logits", folder / "acoustic_head.onnx", half
    )


def export_linguistic(
    model: LinguisticModel, folder: Path, *, quantise: bool = False, torch_weights: bool = False
) -> None:
    """Write `linguistic.onnx` (tokens and lengths to outputs).

    Args:
        quantise: 8-bit weights, unsigned so that processors without VNNI do not saturate.
        torch_weights: write `linguistic.safetensors` too, always in float32, see `weights`.

    Raises:
        BundleError: there are no such weights of this kind of model.
    """
    model = copy.deepcopy(model).eval().cpu()
    merge_lora(model)
    if torch_weights:
        write_weights(model, folder / f"linguistic{WEIGHTS}")
    tokens = torch.randint(5, 1000, (2, 12))
    batch = torch.export.Dim("batch", min=1, max=4096)
    length = torch.export.Dim("tokens", min=2, max=512)
    path = folder / "linguistic.onnx"
    _export(
        model,
        {"tokens": tokens, "lengths": torch.tensor([12, 9])},
        {"tokens": {0: batch, 1: length}, "lengths": {0: batch}},
        "outputs",
        path,
        half=False,
    )
    if quantise:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            path, path, weight_type=QuantType.QUInt8, op_types_to_quantize=["MatMul", "Gather", "Gemm"]
        )


def _export(model: nn.Module, inputs: dict[str, Tensor], shapes: dict[str, dict[int, object]], output: str,
            path: Path, half: bool) -> None:  # fmt: skip
    import onnx

    names = ["embeddings" if name == "pooled" else name for name in inputs]
    with tempfile.TemporaryDirectory() as temporary:
        raw = Path(temporary) / "model.onnx"
        torch.onnx.export(
            model,
            tuple(inputs.values()),
            str(raw),
            input_names=names,
            output_names=[output],
            dynamic_shapes=tuple(shapes.values()),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        graph = onnx.load(str(raw))
    del graph.metadata_props[:]
    graph.doc_string = ""
    for node in graph.graph.node:  # names and stack traces of this machine's sources
        del node.metadata_props[:]
        node.doc_string = ""
    if half:
        _store_as_half(graph)
    onnx.checker.check_model(graph)
    path.write_bytes(graph.SerializeToString())


def _store_as_half(graph) -> None:  # type: ignore[no-untyped-def]
    """Large float32 weights become float16 with a cast, which ONNX Runtime folds away when it loads."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in graph.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < 1024:
            continue
        name = weight.name
        halved = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), name + "_half")
        weight.CopyFrom(halved)
        casts.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
    nodes = casts + list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
