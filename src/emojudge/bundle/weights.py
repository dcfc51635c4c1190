"""A model's weights for torch: a safetensors file whose header says in JSON what they are the weights of."""

from pathlib import Path
from typing import Any, TypeVar

from accelerate import init_empty_weights
from pydantic import ValidationError
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from emojudge.bundle.architecture import AcousticArchitecture, LinguisticArchitecture
from emojudge.errors import BundleError
from emojudge.models.acoustic import AcousticModel
from emojudge.models.head import ResidualHead
from emojudge.models.linguistic import LinguisticModel

KEY = "architecture"  # in the header
TRAINING_ALONE = "auxiliary."
EXPECTED = "weights that this version can build a model of"

Kind = TypeVar("Kind", AcousticArchitecture, LinguisticArchitecture)


def write_weights(model: AcousticModel | LinguisticModel, path: Path) -> None:
    """Write the float32 weights of a model whose adapters are merged, and what it is built of.

    Raises:
        BundleError: a model of parts that `read_acoustic` or `read_linguistic` could not build.
    """
    try:
        architecture: AcousticArchitecture | LinguisticArchitecture
        if isinstance(model, AcousticModel):
            if type(model.head) is not ResidualHead:
                raise BundleError(path, found=f"a {type(model.head).__name__}", expected="a ResidualHead")
            architecture = AcousticArchitecture.of(model)
        else:
            architecture = LinguisticArchitecture.of(model)
    except ValidationError as error:
        raise _refusal(path, error) from error
    tensors = {
        name: tensor.detach().clone().contiguous()  # a normalisation may be there by two names
        for name, tensor in model.state_dict().items()
        if not name.startswith(TRAINING_ALONE)
    }
    save_file(tensors, path, {"format": "pt", KEY: architecture.model_dump_json(exclude_defaults=True)})


def read_acoustic(path: Path) -> AcousticModel:
    """The acoustic model of a file, ready to hear.

    Raises:
        BundleError: no safetensors file, an architecture that is not understood, tensors that do not fit it.
    """
    model: AcousticModel = _read(path, AcousticArchitecture)
    return model


def read_linguistic(path: Path) -> LinguisticModel:
    """The linguistic model of a file, ready to read.

    Raises:
        BundleError: as `read_acoustic`.
    """
    model: LinguisticModel = _read(path, LinguisticArchitecture)
    return model


def _read(path: Path, kind: type[Kind]) -> Any:
    try:
        with safe_open(path, "pt") as file:
            architecture = kind.model_validate_json((file.metadata() or {}).get(KEY, ""))
        tensors = load_file(path)  # mapped into memory, not copied
        # What is replaced takes no time and no memory, so that what the file has bounds what is used.
        with init_empty_weights(include_buffers=False):
            model = architecture.build()
        _check(model.state_dict(), tensors)
        model.load_state_dict(tensors, assign=True)
    except ValidationError as error:
        raise _refusal(path, error) from error
    except Exception as error:  # sizes that do not go together fail in many ways, in all of these packages
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BundleError(path, found=reason, expected=EXPECTED) from error
    return model.eval().requires_grad_(False)


def _check(wanted: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    if odd := sorted(wanted.keys() ^ found.keys()):
        raise ValueError(f"{len(odd)} tensors missing or unknown, such as {odd[0]}")
    for name, tensor in wanted.items():
        if (kinds := [(t.dtype, tuple(t.shape)) for t in (tensor, found[name])])[0] != kinds[1]:
            raise ValueError(f"{name} of {kinds[1]} where the architecture has {kinds[0]}")


def _refusal(path: Path, error: ValidationError) -> BundleError:
    fault = error.errors()[0]
    place = ".".join(map(str, fault["loc"])) or KEY
    return BundleError(path, found=f"{place}: {fault['msg']}", expected=EXPECTED)
