"""The bundle's models, whatever engine runs them: lists of items in, arrays out, padding kept inside."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from emojudge.bundle.batches import in_order, within_budget
from emojudge.bundle.engines import DEFAULT, Model, load_model, loaded
from emojudge.bundle.format import Bundle
from emojudge.errors import BundleError

# Padded samples in one pass: little enough for a processor's cache. 16 windows of 6 s at once took 1.7 times
# as long as one after the other.
SAMPLES_PER_BATCH = 6 * 16_000
TOKENS_PER_BATCH = 4096


class AcousticSession:
    """Waveforms to pooled features, and pooled features to logits."""

    def __init__(self, bundle: Bundle, threads: int = 0, engine: str = DEFAULT) -> None:
        self._encoder = load_model(bundle, "acoustic", engine, threads)
        alone = self._encoder.onnx and scales_by_batch(bundle, "acoustic")
        self._budget = 1 if alone else SAMPLES_PER_BATCH
        self._head = load_model(bundle, "acoustic_head", engine, threads)
        self._check_features(bundle)

    def _check_features(self, bundle: Bundle) -> None:
        """The manifest's statistics are of as many features as the head reads."""
        features = self._head.width
        part = bundle.manifest.audio
        if part is not None and part.embedding_mean and len(part.embedding_mean) != features:
            raise BundleError(
                bundle.folder,
                found=f"embedding_mean with {len(part.embedding_mean)} features",
                expected=f"{features}, as acoustic_head.onnx reads",
            )

    def embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Waveforms `(samples,)` each, mono 16 kHz, to `(items, features)`, in the order given."""
        return _in_batches(self._encoder, "waveforms", waveforms, self._budget)

    def classify(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """`(items, features)` to logits `(items, emotions)`."""
        return self._head.run({"embeddings": embeddings.astype(np.float32)})


class LinguisticSession:
    """Texts to logits, followed by attributes where the model has them."""

    def __init__(self, bundle: Bundle, max_tokens: int, threads: int = 0, engine: str = DEFAULT) -> None:
        self._model = load_model(bundle, "linguistic", engine, threads)
        alone = self._model.onnx and scales_by_batch(bundle, "linguistic")
        self._budget = 1 if alone else TOKENS_PER_BATCH
        self._tokenizer = loaded(bundle.file("tokenizer.json"), Tokenizer.from_file)
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts to `(items, outputs)`, in the order given."""
        ids = [np.array(e.ids, dtype=np.int64) for e in self._tokenizer.encode_batch(list(texts))]
        return _in_batches(self._model, "tokens", ids, self._budget)


def scales_by_batch(bundle: Bundle, part: str) -> bool:
    """Whether an ONNX model's 8-bit activations have one scale over all of a batch, so that its items touch.

    Then each item has to run by itself, or its logits would depend on what it is batched with: by up to half
    of a logit for the embedded model of the words. On a processor that is no slower. An ONNX file begins
    with the name of what made it, here ONNX Runtime's quantiser.
    """
    with bundle.file(f"{part}.onnx").open("rb") as file:
        return b"onnx.quantize" in file.read(64)


def _in_batches(model: Model, name: str, items: Sequence[NDArray[Any]], budget: int) -> NDArray[np.float32]:
    """Run items in batches of similar length with at most `budget` padded positions, in their order."""
    sizes = np.array([len(item) for item in items])

    def run(batch: NDArray[np.int64]) -> NDArray[np.float32]:
        padded = np.zeros((len(batch), int(sizes[batch].max())), dtype=items[0].dtype)
        for row, index in enumerate(batch):
            padded[row, : sizes[index]] = items[index]
        return model.run({name: padded, "lengths": sizes[batch].astype(np.int64)})

    return in_order(within_budget(sizes, budget), run)
