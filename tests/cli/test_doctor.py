"""`emojudge doctor`, and the extras that it tells of."""

import json
import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path
from typing import Any

import pytest

import emojudge
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
    assert by_name["train"]["command"] == "pip install 'emojudge[train]'"


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


def test_nothing_is_promised_of_an_extra_that_nothing_uses(run: Run, embedded: Bundle) -> None:
    """An extra is coming as long as no module imports its packages: who writes one has to say so in ADDS."""
    packages = extras.packages_by_extra(requires("emojudge") or [])
    source = "\n".join(path.read_text() for path in Path(emojudge.__file__).parent.rglob("*.py"))
    shown = run("doctor").stdout
    for extra in extras.extras():
        if extra.name in ("dev", "docs", "train"):  # tools, and what torch and its like import themselves
            assert not extra.coming
            continue
        names = "|".join(re.sub("[-_.]", "[_.]", package) for package in packages[extra.name])
        used = re.search(rf"""^\s*(import|from) ({names})\b|_imported\("({names})\b""", source, re.MULTILINE)
        assert extra.coming == (used is None), extra.name
        assert not (extra.coming and extra.command)
        assert not (extra.coming and f"emojudge[{extra.name}]" in shown)


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


@pytest.fixture
def one_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two passes of ONNX Runtime alone, on one core."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("emojudge.tune.PASSES", 2)
    monkeypatch.setattr("emojudge.tune.ENGINES", ("onnxruntime", "openvino:bfloat8"))
    monkeypatch.setattr("os.cpu_count", lambda: 1)


def test_tuning_is_shown_remembered_and_forgotten(
    run: Run, embedded: Bundle, one_way: None, calls: Path
) -> None:
    assert "onnxruntime: nothing was tuned here" in run("doctor").stdout
    told = run("doctor", "--tune", calls)
    assert told.exit_code == 0, told.output
    assert "200 or more" in told.stderr
    assert "0 of 4 utterances have words" in told.stderr
    assert "Medians of 2 passes over 3 utterances" in told.stdout
    assert "onnxruntime with int8 weights" in told.stdout  # too small to be quantised, which it says
    assert "-- openvino:bfloat8: found" in told.stdout
    assert "onnxruntime, 1 thread: quickest of" in run("doctor").stdout
    assert run("doctor", "--forget").stdout == "forgotten\n"
    assert run("doctor", "--forget").stdout == "nothing was remembered\n"


def test_tuning_as_json(run: Run, embedded: Bundle, one_way: None, calls: Path) -> None:
    report = json.loads(run("doctor", "--tune", "--json", calls / "a.wav").stdout)
    assert report["ways"] == [{"engine": "onnxruntime", "weights": "own", "threads": 1}]
    assert Path(report["remembered_in"]).is_file()
    (plain, *others) = report["trials"]
    assert len(plain["passes_s"]) == 2
    assert plain["labels_kept"] == 1.0
    assert all(each["fault"] for each in others)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tune"], "no recordings"),
        (["a.wav"], "--tune or --forget"),
        (["--bundle", "."], "--tune or --forget"),
        (["--tune", "--forget", "a.wav"], "one of the two"),
    ],
)
def test_options_that_do_nothing_are_refused(
    run: Run, embedded: Bundle, arguments: list[str], said: str
) -> None:
    if "--bundle" in arguments:
        arguments = ["--bundle", str(embedded.folder)]
    result = run("doctor", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
