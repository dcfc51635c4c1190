"""Recordings of a generated voice, and the command line as a function."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from typer.testing import CliRunner

from emojudge.cli.main import app
from emojudge.cli.trial import clip

Run = Callable[..., Any]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three recordings, one file that is none, and files of no interest; seen from the folder above."""
    folder = tmp_path / "calls"
    (folder / "later").mkdir(parents=True)
    for number, name in enumerate(("a", "b", "later/c")):
        soundfile.write(folder / f"{name}.wav", clip(1.0 + number) / (number + 1), 16_000)
    (folder / "bad.mp3").write_text("Dear Sir,")
    (folder / "notes.txt").write_text("not a recording, and not called one")
    (folder / ".hidden.wav").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def run() -> Run:
    """`emojudge` with these arguments."""

    def invoke(*arguments: object, stdin: bytes = b"") -> Any:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)

    return invoke
