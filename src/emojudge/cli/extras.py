"""The optional packages: what each extra adds, and which of its packages are there."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from emojudge.errors import MissingExtraError

COMING = "not there yet: "  # nothing uses the extra's packages so far
ADDS = {  # by extra; a test holds this against the package's metadata
    "asr": "transcribes recordings that have no transcript, offline",
    "bulk": "predicts many recordings over many workers, on this machine or a Ray cluster, from any storage",
    "dev": "tests and checks emojudge itself",
    "diarise": "finds who speaks when, with a pipeline of pyannote.audio that you have",
    "docs": "builds emojudge's documentation",
    "judge": "asks language models by API to check predictions, and tracks the pitch for them",
    "local": "runs a language model on this computer to check predictions",
    "media": "reads M4A, MP4, WebM, AAC and other recordings by FFmpeg",
    "openvino": "runs the models by OpenVINO, quicker on Intel processors",
    "paper": "tracks the pitch by librosa, as the paper did",
    "parquet": "reads tables in Parquet",
    "redact": "masks names in what is sent to a language model; spaCy, where it is installed, finds more",
    "report": "draws the figures of an evaluation's page",
    "serve": "serves predictions, jobs and live streams over HTTP",
    "stress": "tests a bundle with changed recordings: is it right, fair and robust?",
    "train": "trains models and makes bundles",
}

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


@dataclass(frozen=True)
class Extra:
    """An extra of this installation of emojudge."""

    name: str
    adds: str
    missing: tuple[str, ...]  # of its packages

    @property
    def installed(self) -> bool:
        return not self.missing

    @property
    def coming(self) -> bool:
        """Whether what it is for does not exist yet."""
        return self.adds.startswith(COMING)

    @property
    def command(self) -> str:
        """What installs it; nothing where that would add nothing."""
        return "" if self.coming else f"pip install 'emojudge[{self.name}]'"


def extras() -> list[Extra]:
    """All extras that the installed package's metadata names, in alphabetical order.

    Raises:
        PackageNotFoundError: emojudge is not installed, such as a bare source folder on the path.
    """
    packages = packages_by_extra(requires("emojudge") or [])
    names = metadata("emojudge").get_all("Provides-Extra") or []
    return [
        Extra(name, ADDS.get(name, ""), tuple(p for p in packages.get(name, ()) if not _is_there(p)))
        for name in sorted(names)
    ]


@contextmanager
def needing(extra: str, feature: str) -> Iterator[None]:
    """Imports that need an extra's packages.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("emojudge"):
            raise
        raise MissingExtraError(feature, extra) from error


def packages_by_extra(requirements: Iterable[str]) -> dict[str, list[str]]:
    """The packages' names of each extra, from requirements as a package's metadata has them.

    >>> packages_by_extra(["numpy>=1.26", "av<19,>=14; extra == 'media'", 'ray[data]>=2.50; extra == "bulk"'])
    {'media': ['av'], 'bulk': ['ray']}
    """
    packages: dict[str, list[str]] = {}
    for requirement in requirements:
        what, _, marker = requirement.partition(";")
        name, extra = _REQUIREMENT.match(what), _EXTRA.search(marker)
        if name and extra:
            packages.setdefault(extra[1], []).append(name[1])
    return packages


def _is_there(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
