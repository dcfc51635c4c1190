"""A bundle with 8-bit weights: smaller, and quicker where the processor has instructions for it."""

import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from emojudge.bundle.format import MANIFEST, WEIGHTS, Bundle, write_manifest
from emojudge.errors import BundleError, MissingExtraError
from emojudge.files import whole_folder

MODELS = ("acoustic.onnx", "linguistic.onnx")
LEAST = 256  # inputs and outputs of a product that is worth it: not a spectrogram's, nor a head's


@dataclass(frozen=True)
class Agreement:
    """Two bundles' predictions of the same utterances."""

    utterances: int
    same: int  # that have the same emotion
    largest: float  # difference of a score

    @property
    def share(self) -> float:
        return self.same / self.utterances if self.utterances else float("nan")


def quantise(bundle: Bundle, folder: Path) -> Bundle:
    """Write a copy of a bundle whose encoders' weights are 8-bit integers, whole or not at all.

    Activations are quantised as they come (dynamically). Weights are unsigned, so that processors without
    VNNI do not saturate; small products, such as a spectrogram's, stay as they are, and so do convolutions.
    Weights for torch are left out: they are what the copy is to be smaller than.
    Scores change a little: `agreement` says how much on the recordings that matter.

    Raises:
        BundleError: the folder is there, or there is nothing to quantise.
        MissingExtraError: the package onnx is not installed.
    """
    if folder.exists():
        raise BundleError(folder, found="a folder that is there", expected="a new one")
    with whole_folder(folder) as temporary:
        changed = False
        for name in bundle.manifest.hashes:
            if name.endswith(WEIGHTS):
                continue
            shutil.copyfile(bundle.file(name), temporary / name)
            changed |= name in MODELS and _quantised(temporary / name)
        if not changed:
            advice = "It is quantised already."
            raise BundleError(bundle.folder, found="no large float product", expected="some", advice=advice)
        card = bundle.folder / "README.md"
        if card.is_file():
            shutil.copyfile(card, temporary / card.name)
        provenance = {**bundle.manifest.provenance, "quantised_from": bundle.manifest.name}
        name = f"{bundle.manifest.name}-int8"
        write_manifest(temporary, bundle.manifest.model_copy(update={"name": name, "provenance": provenance}))
    return Bundle.open(folder)


def agreement(before: list[dict[Any, float]], after: list[dict[Any, float]]) -> Agreement:
    """How alike two lists of scores by emotion are, of the same utterances in the same order.

    >>> agreement([{"sad": 0.9, "happy": 0.1}], [{"sad": 0.4, "happy": 0.6}])
    Agreement(utterances=1, same=0, largest=0.5)
    """
    if not before:
        return Agreement(0, 0, 0.0)
    one, other = (np.array([list(scores.values()) for scores in each]) for each in (before, after))
    same = int(np.sum(one.argmax(axis=1) == other.argmax(axis=1)))
    return Agreement(len(one), same, float(np.abs(one - other).max()))


def size_of(bundle: Bundle) -> int:
    """Bytes of a bundle's files."""
    return sum(bundle.file(name).stat().st_size for name in bundle.manifest.hashes) + (
        (bundle.folder / MANIFEST).stat().st_size
    )


def _quantised(path: Path) -> bool:
    """Quantise a model in its place; whether there was anything to quantise."""
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise MissingExtraError("quantising a bundle", "train") from error
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / path.name
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Weights that are stored as float16 become plain ones again.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(plain)
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        graph = onnx.load(str(plain)).graph
        shapes = {weight.name: list(weight.dims) for weight in graph.initializer}
        products = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
        large = {
            node.name
            for node in products
            if len(shape := shapes.get(node.input[1], [])) == 2 and min(shape) >= LEAST
        }
        if not large:
            return False
        logging.disable(logging.WARNING)  # it advises what was done above
        try:
            quantize_dynamic(
                plain,
                path,
                op_types_to_quantize=["MatMul", "Gemm"],
                nodes_to_exclude=[node.name for node in products if node.name not in large],
                weight_type=QuantType.QUInt8,
                per_channel=True,  # a scale for each output: a sixth less error, as quick
            )
        finally:
            logging.disable(logging.NOTSET)
    return True
