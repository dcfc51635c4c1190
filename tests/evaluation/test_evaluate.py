"""An evaluation recomputed by a second path: scikit-learn, scipy and numpy straight from the CSV."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from emojudge.emotions import ATTRIBUTES, EMOTIONS
from emojudge.errors import PredictionsError
from emojudge.evaluation.aligned import System, Truth, align, make_truth
from emojudge.evaluation.compare import compare
from emojudge.evaluation.evaluate import Settings, evaluate
from emojudge.evaluation.labels import read_labels
from emojudge.evaluation.predictions import Predictions
from emojudge.evaluation.report import evaluated
from emojudge.evaluation.slices import slices
from emojudge.evaluation.tables import tables

FEW = Settings(resamples=300)


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def random_rows(seed: int, items: int = 240) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Labels and predictions with scores, attributes and votes; men are judged worse than women."""
    random = np.random.default_rng(seed)
    labels, predictions = [], []
    for index in range(items):
        truth = random.integers(7)  # contempt (6) occurs, neutral (7) does not
        woman = index % 2 == 0
        scores = random.dirichlet(np.ones(8)) * 0.6
        scores[truth if random.random() < (0.8 if woman else 0.3) else random.integers(8)] += 0.4
        rated = random.uniform(1, 7, 3)
        votes = random.multinomial(5, 0.1 + 0.2 * (np.arange(8) == truth))
        votes[truth] += 2
        labels.append(
            {
                "id": f"u{index}",
                "emotion": EMOTIONS[truth],
                "speaker": f"s{index % 20}",
                "sex": "f" if woman else "m",
            }
            | dict(zip(ATTRIBUTES, rated, strict=True))
            | {f"vote_{e}": v for e, v in zip(EMOTIONS, votes, strict=True)}
        )
        predictions.append(
            {
                "id": f"u{index}",
                "emotion": EMOTIONS[int(scores.argmax())],
                "seconds": round(random.uniform(1, 9), 2),
            }
            | {f"score_{e}": s for e, s in zip(EMOTIONS, scores, strict=True)}
            | dict(zip(ATTRIBUTES, np.clip(rated + random.normal(0, 1, 3), 1, 7), strict=True))
        )
    return labels, predictions


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    labels, predictions = random_rows(0)
    return write_csv(tmp_path / "labels.csv", labels), write_csv(tmp_path / "system.csv", predictions)


def load(labels: Path, predictions: Path) -> tuple[Truth, System]:
    read = read_labels(labels)
    truth = make_truth(read.values())
    return truth, align(Predictions(predictions), read, truth)


def test_figures_are_those_of_a_second_path(files: tuple[Path, Path]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="needs the extra 'train'")
    found = evaluate(*load(*files), FEW)
    with files[0].open() as one, files[1].open() as other:
        labels, rows = list(csv.DictReader(one)), list(csv.DictReader(other))
    t, p = [row["emotion"] for row in labels], [row["emotion"] for row in rows]
    present = [e for e in EMOTIONS if e in t]
    assert found.classes == tuple(present)
    options: dict[str, Any] = {"labels": present, "zero_division": 0}
    expected = {
        "macro-F1": sklearn.f1_score(t, p, average="macro", **options),
        "accuracy": sklearn.accuracy_score(t, p),
        "UAR": sklearn.recall_score(t, p, average="macro", **options),
    }
    assert {name: value.value for name, value in found.emotions.items()} == pytest.approx(expected, abs=1e-9)
    for each, row in zip(
        found.per_class, np.transpose(sklearn.precision_recall_fscore_support(t, p, **options)), strict=True
    ):
        figures = (each.precision.value, each.recall.value, each.f1.value, each.labelled)
        assert figures == pytest.approx(row, abs=1e-9)
    np.testing.assert_array_equal(found.confusion, sklearn.confusion_matrix(t, p, labels=EMOTIONS))
    scores = np.array([[float(row[f"score_{e}"]) for e in EMOTIONS] for row in rows])
    index = np.array([EMOTIONS.index(e) for e in t])
    one_hot = np.eye(8)[index]
    assert found.calibration["Brier"].value == pytest.approx(
        ((scores - one_hot) ** 2).sum(axis=1).mean(), abs=1e-9
    )
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == index
    inside = [(confidence > k / 15) & (confidence <= (k + 1) / 15) for k in range(15)]
    ece = sum(abs(right[b].mean() - confidence[b].mean()) * b.mean() for b in inside if b.any())
    assert found.calibration["ECE"].value == pytest.approx(ece, abs=1e-9)
    for name in ATTRIBUTES:
        x, y = (np.array([float(row[name]) for row in table]) for table in (labels, rows))
        cov = np.cov(x, y, bias=True)
        ccc = 2 * cov[0, 1] / (cov[0, 0] + cov[1, 1] + (x.mean() - y.mean()) ** 2)
        figures = {"CCC": ccc, "Pearson": stats.pearsonr(x, y).statistic, "MAE": np.abs(x - y).mean()}
        assert {k: v.value for k, v in found.attributes[name].items()} == pytest.approx(figures, abs=1e-9)
    votes = np.array([[float(row[f"vote_{e}"]) for e in EMOTIONS] for row in labels])
    any_vote = np.mean([votes[i, EMOTIONS.index(e)] > 0 for i, e in enumerate(p)])
    assert found.votes["any annotator's label"].value == pytest.approx(any_vote, abs=1e-9)
    shares = votes / votes.sum(axis=1, keepdims=True)
    assert found.votes["KL from votes"].value == pytest.approx(
        stats.entropy(shares, scores, axis=1).mean(), abs=1e-9
    )


