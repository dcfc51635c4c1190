"""`emojudge stress` at the face: what it reads, what it writes, with the tests themselves put aside."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("audiomentations", reason="needs the extra 'stress'")

from emojudge.bundle.format import Bundle
from emojudge.errors import MissingExtraError
from emojudge.evaluation.stress.check import Check, Skip
from emojudge.evaluation.stress.run import Corpus, Outcome, Settings
from emojudge.evaluation.stress.tables import HEADING

Run = Callable[..., Any]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = ["file,emotion,speaker"]
    for index, emotion in enumerate(("angry", "sad") * 2):
        soundfile.write(tmp_path / f"{index}.wav", 0.1 * np.sin(np.arange(8000) / 20), 16_000)
        rows.append(f"{index}.wav,{emotion},s{index}")
    (tmp_path / "mine.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path / "mine.csv"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Stands in for the tests: keeps what it was asked, and found two things and missed a third."""
    seen: list[Any] = []

    def stand_in(
        predict: Any, bundle: str, corpora: list[Corpus], settings: Settings, **options: Any
    ) -> Outcome:
        seen.append((predict, bundle, corpora, settings, options))
        options["progress"](4, 4, "mine, as it is")
        checks = [
            Check("correctness", "classification", "UAR", "mine", 0.8, 0.5, "at least", 4),
            Check(
                "robustness",
                "levels",
                "gain -20 dB: unchanged predictions",
                "mine",
                0.2,
                0.9,
                "at least",
                4,
                False,
            ),
        ]
        return Outcome(
            bundle, settings, {"mine": 4}, checks, [Skip("fairness", "accent", "all", "not known")]
        )

    monkeypatch.setattr("emojudge.evaluation.stress.run.stress", stand_in)
    return seen


def test_the_embedded_bundle_on_a_table_of_ones_own(run: Run, corpus: Path, asked: list[Any]) -> None:
    result = run("stress", "--corpus", "table=mine.csv", "--changed", 20, "--keep", "kept", "-f", "table")
    assert result.exit_code == 0, result.stderr
    ((_, bundle, (read,), settings, options),) = asked
    assert bundle == "emojudge-default"
    assert (read.name, len(read.utterances)) == ("mine", 4)
    assert (settings.changed, options["keep"], len(options["key"])) == (20, Path("kept"), 64)
    said = " ".join(result.stdout.split())
    assert "1 of 2 stress tests passed" in said
    assert "gain -20 dB: unchanged predictions" in said
    assert "≥ 0.9*" in said
    assert "stress: 4 of 4, mine, as it is" in result.stderr
    assert "1 of 2 tests passed, 1 could not be run" in result.stderr


def test_as_json(run: Run, corpus: Path, asked: list[Any]) -> None:
    assert run("stress", "--corpus", "table=mine.csv", "-f", "json", "-o", "out.json").exit_code == 0
    found = json.loads(Path("out.json").read_text(encoding="utf-8"))
    assert (found["passed"], found["tests"], found["checks"][1]["passed"]) == (1, 2, False)


def test_the_card_gets_the_result_once(run: Run, corpus: Path, asked: list[Any], tmp_path: Path) -> None:
    embedded = Bundle.open().folder
    folder = tmp_path / "bundle"
    folder.mkdir()
    for path in embedded.iterdir():
        if path.name == "README.md":
            shutil.copy(path, folder)
        else:
            (folder / path.name).symlink_to(path)
    for _ in range(2):
        result = run("stress", folder, "--corpus", "table=mine.csv", "--card", "-f", "json")
        assert result.exit_code == 0, result.stderr
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.count(HEADING) == 1
    assert "1 of 2 single tests passed, on mine (4 recordings)" in card
    assert Bundle.open(folder).manifest.name == "emojudge-default"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((), "expected --corpus NAME=DIR"),
        (("--corpus", "ravdess"), "found 'ravdess'; expected NAME=DIR"),
        (("--corpus", "ravdes=x"), "Did you mean 'ravdess'?"),
        (("nowhere", "--corpus", "table=mine.csv"), "expected a folder with bundle.json"),
        (("hf://org/name", "--corpus", "table=mine.csv", "--card"), "leave out --card"),
    ],
)
def test_what_cannot_begin(run: Run, corpus: Path, arguments: tuple[str, ...], wanted: str) -> None:
    result = run("stress", *arguments)
    assert result.exit_code == 2
    assert wanted in result.stderr


def test_the_extra_is_named_where_it_is_missing(
    run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Any:
        raise MissingExtraError("stress tests", "stress")

    monkeypatch.setattr("emojudge.evaluation.stress.run.conditions", missing)
    result = run("stress", "--corpus", "table=mine.csv")
    assert result.exit_code == 2
    assert "pip install 'emojudge[stress]'" in result.stderr
