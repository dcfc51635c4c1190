"""`emojudge doctor`, and the extras that it tells of."""

import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

import pytest

from emojudge.bundle.format import Bundle
from emojudge.cli import extras
from emojudge.cli.extras import ADDS

Run = Callable[..., Any]


@pytest.fixture
def embedded(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """The tiny bundle in the embedded one's place, and no transcriber to wait for."""
    really = Bundle.open
    monkeypatch.setattr(Bundle, "open", lambda folder=None: really(folder or tiny_bundle.folder))
    monkeypatch.setattr("emojudge.audio.transcribe.load_transcriber", lambda: None)
    return tiny_bundle


def test_all_is_well(run: Run, embedded: Bundle) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    assert "Predictions work here." in result.stdout
    assert "tiny, 4 files with the hashes of its manifest" in result.stdout
    assert "by voice + words" in result.stdout
    assert "--  transcription" in result.stdout
    assert "pip install 'emojudge[asr]'" in result.stdout


def test_json(run: Run, embedded: Bundle) -> None:
    report = json.loads(run("doctor", "--json").stdout)
    assert report["works"] is True
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert states["embedded bundle"] == states["prediction"] == states["sound files"] == "works"
    assert states["transcription"] == "absent"
    by_name = {extra["name"]: extra for extra in report["extras"]}
    assert by_name["train"]["installed"] is True  # the tiny bundle needed it
    assert by_name["serve"]["command"] == "pip install 'emojudge[serve]'"


def test_a_damaged_bundle_is_found_and_fatal(
    run: Run, embedded: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emojudge.bundle.format.file_hash", lambda path: "0" * 64)
    result = run("doctor")
    assert result.exit_code == 1
    assert "!!  embedded bundle" in result.stdout
    assert "copy the bundle again" in result.stdout
    assert "ok  sound files" in result.stdout


def test_what_is_optional_may_be_broken(run: Run, embedded: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr("emojudge.audio.transcribe.load_transcriber", broken)
    result = run("doctor")
    assert result.exit_code == 0
    assert "!!  transcription" in result.stdout
    assert "RuntimeError: no such luck" in result.stdout


def test_every_extra_is_described() -> None:
    assert set(metadata("emojudge").get_all("Provides-Extra") or []) <= set(ADDS)
    assert all(extra.adds for extra in extras.extras())


def test_an_extra_is_installed_when_all_its_packages_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "uvicorn":
            raise PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(extras, "version", version)
    by_name = {extra.name: extra for extra in extras.extras()}
    assert by_name["serve"].missing == ("uvicorn",)
    assert not by_name["serve"].installed
    assert by_name["media"].installed