def test_every_interval_holds_its_value_and_is_of_speakers(files: tuple[Path, Path]) -> None:
    found = evaluate(*load(*files), FEW)
    assert found.groups == 20
    assert found.items == found.rated == 240
    intervals = [*found.emotions.values(), *found.calibration.values(), *found.votes.values()]
    intervals += [each.f1 for each in found.per_class]
    intervals += [value for each in found.attributes.values() for value in each.values()]
    assert len(intervals) > 20
    assert all(each.low < each.high and each.error > 0 for each in intervals)
    assert all(each.low <= each.value <= each.high for each in found.emotions.values())


def test_the_label_set_can_be_fixed_from_outside(files: tuple[Path, Path]) -> None:
    truth, system = load(*files)
    all_eight = evaluate(truth, system, Settings(300, classes=EMOTIONS))
    seven = evaluate(truth, system, FEW)
    assert all_eight.emotions["macro-F1"].value == pytest.approx(seven.emotions["macro-F1"].value * 7 / 8)
    two = evaluate(truth, system, Settings(300, classes=("angry", "sad")))
    assert two.items == sum(emotion in (0, 1) for emotion in truth.emotion)
    assert any("outside the classes that were asked for" in str(note) for note in two.notes)
    assert any("counted as wrong" in str(note) for note in two.notes)


def test_worst_slices_come_first_and_numbers_become_bins(files: tuple[Path, Path]) -> None:
    truth, system = load(*files)
    found = slices(truth, system, ["sex", "seconds", "speaker"], FEW)
    assert [each.gap.value for each in found] == sorted(each.gap.value for each in found)
    sexes = {each.value: each for each in found if each.column == "sex"}
    assert sexes["m"].gap.high < 0 < sexes["f"].gap.low
    assert sexes["m"].p < 0.01
    assert sexes["m"].p < sexes["m"].corrected_p
    assert sexes["m"].gap.value == pytest.approx(-sexes["f"].gap.value)
    seconds = [each for each in found if each.column == "seconds"]
    assert len(seconds) == 4
    assert sum(each.items for each in seconds) == 240
    assert Counter(each.column for each in found)["speaker"] == 20
    men = truth.emotion[1::2], system.emotion[1::2]
    assert sexes["m"].accuracy == pytest.approx(np.mean(men[0] == men[1]))


def test_one_speakers_slice_is_as_unsure_as_its_items(files: tuple[Path, Path]) -> None:
    """Twelve utterances: neither an interval of no width, nor one of resamples without the speaker."""
    truth, system = load(*files)
    found = slices(truth, system, ["speaker"], FEW)
    assert {each.speakers for each in found} == {1}
    for each in found:
        assert 0.05 < each.figure.high - each.figure.low < 0.9
        assert 0.04 < each.figure.error < 0.3


def test_a_column_that_is_not_there_names_those_that_are(files: tuple[Path, Path]) -> None:
    truth, system = load(*files)
    with pytest.raises(PredictionsError, match=r"no such column; expected one of speaker, .*sex"):
        slices(truth, system, ["gender"], FEW)
    with pytest.raises(PredictionsError, match="240 values"):
        slices(truth, system, ["id"], FEW)


def test_a_better_system_is_found_better_and_the_same_one_is_not(
    tmp_path: Path, files: tuple[Path, Path]
) -> None:
    labels, predictions = random_rows(0)
    better = [
        row | ({"emotion": label["emotion"]} if i % 3 == 0 else {})
        for i, (row, label) in enumerate(zip(predictions, labels, strict=True))
    ]
    read = read_labels(files[0])
    truth = make_truth(read.values())
    old, new = (
        align(Predictions(path), read, truth)
        for path in (files[1], write_csv(tmp_path / "better.csv", better))
    )
    gained, same = compare(truth, new, [old, new.named("same")], FEW)[0::2]
    assert gained.figure == "macro-F1"
    assert gained.difference.better
    assert gained.permutation_p < gained.corrected_p < 0.05
    assert gained.mcnemar is not None
    assert gained.mcnemar.right_to_wrong == 0
    assert 0 < gained.detectable < gained.difference.gain
    assert same.permutation_p == same.corrected_p == 1


def test_all_of_it_is_json_and_tables(files: tuple[Path, Path]) -> None:
    truth, system = load(*files)
    found = evaluated(truth, system, [system.named("again")], ["all"], FEW, "labels.csv")
    back = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert back["emotions"]["macro-F1"]["value"] == found.evaluation.emotions["macro-F1"].value
    assert {each["column"] for each in back["slices"]} == {"speaker", "duration", "agreement", "sex"}
    shown = tables(found)
    assert [table.title for table in shown][1:] == [
        "Against other systems", "By emotion", "Confusion", "Slices, the worst first",
    ]  # fmt: skip
    assert all(len(row) == len(table.header) for table in shown for row in table.rows)
    assert "300 resamples of 20 speakers" in shown[0].note
    assert "cannot be seen" in shown[0].note
