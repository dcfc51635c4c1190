"""Folders of small corpora."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def place(tmp_path: Path) -> Callable[..., Path]:
    """Makes files of the given names in a folder; readers go by names, so that the files may be empty."""

    def make(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make
