"""The real development copies, where EMOJUDGE_CORPORA names their folder."""

from collections import Counter
from pathlib import Path

import pytest

from emojudge.corpora import load_corpus
from emojudge.corpora.splits import holdout, speaker_folds
from emojudge.records import Utterance

pytestmark = pytest.mark.shared

COUNTS = {"emodb": (535, 10), "emogator": (11781, 357), "ravdess": (1440, 24), "nemo": (4481, 9)}


def emotions(utterances: list[Utterance]) -> Counter[str | None]:
    return Counter(u.emotion for u in utterances)


@pytest.mark.parametrize("name", COUNTS)
def test_audio_corpora_agree_with_their_manifests(name: str, shared: Path):
    utterances = load_corpus(name, shared / name)
    assert (len(utterances), len({u.speaker for u in utterances})) == COUNTS[name]
    manifest = {u.audio: u for u in load_corpus("table", shared / name)}
    assert len(manifest) == len(utterances)
    for ours in utterances:
        theirs = manifest[ours.audio]
        assert (ours.speaker, ours.gender, ours.emotion) == (theirs.speaker, theirs.gender, theirs.emotion)
        if ours.transcript:  # nEMO's copy has no data.tsv, so no transcripts
            assert theirs.transcript is not None
            assert ours.transcript.text == theirs.transcript.text


def test_emodb(shared: Path):
    utterances = load_corpus("emodb", shared / "emodb")
    assert emotions(utterances) == {
        "angry": 127, None: 81, "neutral": 79, "happy": 71, "fear": 69, "sad": 62, "disgust": 46,
    }  # fmt: skip
    assert all(u.transcript for u in utterances)
    folds = speaker_folds(utterances, 10, seed=0)
    assert sum(len(test) for _, test in folds) == 535


def test_emogator_is_balanced_and_held_out_by_contributor(shared: Path):
    utterances = load_corpus("emogator", shared / "emogator")
    assert emotions(utterances)["contempt"] == 1071
    parts = holdout(utterances, {"dev": 0.1, "test": 0.1}, seed=0)
    assert {name: len({u.speaker for u in part}) for name, part in parts.items()} == {
        "train": 285, "dev": 36, "test": 36,
    }  # fmt: skip


def test_goemotions_and_its_ekman_version_agree(shared: Path):
    original = load_corpus("goemotions", shared / "goemotions/original")
    assert Counter(u.split for u in original) == {"train": 43410, "dev": 5426, "test": 5427}
    ekman = {u.id: u for u in load_corpus("goemotions", shared / "goemotions/ekman")}
    assert all(ekman[u.id] == u for u in original)
    doubled = {u.id for u in original if u.transcript and '""' in u.transcript.text}
    assert doubled == {"goemotions:eedla4h", "goemotions:edu2y8c"}  # typed so by their authors


def test_xed(shared: Path):
    utterances = load_corpus("xed", shared / "xed")
    assert len(utterances) == 17528 + 9674
    assert emotions(utterances)["neutral"] == 9674
    splits = Counter(u.split for u in utterances)
    assert splits["train"] / len(utterances) == pytest.approx(0.9, abs=0.01)
    places: dict[str, set[str | None]] = {}
    for utterance in utterances:
        if utterance.transcript:
            places.setdefault(utterance.transcript.text, set()).add(utterance.split)
    assert all(len(found) == 1 for found in places.values())


def test_emobank(shared: Path):
    utterances = load_corpus("emobank", shared / "emobank")
    assert Counter(u.split for u in utterances) == {"train": 8062, "dev": 1000, "test": 1000}
    assert all(u.attributes for u in utterances)
