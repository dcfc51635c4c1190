"""CREMA-D, IEMOCAP and MELD from tiny copies in their releases' layouts."""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from emojudge.corpora import crema_d, iemocap, meld
from emojudge.errors import CorpusError

Place = Callable[..., Path]

# --------------------------------------------------------------------------------------------------- CREMA-D

VOTES = """"","A","D","F","H","N","S","fileName","numResponses"
"100010",2,6,0,0,2,0,"1001_IEO_ANG_HI",10
"100011",0,0,0,0,0,4,"1076_MTI_SAD_XX",4
"200010",9,0,0,0,0,0,"1001_IEO_ANG_HI",9
"""


@pytest.fixture
def crema(place: Place) -> Path:
    folder = place(
        "AudioWAV/1001_IEO_ANG_HI.wav", "AudioWAV/1076_MTI_SAD_XX.wav", "AudioWAV/1040_ITH_SAD_X.wav"
    )
    (folder / "AudioMP3").mkdir()
    (folder / "AudioMP3/1001_IEO_ANG_HI.mp3").touch()  # the same again, for listeners
    (folder / "processedResults").mkdir()
    (folder / "processedResults/tabulatedVotes.csv").write_text(VOTES)
    (folder / "VideoDemographics.csv").write_text('"ActorID","Age","Sex"\n1001,51,"Male"\n1040,42,"Female"\n')
    return folder


def test_crema_d_keeps_what_was_acted_and_what_was_heard(crema: Path) -> None:
    angry, sad, silent = crema_d.load(crema)
    assert (angry.id, angry.audio) == ("crema_d:1001_IEO_ANG_HI", crema / "AudioWAV/1001_IEO_ANG_HI.wav")
    assert (angry.emotion, angry.speaker, angry.gender) == ("angry", "crema_d:1001", "male")
    assert angry.votes == {"angry": 0.2, "disgust": 0.6, "neutral": 0.2}  # of those who heard the voice alone
    assert angry.transcript is not None
    assert angry.transcript.text == "It's eleven o'clock."
    assert (sad.emotion, sad.votes, sad.gender) == ("sad", None, "female")
    assert (silent.emotion, silent.votes, silent.label) == (None, None, "silent")
    assert (angry.intensity, sad.intensity) == ("high", None)


def test_crema_d_without_its_tables_or_as_mp3(crema: Path) -> None:
    (crema / "processedResults/tabulatedVotes.csv").unlink()
    (crema / "VideoDemographics.csv").unlink()
    assert {(u.votes, u.gender) for u in crema_d.load(crema)} == {(None, None)}
    (crema / "AudioWAV").rename(crema / "other")
    (utterance,) = crema_d.load(crema)
    assert utterance.audio == crema / "AudioMP3/1001_IEO_ANG_HI.mp3"


def test_crema_d_has_every_actor_in_one_split(place: Place) -> None:
    names = [f"AudioWAV/{actor}_{text}_SAD_XX.wav" for actor in range(1001, 1092) for text in ("TSI", "WSI")]
    utterances = crema_d.load(place(*names))
    assert Counter(u.split for u in utterances) == {"train": 130, "dev": 28, "test": 24}
    assert len({(u.speaker, u.split) for u in utterances}) == 91


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"fileName"', '"name"', "expected '', fileName, A, D"),
        (",2,6,0", ",2,x,0", "tabulatedVotes.csv:2: .*'x'"),
    ],
)
def test_crema_d_faulty_votes(old: str, new: str, fault: str, crema: Path) -> None:
    (crema / "processedResults/tabulatedVotes.csv").write_text(VOTES.replace(old, new))
    with pytest.raises(CorpusError, match=fault):
        crema_d.load(crema)


# --------------------------------------------------------------------------------------------------- IEMOCAP

TURNS = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.0000, 5.0000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral; Anger;\t()
C-E4:\tFrustration;\t(curious; or so)
C-F1:\tSadness;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M001\txxx\t[0.5000, 2.5000, 2.5000]
C-E2:\tExcited;\t()
C-E3:\tOther;\t()

[11.5 - 12.0]\tSes01F_impro01_F001\texc\t[4.0, 4.0, 4.0]
C-E2:\tExcited;\t()
C-E3:\tHappiness;\t()

