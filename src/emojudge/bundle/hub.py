"""Bundles on the Hub of Hugging Face, by name; its library keeps what was fetched."""

import json
import re
from pathlib import Path

from emojudge.bundle.format import HUB, MANIFEST
from emojudge.errors import BundleError

_NAME = re.compile(HUB + r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


def fetched(name: str) -> Path:
    """The folder on this machine with `hf://ORG/NAME` or `hf://ORG/NAME@REVISION`: what its manifest names.

    A revision is a branch, a tag or a commit; without one it is the newest that the Hub has or, where that is
    not to be reached or HF_HUB_OFFLINE is set, the newest that was fetched before. The token for private ones
    is that of `hf auth login` or HF_TOKEN.

    Raises:
        BundleError: no such name, or not to be had.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise BundleError(name, found="no name of the Hub", expected="hf://ORG/NAME, or with @REVISION")
    repository, revision = found.groups()
    from huggingface_hub import hf_hub_download

    try:
        manifest = Path(hf_hub_download(repository, MANIFEST, revision=revision))
        commit = manifest.parent.name  # the others of the same, whatever is pushed meanwhile
        for file in _names(manifest):
            hf_hub_download(repository, file, revision=commit)
    except Exception as error:  # of a network, or of any of the libraries through which it is asked
        reason, *_ = str(error).strip().splitlines() or [type(error).__name__]
        raise BundleError(
            name,
            found=reason,
            expected="a bundle that the Hub gives, or has given before",
            advice="Check the name, the network, and for a private one HF_TOKEN.",
        ) from error
    return manifest.parent


def _names(manifest: Path) -> list[str]:
    """The files that a manifest names; none of what is no manifest, as whoever opens the folder says."""
    try:
        names = json.loads(manifest.read_text(encoding="utf-8"))["hashes"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return [name for name in names if isinstance(name, str)]
