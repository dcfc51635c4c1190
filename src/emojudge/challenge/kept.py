"""What a reproduction keeps in its folder: arrays by split, and whose folder it is."""

import json
from pathlib import Path

import numpy as np

from emojudge.challenge.scoring import Values
from emojudge.errors import ChallengeError
from emojudge.files import whole, write_whole


def save_arrays(path: Path, arrays: dict[str, Values]) -> None:
    """Write them whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def load_arrays(path: Path) -> dict[str, Values]:
    """As `save_arrays` has written them."""
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def claim(folder: Path, facts: dict[str, str]) -> None:
    """Write down whose folder it is, or refuse one that is another's.

    Raises:
        ChallengeError: it has begun for another corpus or scale.
    """
    path = folder / "reproduce.json"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_whole(path, json.dumps(facts, indent=1))
    found = json.loads(path.read_text(encoding="utf-8"))
    if found != facts:
        raise ChallengeError(
            folder, found=f"a folder of {found}", expected=f"an empty one, or one of {facts}",
            advice="Choose another --output folder.",
        )  # fmt: skip