"""
WORDS = """Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
M: [LAUGHTER]
Ses01F_impro01_M001 [010.0100-011.3925]: Yeah.
"""


@pytest.fixture
def scenes(place: Place) -> Path:
    folder = place("Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav")
    for kind, text in (("EmoEvaluation", TURNS), ("transcriptions", WORDS)):
        (folder / "Session1/dialog" / kind).mkdir(parents=True)
        (folder / "Session1/dialog" / kind / "Ses01F_impro01.txt").write_text(text)
    return folder


def test_iemocap(scenes: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    neutral, unsure, excited = iemocap.load(scenes)
    assert (neutral.id, neutral.emotion, neutral.label) == ("iemocap:Ses01F_impro01_F000", "neutral", None)
    assert neutral.audio == scenes / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    assert (neutral.speaker, neutral.gender, neutral.split) == ("iemocap:01F", "female", "session1")
    assert (neutral.recording, neutral.position) == ("iemocap:Ses01F_impro01", 6.2901)
    assert neutral.transcript is not None
    assert neutral.transcript.text == "Excuse me."
    assert neutral.votes == {"angry": 0.25, "neutral": 0.75}  # the actor's own opinion is not counted
    assert neutral.other_votes == pytest.approx(1 / 3)
    assert neutral.attributes is not None
    assert neutral.attributes.model_dump() == {"valence": 3.25, "arousal": 2.5, "dominance": 7.0}
    assert (unsure.speaker, unsure.emotion, unsure.label) == ("iemocap:01M", None, "no agreement")
    assert (unsure.votes, unsure.other_votes, unsure.attributes) == ({"happy": 1.0}, 0.5, None)
    assert (excited.emotion, excited.label, excited.votes) == ("happy", "excited", {"happy": 1.0})
    assert "2 turns without a recording" in caplog.text
    assert "1 turns with a rating out of 1..5: iemocap:Ses01F_impro01_M001" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("\tneu\t", "\tglad\t", r"impro01\.txt: found '\[6\.2901"),
        ("\tneu\t", "\tbor\t", "code 'bor'; expected ang, sad"),
    ],
)
def test_iemocap_faulty_turn(old: str, new: str, fault: str, scenes: Path) -> None:
    path = scenes / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    path.write_text(TURNS.replace(old, new))
    with pytest.raises(CorpusError, match=fault):
        iemocap.load(scenes)


def test_iemocap_without_a_session(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no session; .*Name the folder that holds Session1"):
        iemocap.load(tmp_path)


# ------------------------------------------------------------------------------------------------------ MELD

HEADER = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
)
LINE = '1,"Oh, you’re here!",Anna,joy,positive,0,3,8,21,"00:16:16,059","00:16:21,731"'


@pytest.fixture
def dialogue(place: Place) -> Path:
    folder = place(
        "MELD.Raw/train/train_splits/dia0_utt3.mp4",
        "MELD.Raw/train/train_splits/wav/dia0_utt3.wav",
        "MELD.Raw/output_repeated_splits_test/dia0_utt3.mp4",
    )
    for split in ("train", "dev", "test"):
        (folder / f"{split}_sent_emo.csv").write_text(f"{HEADER}\n{LINE}\n", encoding="utf-8")
    return folder


def test_meld(dialogue: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    train, dev, test = meld.load(dialogue)
    assert (train.id, train.speaker, train.emotion) == ("meld:train:dia0_utt3", "meld:Anna", "happy")
    assert (train.recording, train.position) == ("meld:train:dia0", 3)
    assert train.transcript is not None
    assert train.transcript.text == "Oh, you’re here!"
    assert train.audio == dialogue / "MELD.Raw/train/train_splits/wav/dia0_utt3.wav"
    assert (dev.audio, dev.split) == (None, "dev")
    assert test.audio == dialogue / "MELD.Raw/output_repeated_splits_test/dia0_utt3.mp4"
    assert "1 lines without a clip: meld:dev:dia0_utt3" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Speaker", "Who", "columns"),
        (",joy,", ",bored,", r"dev_sent_emo\.csv:2: found Emotion 'bored'"),
        (",0,3,", ",0,x,", r"dev_sent_emo\.csv:2: found Utterance_ID 'x'"),
    ],
)
def test_meld_faulty_table(old: str, new: str, fault: str, dialogue: Path) -> None:
    (dialogue / "dev_sent_emo.csv").write_text(f"{HEADER}\n{LINE}\n".replace(old, new), encoding="utf-8")
    with pytest.raises(CorpusError, match=fault):
        meld.load(dialogue)
