"""load_corpus: by name, with plug-ins, with errors that help."""

import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType

import pytest

from emojudge.corpora import ENTRY_POINTS, corpus_names, load_corpus
from emojudge.errors import CorpusError
from emojudge.records import Utterance


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An installed package's module that adds corpora, some of them faulty, and, in vain, `emodb`."""
    module = ModuleType("their_corpora")
    module.load = lambda folder, language="en": [Utterance(id=f"{folder.name}:{language}", split="train")]
    module.twice = lambda folder: [Utterance(id="a"), Utterance(id="b"), Utterance(id="a")]
    module.nothing = lambda folder: []
    module.number = 3
    monkeypatch.setitem(sys.modules, "their_corpora", module)
    objects = {
        "ours": "load",
        "twice": "twice",
        "nothing": "nothing",
        "number": "number",
        "broken": "missing",
    }
    points = [EntryPoint(name, f"their_corpora:{value}", ENTRY_POINTS) for name, value in objects.items()]
    points.append(EntryPoint("emodb", "their_corpora:load", ENTRY_POINTS))

    monkeypatch.setattr("emojudge.plugins.entry_points", EntryPoints(points).select)
    return module


def test_every_reader_of_ours_is_named():
    ours = {"emobank", "emodb", "emogator", "goemotions", "nemo", "ravdess", "table", "xed"}
    ours |= {"crema_d", "iemocap", "meld", "msp_podcast"}
    assert ours <= set(corpus_names())
    assert corpus_names() == sorted(corpus_names())


def test_folder_may_be_a_string(place):
    folder = place("wav/03a01Fa.wav")
    assert load_corpus("emodb", str(folder)) == load_corpus("emodb", folder)


@pytest.mark.parametrize(
    ("name", "meant"), [("emo-db", "emodb"), ("goemotion", "goemotions"), ("xde", "xed")]
)
def test_unknown_name_with_did_you_mean(name: str, meant: str, tmp_path: Path):
    with pytest.raises(CorpusError, match=f"Did you mean '{meant}'"):
        load_corpus(name, tmp_path)


def test_unknown_name_without_a_near_one(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"crema_d, emobank, emodb.*Use 'table'"):
        load_corpus("qqqqqq", tmp_path)


def test_option_that_the_reader_does_not_take(place):
    with pytest.raises(CorpusError, match=r"emodb: found options \['columns'\]; expected .*none"):
        load_corpus("emodb", place("wav/03a01Fa.wav"), columns={})


def test_missing_folder(tmp_path: Path):
    for name in corpus_names():
        with pytest.raises(CorpusError, match="no such"):
            load_corpus(name, tmp_path / "nowhere")


def test_empty_folder_says_what_was_expected(tmp_path: Path):
    expected = {
        "crema_d": "AudioWAV",
        "iemocap": "Session1",
        "meld": r"train_sent_emo\.csv",
        "msp_podcast": r"labels_consensus\.csv",
        "emobank": r"emobank\.csv",
        "emodb": "03a01Fa",
        "emogator": "000001-02-1",
        "goemotions": r"train\.tsv",
        "nemo": "WR0_surprised_64",
        "ravdess": "03-01-05-02-01-02-12",
        "table": "one table",
        "xed": r"en-annotated\.tsv",
    }
    for name, text in expected.items():
        with pytest.raises(CorpusError, match=f"expected.*{text}"):
            load_corpus(name, tmp_path)


def test_plugin_is_listed_and_read_with_its_options(plugin: ModuleType, tmp_path: Path):
    assert "ours" in corpus_names()
    assert load_corpus("ours", tmp_path / "x", language="pl")[0].id == "x:pl"


def test_plugin_does_not_take_over_a_name_of_ours(plugin: ModuleType, place):
    assert load_corpus("emodb", place("wav/03a01Fa.wav"))[0].id == "emodb:03a01Fa"
    assert corpus_names().count("emodb") == 1


@pytest.mark.parametrize(("name", "words"), [("broken", "fails with"), ("number", "is 3")])
def test_plugin_that_does_not_load(name: str, words: str, plugin: ModuleType, tmp_path: Path):
    with pytest.raises(CorpusError, match=f"corpus '{name}': found a plug-in that {words}"):
        load_corpus(name, tmp_path)


def test_plugin_with_ids_twice_or_nothing(plugin: ModuleType, tmp_path: Path):
    with pytest.raises(CorpusError, match="ids more than once: a;"):
        load_corpus("twice", tmp_path)
    with pytest.raises(CorpusError, match="no utterance"):
        load_corpus("nothing", tmp_path)
