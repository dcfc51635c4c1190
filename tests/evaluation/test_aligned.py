"""Rows beside their labels: our own records with verdicts, other names, attributes of all kinds."""

from pathlib import Path

import numpy as np
import pytest

from emojudge.emotions import ATTRIBUTES, EMOTIONS, Emotion
from emojudge.evaluation.aligned import NONE, align, has_verdicts, make_truth
from emojudge.evaluation.labels import label_of, labels_of, read_labels
from emojudge.evaluation.predictions import Predictions
from emojudge.records import Attributes, Prediction, Transcript, Utterance, Verdict


def record(name: str, emotion: Emotion, judged: Emotion | None = None) -> Prediction:
    scores = {e: 0.3 if e == emotion else 0.1 for e in EMOTIONS}
    verdict = judged and Verdict(
        id=name,
        emotion=judged,
        before=emotion,
        scores={e: 0.65 if e == judged else 0.05 for e in EMOTIONS},
        changed=judged != emotion,
        status="changed" if judged != emotion else "confirmed",
    )
    return Prediction(
        id=name,
        emotion=emotion,
        scores=scores,
        attributes=Attributes(valence=2, arousal=3, dominance=4),
        attributes_from=dict.fromkeys(ATTRIBUTES, "derived"),
        modalities=("audio",),
        transcript=Transcript(text="so it is", source="test"),
        bundle="test",
        verdict=verdict or None,
    )


def utterance(name: str, emotion: Emotion | None) -> Utterance:
    return Utterance(id=f"corpus:{name}", audio=Path(f"/audio/{name}.wav"), emotion=emotion, speaker="s")


@pytest.fixture
def table(tmp_path: Path) -> Predictions:
    rows = [record("/elsewhere/a.flac", "sad", "happy"), record("b", "angry", "angry"), record("c", "fear")]
    path = tmp_path / "p.jsonl"
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows), encoding="utf-8")
    return Predictions(path)


def test_a_corpus_knows_its_utterances_by_their_recordings_names(table: Predictions) -> None:
    labels = labels_of([utterance("a", "happy"), utterance("b", "angry"), utterance("c", None)])
    truth = make_truth(labels.values())
    assert list(truth.ids) == ["corpus:a", "corpus:b", "corpus:c"]
    assert truth.emotion.tolist() == [EMOTIONS.index("happy"), EMOTIONS.index("angry"), NONE]
    assert truth.audio[0] == Path("/audio/a.wav")
    after, before = (align(table, labels, truth, verdicts=judged) for judged in (True, False))
    assert [EMOTIONS[e] for e in after.emotion] == ["happy", "angry", "fear"]
    assert [EMOTIONS[e] for e in before.emotion] == ["sad", "angry", "fear"]
    assert after.scores[0].max() == 0.65
    assert before.scores[0].max() == 0.3
    assert has_verdicts(after)
    np.testing.assert_array_equal(after.attributes[0], [2, 3, 4])  # derived, but the system's own answer
    assert after.notes == []


def test_a_name_that_two_recordings_have_is_nobodys() -> None:
    twins = [utterance("a", "sad"), utterance("a", "sad").model_copy(update={"id": "corpus:other/a"})]
    labels = labels_of(twins)
    assert label_of(labels, "a.wav") is None
    assert label_of(labels, "corpus:a") is not None
    assert len(make_truth(labels.values()).ids) == 2


def test_attributes_that_are_derived_from_scores_are_not_another_systems_own(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id,emotion\na,sad\nb,happy\n", encoding="utf-8")
    (tmp_path / "l.csv").write_text(
        "id,emotion,valence,arousal,dominance\na,sad,2,2,2\nb,happy,5,5,5\n", encoding="utf-8"
    )
    labels = read_labels(tmp_path / "l.csv")
    truth = make_truth(labels.values())
    system = align(Predictions(tmp_path / "p.csv"), labels, truth)
    assert np.isnan(system.attributes).all()
    assert np.isnan(system.scores).all()  # none were given: no calibration of a guess
    assert truth.groups_of([0]) is None


def test_speakers_of_some_make_groups_of_all(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(
        "id,emotion,speaker\na,sad,x\nb,sad,\nc,sad,\nd,sad,x\n", encoding="utf-8"
    )
    groups = make_truth(read_labels(tmp_path / "l.csv").values()).groups_of(range(4))
    assert groups is not None
    assert groups[0] == groups[3]
    assert len(set(groups)) == 3
