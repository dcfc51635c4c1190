"""Which utterances of its corpora a recipe takes, how often, and what for."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.emotions import EMOTIONS
from emojudge.errors import RecipeError, TrainingError
from emojudge.training.split import load_split
from tests.training.recipes import recipe


def test_splits_repeats_and_choices(home: Path):
    chosen = recipe(home, {"folder": "one", "repeat": 2}, {"folder": "two", "repeat": 0.5})
    split = load_split(chosen, home, "train")
    texts = [u.transcript.text for u in split.utterances]
    assert texts == ["so sad", "so happy", "never", "so happy"]  # the line without a label is no example
    assert split.repeats.tolist() == [2, 2, 0.5, 0.5]
    nowhere = set(EMOTIONS) - {"sad", "happy", "angry"}
    possible = [{EMOTIONS[i] for i in np.flatnonzero(row)} for row in split.choices]
    assert possible[:2] == [{"sad", "happy"} | nowhere] * 2
    assert possible[2:] == [{"angry", "happy"} | nowhere] * 2
    assert [u.transcript.text for u in load_split(chosen, home, "validation").utterances] == ["you", "call"]


def votes_of(home: Path, labels: str, split: str) -> list[tuple[str | None, dict | None]]:
    chosen = recipe(home, {"folder": "crowd", "labels": labels})
    return [(u.emotion, u.votes) for u in load_split(chosen, home, split).utterances]


def test_votes_or_consensus(home: Path):
    """Raters' votes are learnt from, or the consensus alone; validation is against the consensus."""
    (home / "crowd").mkdir()
    lines = [
        "1,so sad,sad,,3,1,{}",
        "2,so happy,,no agreement,2,2,{}",
        "3,call,,other,1,0,{}",
        "4,never,,,,,{}",
    ]
    rows = [line.format(split) for split in ("train", "dev") for line in lines]
    named = [f"{split}{row}" for split, row in zip(["t"] * 4 + ["d"] * 4, rows, strict=True)]
    header = "id,text,emotion,label,vote_sad,vote_happy,split"
    (home / "crowd" / "manifest.csv").write_text("\n".join([header, *named]))
    half = {"sad": 0.5, "happy": 0.5}
    soft = [("sad", {"sad": 0.75, "happy": 0.25}), (None, half), (None, {"sad": 1.0})]
    assert votes_of(home, "votes", "train") == soft
    assert votes_of(home, "consensus", "train") == [("sad", None)]
    assert (
        votes_of(home, "votes", "validation") == votes_of(home, "consensus", "validation") == [("sad", None)]
    )


def test_an_utterance_without_a_target_of_the_task_is_no_example(home: Path):
    (home / "rated").mkdir()
    rows = ["text,emotion,valence,arousal,dominance,split", "so sad,,2,3,4,train", "so happy,happy,,,,train"]
    (home / "rated" / "manifest.csv").write_text("\n".join(rows))
    (utterance,) = load_split(recipe(home, {"folder": "rated"}), home, "train").utterances
    assert utterance.emotion == "happy"


def test_an_utterance_without_words_is_left_out_and_counted(home: Path, caplog: pytest.LogCaptureFixture):
    rows = ["id,file,text,emotion,split", "1,0.wav,so sad,sad,train", "2,1.wav,,angry,train"]
    (home / "clips" / "manifest.csv").write_text("\n".join(rows))
    assert len(load_split(recipe(home, {"folder": "clips"}), home, "train").utterances) == 1
    assert "table:clips, train: 1 left out, which have no transcript" in caplog.text
    voices = recipe(home, {"folder": "clips"}, modality="audio")
    assert len(load_split(voices, home, "train").utterances) == 2


def test_a_split_that_a_corpus_does_not_have_is_named(home: Path):
    chosen = recipe(home, {"folder": "one", "validation": ["develop"]}, {"folder": "two"})
    with pytest.raises(RecipeError, match=r"table\.validation: found 'develop'; expected .*dev, train"):
        load_split(chosen, home, "validation")
    empty = recipe(home, {"folder": "one", "validation": []})
    with pytest.raises(TrainingError, match="no labelled utterance with text in validation"):
        load_split(empty, home, "validation")
