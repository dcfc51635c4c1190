"""GoEmotions, XED and EmoBank in the layouts of their releases."""

from collections import Counter
from pathlib import Path

import pytest

from emojudge.corpora import emobank, goemotions, xed
from emojudge.errors import CorpusError
from emojudge.records import Utterance

ORIGINAL = [
    "admiration",
    "amusement",
    "anger",
    "annoyance",
    "approval",
    "caring",
    "confusion",
    "curiosity",
    "desire",
    "disappointment",
    "disapproval",
    "disgust",
    "embarrassment",
    "excitement",
    "fear",
    "gratitude",
    "grief",
    "joy",
    "love",
    "nervousness",
    "optimism",
    "pride",
    "realization",
    "relief",
    "remorse",
    "sadness",
    "surprise",
    "neutral",
]
EKMAN = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]


def write(
    folder: Path, labels: list[str], train: str, where: str = "", listing: str = "emotions.txt"
) -> Path:
    home = folder / where
    home.mkdir(parents=True, exist_ok=True)
    (home / listing).write_text("\n".join(labels), encoding="utf-8")
    (home / "train.tsv").write_text(train, encoding="utf-8", newline="")
    (home / "dev.tsv").write_text("On dev.\t0\td1\n", encoding="utf-8", newline="")
    (home / "test.tsv").write_text("On test.\t0\tt1\n", encoding="utf-8", newline="")
    return folder


def texts(utterances: list[Utterance]) -> list[str]:
    return [u.transcript.text for u in utterances if u.transcript]


def test_goemotions_splits_and_records(tmp_path: Path):
    train, dev, test = goemotions.load(write(tmp_path, ORIGINAL, "Oh no!\t25\tid7\n"))
    assert (train.id, train.split, train.emotion, train.votes) == ("goemotions:id7", "train", "sad", None)
    assert train.label is None  # sadness is what sad is called there
    assert (train.language, train.audio, train.speaker) == ("en", None, None)
    assert texts([train]) == ["Oh no!"]
    assert (dev.split, test.split, dev.emotion) == ("dev", "test", "happy")


@pytest.mark.parametrize("where", ["", "data", "original", "data/original"])
@pytest.mark.parametrize("listing", ["emotions.txt", "labels.txt"])
def test_goemotions_layouts(where: str, listing: str, tmp_path: Path):
    assert len(goemotions.load(write(tmp_path, ORIGINAL, "Hm.\t27\tx\n", where, listing))) == 3


@pytest.mark.parametrize(
    ("labels", "numbers", "emotion", "votes"),
    [
        (ORIGINAL, "27", "neutral", None),
        (ORIGINAL, "2,3,10", "angry", None),  # anger, annoyance, disapproval: all one
        (ORIGINAL, "2,25", None, {"angry": 0.5, "sad": 0.5}),
        (ORIGINAL, "0,1,6,27", None, {"happy": 1 / 3, "surprise": 1 / 3, "neutral": 1 / 3}),
        (EKMAN, "6", "surprise", None),
        (EKMAN, "0,1", None, {"angry": 0.5, "disgust": 0.5}),
    ],
)
def test_goemotions_labels(labels, numbers: str, emotion, votes, tmp_path: Path):
    train = goemotions.load(write(tmp_path, labels, f"Text.\t{numbers}\tx\n"))[0]
    assert (train.emotion, train.votes) == (emotion, votes)


def test_goemotions_maps_each_label_as_ekman_mapping_json(tmp_path: Path):
    lines = "".join(f"{name}\t{number}\t{name}\n" for number, name in enumerate(ORIGINAL))
    read = goemotions.load(write(tmp_path, ORIGINAL, lines))
    counts = Counter(u.emotion for u in read if u.split == "train")
    assert counts == {"angry": 3, "disgust": 1, "fear": 2, "happy": 12, "sad": 5, "surprise": 4, "neutral": 1}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"He said ""no"" twice. "', 'He said "no" twice. '),
        ('"""Quoted throughout."""', '"Quoted throughout."'),
        ('"No!" he said', '"No!" he said'),
        ('"', '"'),
        ("one\u2028two\x85three", "one\u2028two\x85three"),
    ],
)
def test_goemotions_quotes_and_odd_characters_never_swallow_lines(written: str, meant: str, tmp_path: Path):
    read = goemotions.load(write(tmp_path, ORIGINAL, f"{written}\t2\ta\r\nNext.\t2\tb\r\n\n"))
    assert texts(read)[:2] == [meant, "Next."]


