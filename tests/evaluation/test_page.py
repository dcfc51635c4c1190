"""The page and the folder of a report: whole, nothing from elsewhere, safe against what tables hold."""

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("matplotlib", reason="needs the extra 'report'")

from emojudge.emotions import ATTRIBUTES, EMOTIONS
from emojudge.errors import EmojudgeError
from emojudge.evaluation.aligned import System, Truth, align, make_truth
from emojudge.evaluation.corrections import corrections, gain_by_threshold, instructive, risk_coverage
from emojudge.evaluation.evaluate import Settings
from emojudge.evaluation.labels import read_labels
from emojudge.evaluation.page import write_page
from emojudge.evaluation.predictions import Predictions
from emojudge.evaluation.report import evaluated

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Truth, System]:
    """Eighty utterances that a judge looked at: sure where it is right, in half of the cases."""
    folder = tmp_path_factory.mktemp("judged")
    random = np.random.default_rng(0)
    soundfile.write(folder / "a.wav", 0.1 * np.sin(np.arange(8000) / 20), 16_000)
    labels: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for index in range(80):
        truth, said = random.integers(4), random.integers(4)
        right = random.random() < 0.5
        proposed = truth if right else random.integers(4)
        sure = round(random.uniform(0.6, 1) if right else random.uniform(0, 0.7), 3)
        taken = sure > 0.65
        labels.append({"id": f"u{index}", "emotion": EMOTIONS[truth], "speaker": f"s{index % 8}"})
        labels[-1] |= {name: random.uniform(1, 7) for name in ATTRIBUTES}
        rows.append(
            {
                "id": f"u{index}",
                "emotion": EMOTIONS[said],
                "score": 0.5,
                "file": "a.wav",
                "transcript": HOSTILE,
            }
            | {name: labels[-1][name] for name in ATTRIBUTES}
            | {"verdict_emotion": EMOTIONS[proposed if taken else said], "verdict_status": "changed"}
            | {"verdict_proposed": EMOTIONS[proposed], "verdict_confidence": sure, "verdict_reason": HOSTILE}
        )
    for name, table in (("labels", labels), ("judged", rows)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
    read = read_labels(folder / "labels.csv")
    truth_ = make_truth(read.values())
    return truth_, align(Predictions(folder / "judged.csv"), read, truth_)


def test_the_page_is_whole_and_asks_for_nothing(judged: tuple[Truth, System], tmp_path: Path) -> None:
    truth, system = judged
    found = evaluated(truth, system, [], ["speaker"], Settings(resamples=200), HOSTILE)
    write_page(found, truth, system, [HOSTILE], tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert page.endswith("</html>\n")
    assert HOSTILE not in page
    assert "<script" not in page
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)", page)
    assert page.count("<figure") == 6  # confusion, emotions, slices, attributes, and the judge's two
    assert 3 <= page.count("<audio") <= 20
    assert "macro-F1" in page
    assert "right → wrong" in page
    silent = [tmp_path / "silent.html", tmp_path / "again.html"]
    for path in silent:
        write_page(found, truth, system, [], path, audio=False)
    first, again = (path.read_text(encoding="utf-8") for path in silent)
    assert first == again  # with recordings it is not: Ogg numbers its streams at random
    assert "<audio" not in first


def test_the_folder_has_pictures_and_tables(judged: tuple[Truth, System], tmp_path: Path) -> None:
    truth, system = judged
    found = evaluated(truth, system, [], ["speaker"], Settings(resamples=200), "labels.csv")
    write_page(found, truth, system, [], tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"confusion.png", "confusion.svg", "attributes.svg", "risk_coverage.png", "overall.csv"} <= names
    assert {"by_emotion.csv", "by_emotion.tex", "confusion.csv", "slices.csv", "slices.tex"} <= names
    with (tmp_path / "out/by_emotion.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["emotion"] for row in rows] == ["angry", "sad", "happy", "surprise"]
    assert (tmp_path / "out/by_emotion.tex").read_text().startswith("\\begin{tabular}{lrrrrr}\n\\toprule\n")
    assert (tmp_path / "out/confusion.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(EmojudgeError, match=r"a name in \.html"):
        write_page(found, truth, system, [], tmp_path / "out.pdf")


def test_a_judges_curves_by_hand(judged: tuple[Truth, System]) -> None:
    found = corrections(*judged)
    assert found is not None
    coverage, risk = risk_coverage(found)
    assert coverage[-1] == 1
    assert len(coverage) == len(set(found.confidence.tolist()))
    assert risk[-1] == pytest.approx(np.mean(found.proposed != found.truth))
    assert risk[len(risk) // 3] < risk[-1]  # it knows what it knows
    alike = replace(found, confidence=np.full(len(found.rows), 0.8))
    assert [values.tolist() for values in risk_coverage(alike)] == [[1.0], [pytest.approx(risk[-1])]]
    thresholds, gains = gain_by_threshold(found)
    assert gains[-1] == 0  # nothing is surer than 1
    assert gains[int(np.flatnonzero(thresholds == 0.65)[0])] > 0


def test_cases_are_of_every_kind_the_surest_first(judged: tuple[Truth, System]) -> None:
    truth, system = judged
    found = corrections(truth, system)
    assert found is not None
    cases = instructive(truth, system, found)
    assert len(cases) <= 20
    by_kind: dict[str, list[float]] = {}
    for case in cases:
        by_kind.setdefault(case.kind, []).append(case.confidence or 0)
    assert set(by_kind) >= {"right → wrong", "wrong → right"}
    assert all(sure == sorted(sure, reverse=True) for sure in by_kind.values())
    worst = next(case for case in cases if case.kind == "right → wrong")
    assert worst.before == worst.truth != worst.after


def test_predictions_without_a_judge_have_no_cases(judged: tuple[Truth, System]) -> None:
    truth, system = judged
    bare = [None if row is None else row for row in system.rows]
    for row in bare:
        assert row is not None
    cells = [{k: v for k, v in row.cells.items() if not k.startswith("verdict")} for row in bare if row]
    rows = [
        type(row)(row.line, c, row.id, row.prediction, row.utterance)
        for row, c in zip(bare, cells, strict=True)
        if row
    ]
    plain = System(system.name, system.emotion, system.scores, system.attributes, cells, rows)
    assert corrections(truth, plain) is None


@pytest.mark.slow
def test_a_browser_asks_for_nothing_and_complains_of_nothing(
    judged: tuple[Truth, System], tmp_path: Path, chromium: Any
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the extra 'dev' (axe)")
    truth, system = judged
    found = evaluated(truth, system, [], ["speaker"], Settings(resamples=200), HOSTILE)
    write_page(found, truth, system, [], tmp_path / "out.html")
    page = chromium.new_page(viewport={"width": 390, "height": 800})
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((tmp_path / "out.html").as_uri())
    page.wait_for_load_state("networkidle")
    elsewhere = [url for url in asked if not url.startswith(("file:", "data:"))]
    assert (elsewhere, said) == ([], [])
    assert page.locator("audio").first.evaluate("sound => (sound.load(), sound.preload, sound.error)") is None
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], "the page is wider than a phone"
    serious = [
        v for v in axe.Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")
    ]
    assert [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in serious] == []
    page.close()
