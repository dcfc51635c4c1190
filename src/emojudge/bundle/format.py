"""The bundle folder: its manifest, its hashes, and reading it safely."""

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from emojudge.emotions import ATTRIBUTES, EMOTIONS, Attribute
from emojudge.errors import BundleError
from emojudge.files import write_whole
from emojudge.records import Record

FORMAT = 1
MANIFEST = "bundle.json"
HUB = "hf://"  # before the names of those that are fetched: a folder never makes anybody ask a network
PROSODY = "prosody.json"  # what is a low or a high voice, see judge.bins; not every bundle has it
WEIGHTS = ".safetensors"  # ends the names of the models' weights for torch; few bundles have them


Temperature = Annotated[float, Field(gt=0)]
Row = Annotated[tuple[float, ...], Field(min_length=2 * len(EMOTIONS), max_length=2 * len(EMOTIONS))]


class Part(Record, allow_inf_nan=False):
    """A part of the manifest: every number is finite."""


class AcousticPart(Part):
    """`acoustic.onnx` (waveforms to pooled features) and `acoustic_head.onnx` (to logits)."""

    temperature: Temperature  # divides the logits when there is no text
    trim_db: float | None = Field(
        default=None, gt=0
    )  # windows lose their quiet ends, see `audio.windows.trim`
    # Longer recordings are cut in windows of this; the last may be under 1 s longer, see `audio.windows`.
    window_seconds: float = Field(ge=1, le=29)
    # Mean and deviation of the training split's pooled features, what `adapt` maps a collection onto; empty
    # where they are not known.
    embedding_mean: tuple[float, ...] = ()
    embedding_deviation: tuple[Annotated[float, Field(ge=0)], ...] = ()
    attributes: bool = False  # whether three attribute outputs follow the emotion logits

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        mean, deviation = len(self.embedding_mean), len(self.embedding_deviation)
        if mean != deviation:
            raise ValueError(f"embedding_mean has {mean} features, embedding_deviation {deviation}")
        return self


class LinguisticPart(Part):
    """`linguistic.onnx` (token ids to logits and attributes) and `tokenizer.json`."""

    temperature: Temperature  # divides the logits when there is no audio
    max_tokens: int = Field(ge=4, le=512)
    attributes: bool  # whether three attribute outputs follow the emotion logits
    languages: tuple[str, ...]


class Fusion(Part):
    """L2 logistic regression on both models' logits, and how its weights were found."""

    # (emotions, 2 * emotions): audio logits, then text logits
    coefficients: tuple[Row, ...] = Field(min_length=len(EMOTIONS), max_length=len(EMOTIONS))
    intercept: tuple[float, ...] = Field(min_length=len(EMOTIONS), max_length=len(EMOTIONS))
    temperature: Temperature
    # The text's share of each fused attribute; the rest is the audio's.
    text_share: dict[Attribute, Annotated[float, Field(ge=0, le=1)]] = Field(min_length=len(ATTRIBUTES))
    method: str


class Manifest(Record):
    """`bundle.json`."""

    format: int
    name: str
    emotions: tuple[str, ...]
    audio: AcousticPart | None
    text: LinguisticPart | None
    fusion: Fusion | None
    licence: str
    provenance: dict[str, Any]
    hashes: dict[str, str]  # file name → SHA-256 in hexadecimal

    @property
    def trained_on(self) -> frozenset[str]:
        """The readers' names of the corpora that the models' recipes name."""
        found = set()
        for part in self.provenance.values():
            recipe = part.get("recipe") if isinstance(part, dict) else None
            for source in recipe.get("data") or () if isinstance(recipe, dict) else ():
                if isinstance(source, dict) and isinstance(name := source.get("corpus"), str):
                    found.add(name)
        return frozenset(found)


class Bundle:
    """A bundle folder whose files are as they were when it was made."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @classmethod
    def open(cls, name: Path | str | None = None) -> Self:
        """Read and check a bundle: a folder, or `hf://ORG/NAME` of the Hub; by default the embedded one.

        Raises:
            BundleError: no manifest, another format version, a value out of range, a missing file, a hash
                that differs, or the Hub does not give it.
        """
        if name is None:
            path = Path(str(files("emojudge.bundle") / "default"))
        elif str(name).startswith(HUB):
            from emojudge.bundle.hub import fetched

            path = fetched(str(name))
        else:
            path = Path(name)
        try:
            content = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise BundleError(
                path,
                found=str(error),
                expected=f"a folder with {MANIFEST}",
                advice="Is it a bundle? One of the Hub is named hf://ORG/NAME.",
            ) from error
        _check_format(path, content)
        try:
            manifest = Manifest.model_validate(content)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"])
            raise BundleError(
                path / MANIFEST, found=f"{place}: {fault['msg']}", expected="a manifest"
            ) from error
        for name, expected in manifest.hashes.items():
            _check_hash(path, name, expected)
        return cls(path, manifest)

    def file(self, name: str) -> Path:
        """The path of one of the manifest's files; only files with a checked hash are given out."""
        if name not in self.manifest.hashes:
            raise BundleError(self.folder, found=f"no hash for {name}", expected="one in the manifest")
        return self.folder / name

    def weights(self, model: str) -> Path:
        """The path of the weights for torch of `acoustic` or `linguistic`, where the bundle keeps them.

        Raises:
            BundleError: it does not.
        """
        name = model + WEIGHTS
        if name not in self.manifest.hashes:
            raise BundleError(
                self.folder,
                found=f"no {name}",
                expected="weights, which the engine torch runs",
                advice="Make the bundle with them: emojudge bundle make --torch, or bundle import --torch.",
            )
        return self.file(name)

    @property
    def has_weights(self) -> bool:
        """Whether it keeps those of each of its models."""
        parts = {"acoustic": self.manifest.audio, "linguistic": self.manifest.text}
        return all(name + WEIGHTS in self.manifest.hashes for name, part in parts.items() if part)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `bundle.json` with the hashes of the folder's other files."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name not in (MANIFEST, "README.md"))
    complete = manifest.model_copy(update={"hashes": {name: file_hash(folder / name) for name in names}})
    write_whole(folder / MANIFEST, complete.model_dump_json(indent=1) + "\n")


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_format(path: Path, content: Any) -> None:
    version = content.get("format") if isinstance(content, dict) else None
    if version != FORMAT:
        raise BundleError(
            path / MANIFEST,
            found=f"format version {version!r}",
            expected=f"version {FORMAT}",
            advice="Install the emojudge version that the bundle was made for.",
        )
    if content.get("emotions") != list(EMOTIONS):
        raise BundleError(path / MANIFEST, found="another label set", expected=", ".join(EMOTIONS))


def _check_hash(folder: Path, name: str, expected: str) -> None:
    path = folder / name
    if Path(name).name != name or not path.is_file():
        raise BundleError(path, found="no such file", expected="the file that the manifest lists")
    actual = file_hash(path)
    if actual != expected:
        raise BundleError(
            path,
            found=f"SHA-256 {actual[:12]}…",
            expected=f"{expected[:12]}… as in the manifest",
            advice="The file was changed or damaged: copy the bundle again.",
        )