@pytest.mark.parametrize(
    "line", ["no tabs", "two\tfields", "a\t28\tx", "a\t-1\tx", "a\t\tx", "a\t2,\tx", "a\t2\tx\tmore"]
)
def test_goemotions_faulty_line_is_named(line: str, tmp_path: Path):
    with pytest.raises(CorpusError, match=r"train\.tsv:2: .*label numbers below 28"):
        goemotions.load(write(tmp_path, ORIGINAL, f"Fine.\t1\ty\n{line}\n"))


def test_goemotions_faults_of_files(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"\['positive'\].*28 of GoEmotions"):
        goemotions.load(write(tmp_path / "a", ["neutral", "positive"], "A\t0\tx\n"))
    (write(tmp_path / "b", ORIGINAL, "A\t0\tx\n") / "dev.tsv").unlink()
    with pytest.raises(CorpusError, match=r"expected dev\.tsv"):
        goemotions.load(tmp_path / "b")
    (write(tmp_path / "c", ORIGINAL, "A\t0\tx\n") / "emotions.txt").unlink()
    with pytest.raises(CorpusError, match=r"emotions\.txt or labels\.txt"):
        goemotions.load(tmp_path / "c")
    (write(tmp_path / "d", ORIGINAL, "") / "train.tsv").write_bytes(b"caf\xe9\t0\tx\n")
    with pytest.raises(CorpusError, match=r"train\.tsv: .*not UTF-8"):
        goemotions.load(tmp_path / "d")


def write_xed(folder: Path, annotated: str, neutral: str = "9\tOne moment please.\n") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "en-annotated.tsv").write_text(annotated, encoding="utf-8", newline="")
    (folder / "neu_en.txt").write_text(neutral, encoding="utf-8", newline="")
    return folder


@pytest.mark.parametrize(
    ("numbers", "emotion", "votes"),
    [
        ("1", "angry", None),
        ("3", "disgust", None),
        ("4", "fear", None),
        ("5", "happy", None),
        ("6", "sad", None),
        ("7", "surprise", None),
        ("2", None, None),  # anticipation
        ("8, 2", None, None),  # trust and anticipation
        ("8, 5", "happy", None),
        ("1, 4, 7", None, {"angry": 1 / 3, "fear": 1 / 3, "surprise": 1 / 3}),
        ("2, 3, 6", None, {"disgust": 0.5, "sad": 0.5}),
    ],
)
def test_xed_labels(numbers: str, emotion, votes, tmp_path: Path):
    first, neutral = xed.load(write_xed(tmp_path, f"So get up .\t{numbers}\r\n"))
    assert (first.emotion, first.votes) == (emotion, votes)
    assert (neutral.emotion, texts([first, neutral])) == ("neutral", ["So get up .", "One moment please."])


def test_xed_as_released(tmp_path: Path):
    (tmp_path / "XED").mkdir()
    write_xed(tmp_path / "XED/AnnotatedData", "Run!\t4\r\n", "9\tNothing\t\t\t\n\t\t\t\t\n9\tWho?\n")
    read = xed.load(tmp_path / "XED")
    assert texts(read) == ["Run!", "Nothing", "Who?"]
    assert [u.id for u in read] == ["xed:1", "xed:neutral:1", "xed:neutral:3"]


def test_xed_splits_by_text(tmp_path: Path):
    lines = [f"Line {number} ." for number in range(4000)]
    annotated = "".join(f"{line}\t1\r\n{line.upper()} \t5\r\n" for line in lines)
    read = xed.load(write_xed(tmp_path, annotated, "".join(f"9\t{line}\n" for line in lines)))
    by_text: dict[str, set[str | None]] = {}
    for utterance, text in zip(read, texts(read), strict=True):
        by_text.setdefault(text.lower(), set()).add(utterance.split)
    assert all(len(splits) == 1 for splits in by_text.values())
    shares = Counter(next(iter(splits)) for splits in by_text.values())
    assert shares["train"] / 4000 == pytest.approx(0.9, abs=0.02)
    assert shares["dev"] / 4000 == pytest.approx(0.05, abs=0.015)
    assert shares["test"] / 4000 == pytest.approx(0.05, abs=0.015)


