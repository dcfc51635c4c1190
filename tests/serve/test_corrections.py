"""What people say about passages: kept for the passage they meant, listed, taken back."""

from pathlib import Path

from emojudge.emotions import EMOTIONS
from emojudge.records import Attributes, Passage, Prediction
from emojudge.serve.base import Base
from emojudge.serve.corrections import Corrections
from emojudge.serve.jobs import Options, Store
from emojudge.serve.schema import CorrectionRequest
from tests.serve.serving import Server


def passage(start: float, end: float, sad: float) -> Passage:
    scores = {name: sad if name == "sad" else (1 - sad) / 7 for name in EMOTIONS}
    prediction = Prediction(
        id=f"{start}", emotion="sad", scores=scores,
        attributes=Attributes(valence=2, arousal=3, dominance=4),
        attributes_from={"valence": "derived", "arousal": "derived", "dominance": "derived"},
        modalities=("audio",), bundle="b",
    )  # fmt: skip
    return Passage(start=start, end=end, prediction=prediction)


def test_places_are_those_of_the_timeline_where_turns_overlap(tmp_path: Path) -> None:
    """A short turn within a long one ends first, and comes after it in the timeline."""
    base = Base(tmp_path / "jobs.sqlite")
    store, corrections = Store(tmp_path, base), Corrections(base)
    job = store.new_id()
    store.add(job, "call", Options())
    begun = store.begin()
    assert begun is not None
    short, long, last = passage(2, 3, 0.9), passage(0, 5, 0.5), passage(6, 7, 0.7)
    assert store.note(begun, [short, long, last], 7.0)
    assert store.end(begun, "done", audio_kept=True)
    found = store.get(job, timeline=True)
    assert found is not None
    assert found.timeline is not None
    assert found.timeline.passages == (long, short, last)
    assert [store.passage(job, place) for place in range(4)] == [long, short, last, None]
    assert [(one.number, one.passage) for one in corrections.doubtful(9)] == [
        (0, long),
        (2, last),
        (1, short),
    ]
    kept = corrections.add(CorrectionRequest(job=job, passage=1, emotion="fear"), short, True)
    assert (kept.passage, kept.emotion, kept.before) == (1, "fear", "sad")
    assert [one.number for one in corrections.doubtful(9)] == [0, 2]
    assert corrections.of(job) == corrections.of() == [kept]
    assert corrections.of(store.new_id()) == []
    assert corrections.delete(job, 1)
    assert not corrections.delete(job, 1)
    assert [one.number for one in corrections.doubtful(9)] == [0, 2, 1]
    base.close()


def test_what_is_not_there_cannot_be_taken_back(server: Server) -> None:
    assert server.ask("DELETE", f"/v1/corrections/{'0' * 32}/3").status == 404
    assert server.ask("DELETE", "/v1/corrections/x/3").status == 422
    assert server.ask("GET", "/v1/corrections?job=x").status == 422
    assert server.ask("GET", f"/v1/corrections?job={'0' * 32}").json == {"corrections": []}
