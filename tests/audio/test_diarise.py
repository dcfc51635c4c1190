"""Diarisation: what is made of pyannote's answers, by a stand-in of its interface; no weights are at hand."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from emojudge.audio.diarise import load_diariser
from emojudge.errors import MissingExtraError, TranscriptError

pytest.importorskip("torch", reason="needs the extra 'train', or pyannote's own torch")


class Annotation:
    """pyannote.core's, as far as it is used."""

    def itertracks(self, yield_label: bool) -> Any:
        assert yield_label
        yield SimpleNamespace(start=-0.01, end=1.5), "A", "SPEAKER_00"
        yield SimpleNamespace(start=1.5, end=4.0), "B", "SPEAKER_01"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """pyannote.audio with a pipeline that answers by `loaded.answer`; `loaded.asked` is what it was given."""
    state = SimpleNamespace(answer=lambda: Annotation(), asked=None, where=None)

    def pipeline(given: dict[str, Any]) -> Any:
        state.asked = given
        return state.answer()

    def from_pretrained(where: Any) -> Any:
        state.where = where
        return None if where == "pyannote/speaker-diarization-community-1" else pipeline

    package, module = ModuleType("pyannote"), ModuleType("pyannote.audio")
    module.Pipeline = SimpleNamespace(from_pretrained=from_pretrained)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyannote", package)
    monkeypatch.setitem(sys.modules, "pyannote.audio", module)
    for name in ("PYANNOTE_METRICS_ENABLED", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "restored afterwards")
    return state


@pytest.mark.parametrize("version", [3, 4])
def test_turns_of_either_version(loaded: SimpleNamespace, tmp_path: Path, version: int) -> None:
    if version == 4:  # the turns that do not overlap
        loaded.answer = lambda: SimpleNamespace(exclusive_speaker_diarization=Annotation())
    diariser = load_diariser(f"pyannote:{tmp_path}")
    found = diariser(np.zeros(64_000, np.float32))
    assert [(t.start, t.end, t.speaker, t.text) for t in found.segments] == [
        (0.0, 1.5, "SPEAKER_00", ""),
        (1.5, 4.0, "SPEAKER_01", ""),
    ]
    assert (loaded.where, tuple(loaded.asked["waveform"].shape)) == (tmp_path, (1, 64_000))
    assert loaded.asked["sample_rate"] == 16_000


def test_what_it_cannot_do_is_named(loaded: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match="no such folder"):
        load_diariser(f"pyannote:{tmp_path / 'gone'}")
    with pytest.raises(TranscriptError, match="nothing in the cache"):
        load_diariser("pyannote")

    def fail() -> None:
        raise RuntimeError("out of memory")

    loaded.answer = fail
    with pytest.raises(TranscriptError, match="out of memory"):
        load_diariser(f"pyannote:{tmp_path}")(np.zeros(16_000, np.float32))


def test_nothing_is_sent_or_fetched(loaded: SimpleNamespace, tmp_path: Path) -> None:
    import os

    load_diariser(f"pyannote:{tmp_path}")
    assert (os.environ["PYANNOTE_METRICS_ENABLED"], os.environ["HF_HUB_OFFLINE"]) == ("false", "1")


def test_without_its_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyannote.audio", None)
    with pytest.raises(MissingExtraError, match="'diarise'"):
        load_diariser("pyannote")
    with pytest.raises(TranscriptError, match="one of pyannote"):
        load_diariser("nobody")