def test_xed_splits_never_change(tmp_path: Path):
    """Published figures rest on them: a change of the hash must not go unnoticed."""
    read = xed.load(write_xed(tmp_path, "".join(f"{number}\t1\r\n" for number in range(80))))
    found = {split: [u.id for u in read if u.split == split] for split in ("dev", "test")}
    assert found == {
        "dev": ["xed:27", "xed:34", "xed:36", "xed:51", "xed:59"],
        "test": ["xed:25", "xed:35", "xed:67"],
    }


@pytest.mark.parametrize("line", ["no tab", "a\t9", "a\t", "a\t1;2", "a\tb\t1"])
def test_xed_faulty_line_is_named(line: str, tmp_path: Path):
    with pytest.raises(CorpusError, match=r"en-annotated\.tsv:2: .*numbers 1\.\.8"):
        xed.load(write_xed(tmp_path, f"Fine\t1\r\n{line}\r\n"))


@pytest.mark.parametrize("line", ["no tab", "8\ta", "9\ta\tb"])
def test_xed_faulty_neutral_line_is_named(line: str, tmp_path: Path):
    with pytest.raises(CorpusError, match=r"neu_en\.txt:2: "):
        xed.load(write_xed(tmp_path, "Fine\t1\r\n", f"9\tFine\n{line}\n"))


def test_xed_without_its_neutral_lines(tmp_path: Path):
    (write_xed(tmp_path, "Fine\t1\r\n") / "neu_en.txt").unlink()
    with pytest.raises(CorpusError, match=r"expected neu_en\.txt"):
        xed.load(tmp_path)


EMOBANK = "id,split,V,A,D,text\n"


def test_emobank(tmp_path: Path):
    content = EMOBANK + 'a_1,train,3.0,5.0,1.0,"He said ""no"", twice"\nb_2,test,2.8,3.1,2.8,Plain\n'
    (tmp_path / "emobank.csv").write_text(content, encoding="utf-8")
    first, second = emobank.load(tmp_path)
    assert (first.id, first.split, first.emotion, first.language) == ("emobank:a_1", "train", None, "en")
    assert first.attributes is not None
    assert first.attributes.model_dump() == {"valence": 4.0, "arousal": 7.0, "dominance": 1.0}
    assert second.attributes is not None
    assert second.attributes.valence == pytest.approx(1 + 1.8 * 1.5)
    assert texts([first, second]) == ['He said "no", twice', "Plain"]
    (tmp_path / "whole/corpus").mkdir(parents=True)
    (tmp_path / "emobank.csv").rename(tmp_path / "whole/corpus/emobank.csv")
    assert emobank.load(tmp_path / "whole") == [first, second]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("a,train,5.1,3,3,x", r"V = '5\.1'; expected a number from 1 to 5"),
        ("a,train,3,nan,3,x", "A = 'nan'"),
        ("a,train,3,3,,x", "D = ''"),
        ("a,training,3,3,3,x", "split 'training'"),
        ("a,train,3,3,3", "5 fields; expected 6 fields"),
        ("a,train,3,3,3,x,y", "7 fields"),
        ('a,train,3,3,3,"x', "unexpected end of data"),
    ],
)
def test_emobank_faulty_row_is_named(row: str, fault: str, tmp_path: Path):
    (tmp_path / "emobank.csv").write_text(f"{EMOBANK}b,dev,3,3,3,x\n{row}\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=rf"emobank\.csv:3: found {fault}"):
        emobank.load(tmp_path)


def test_emobank_with_other_columns(tmp_path: Path):
    (tmp_path / "emobank.csv").write_text("id,V,A,D,text\nb,3,3,3,x\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"columns \['id', 'V', 'A', 'D', 'text'\]"):
        emobank.load(tmp_path)
