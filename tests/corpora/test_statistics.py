"""Counts per class and split, as in the paper's Table 1, and the Dev-2 that belongs to them."""

from collections import Counter

import pytest

from emojudge.corpora.splits import as_folds, with_dev2
from emojudge.corpora.statistics import count
from emojudge.emotions import EMOTIONS
from emojudge.errors import CorpusError
from emojudge.records import Utterance

# Per cent of angry, sad, happy, surprise, fear, disgust, contempt, neutral, and total files: Table 1.
PAPER = {
    "train": ((10.05, 9.41, 24.95, 4.40, 1.67, 2.14, 3.72, 43.65), 66_992),
    "dev": ((23.11, 9.27, 25.12, 3.91, 1.29, 2.15, 5.78, 29.39), 22_898),
    "dev2": ((12.5,) * 8, 2_360),
}


def challenge() -> list[Utterance]:
    """The challenge's labels before Dev-2 is taken: 25,258 of 31,961 of the development split."""
    made: list[Utterance] = []
    for split in ("train", "dev"):
        parts = [PAPER[split], PAPER["dev2"]] if split == "dev" else [PAPER[split]]
        for index, emotion in enumerate(EMOTIONS):
            size = sum(round(percents[index] / 100 * total) for percents, total in parts)
            made += [
                Utterance(id=f"{split}{emotion}{n}", split=split, emotion=emotion, speaker=str(n % 7))
                for n in range(size)
            ]
    made += [Utterance(id=f"o{n}", split="dev", label="other") for n in range(6_703)]
    return made


def test_table_1_of_the_paper_and_its_dev_2_of_8_times_295() -> None:
    counts = count(with_dev2(challenge(), seed=7))
    assert list(counts) == ["train", "dev", "dev2"]
    for split, (percents, total) in PAPER.items():
        assert counts[split].labelled == pytest.approx(total, abs=8)  # the paper's percentages are rounded
        for emotion, percent in zip(EMOTIONS, percents, strict=True):
            assert counts[split].percent(emotion) == pytest.approx(percent, abs=0.006)
    assert counts["dev2"].labelled == 8 * 295
    assert set(counts["dev2"].emotions.values()) == {295}
    assert counts["dev"].figures()["other"] == 6_703


def test_what_has_no_emotion_is_counted_by_its_label() -> None:
    made = [
        Utterance(id="a", label="no agreement", votes={"sad": 0.5, "angry": 0.5}),
        Utterance(id="b", votes={"sad": 0.5, "angry": 0.5}),
        Utterance(id="c"),
        Utterance(id="d", emotion="happy", label="excited", speaker="x"),
        Utterance(id="e", emotion="happy", speaker="x"),
    ]
    figures = count(made)["all"].figures()
    assert {name: n for name, n in figures.items() if n} == {
        "happy": 2, "total": 2, "no agreement": 1, "several emotions": 1, "no label": 1,
        "utterances": 5, "speakers": 1,
    }  # fmt: skip


def test_dev_2_keeps_everything_and_draws_by_its_seed() -> None:
    made = [Utterance(id=f"{e}{n}", split="dev", emotion=e) for e in EMOTIONS for n in range(4 + len(e))]
    first, again, other = (with_dev2(made, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert [u.id for u in first] == [u.id for u in made]
    assert Counter(u.emotion for u in first if u.split == "dev2") == dict.fromkeys(EMOTIONS, 3)
    sized = with_dev2(made, 1, per_class=2)
    assert Counter(u.split for u in sized) == {"dev2": 16, "dev": len(made) - 16}


@pytest.mark.parametrize(("split", "fault"), [("train", "'dev'"), ("dev2", "no 'dev2' yet")])
def test_dev_2_of_what_is_not_there(split: str, fault: str) -> None:
    with pytest.raises(CorpusError, match=fault):
        with_dev2([Utterance(id="a", split=split, emotion="sad")], seed=0)


def test_folds_share_no_speaker_and_leave_the_unknown_out() -> None:
    made = [Utterance(id=str(n), split="train", speaker=str(n % 5) if n % 7 else None) for n in range(70)]
    divided = as_folds(made, 3, seed=0)
    assert [u.id for u in divided] == [u.id for u in made]
    homes = {(u.speaker, u.split) for u in divided if u.speaker}
    assert len(homes) == 5
    assert {u.split for u in divided if u.speaker is None} == {"no_speaker"}
    assert {split for _, split in homes} == {"fold1", "fold2", "fold3"}
    with pytest.raises(CorpusError, match="6 folds; expected 2 to 5"):
        as_folds(made, 6, seed=0)
