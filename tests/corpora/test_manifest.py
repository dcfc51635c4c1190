"""A manifest gives back what was written."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emojudge.corpora import load_corpus, manifest
from emojudge.emotions import EMOTIONS, SECONDARY
from emojudge.errors import CorpusError
from emojudge.records import Attributes, Transcript, Utterance
from tests.corpora.msp_layout import clips, write_release

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('\n\r",;')).map(str.strip)
names = st.text(st.characters(categories=("L", "Nd")), min_size=1, max_size=5)
ratings = st.floats(1, 7)
utterances = st.builds(
    Utterance,
    id=names,
    transcript=texts.filter(bool).map(lambda t: Transcript(text=t, source="manifest.csv")),
    speaker=st.none() | names,
    gender=st.sampled_from(["female", "male", None]),
    split=st.none() | names,
    emotion=st.none() | st.sampled_from(EMOTIONS),
    label=st.none() | names,
    intensity=st.none() | names,
    votes=st.none() | st.sampled_from(EMOTIONS).map(lambda e: {e: 1.0}),
    other_votes=st.none() | st.floats(0, 1),
    secondary=st.none() | st.dictionaries(st.sampled_from(SECONDARY), st.floats(0.01, 1.0)),
    attributes=st.none() | st.builds(Attributes, valence=ratings, arousal=ratings, dominance=ratings),
    words_per_second=st.none() | st.floats(0.1, 20),
    recording=st.none() | names,
    position=st.none() | st.floats(0, 1e6),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=st.lists(utterances, min_size=1, max_size=4, unique_by=lambda u: u.id))
def test_what_was_written_is_read_back(written: list[Utterance], tmp_path: Path) -> None:
    manifest.write(written, tmp_path / "manifest.csv")
    assert load_corpus("table", tmp_path) == written
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.csv"]


def test_msp_podcast_by_way_of_a_manifest_elsewhere(tmp_path: Path) -> None:
    read = load_corpus("msp_podcast", write_release(tmp_path / "copy", "1.12", clips()))
    manifest.write(read, tmp_path / "splits/fold/manifest.csv")
    for was, now in zip(read, load_corpus("table", tmp_path / "splits/fold"), strict=True):
        assert was.audio is not None
        assert now.audio is not None
        assert now.audio.samefile(was.audio)
        assert now.votes == pytest.approx(was.votes)
        assert now.secondary == pytest.approx(was.secondary)
        changed = {"audio": None, "transcript": None, "votes": None, "secondary": None}
        assert now.model_copy(update=changed) == was.model_copy(update=changed)


def test_what_no_table_can_hold_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="u1: found neither audio nor transcript"):
        manifest.write([Utterance(id="u1")], tmp_path / "manifest.csv")
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="expected a file in a folder to write in"):
        manifest.write([Utterance(id="u1", audio=Path("a.wav"))], tmp_path / "file/manifest.csv")
