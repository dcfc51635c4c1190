"""Tuning: the quickest way that keeps the labels, remembered for this bundle on this machine alone."""

from pathlib import Path

import pytest

import emojudge
from emojudge import tune as module
from emojudge.bundle import tuned
from emojudge.bundle.format import Bundle, LinguisticPart
from emojudge.bundle.quantise import Agreement
from emojudge.bundle.tuned import Tuned, Way, as_tuned, forget, int8_folder, record, remember, remembered
from emojudge.errors import EmojudgeError
from emojudge.records import Transcript, Utterance
from emojudge.tune import Trial, quickest, race, tune, ways

EXAMPLE = Path(__file__).parents[1] / "examples" / "two_voices.flac"
FEELING = ("I am so happy", "leave me alone", "he died last night", "what on earth")
WORDS = [
    Utterance(id=f"{n}", transcript=Transcript(text=text, source="given")) for n, text in enumerate(FEELING)
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def embedded() -> Bundle:
    return Bundle.open()


def kept(*found: Way, **machine: str) -> Tuned:
    return Tuned(machine={**tuned.machine(), **machine}, date="2026-01-01", utterances=300, ways=found)


def trial(engine: str, *passes: float, fault: str = "") -> Trial:
    return Trial(Way(engine=engine, threads=1), list(passes), Agreement(1, 1, 0.0), fault)


def test_nothing_changes_without_a_tuning(embedded: Bundle, cache: Path):
    assert as_tuned(embedded, 0) == (embedded, "onnxruntime", 0)
    assert as_tuned(embedded, 3) == (embedded, "onnxruntime", 3)
    assert list(cache.iterdir()) == []


def test_what_was_found_is_used_where_nothing_else_is_said(embedded: Bundle):
    pytest.importorskip("openvino", reason="needs the extra 'openvino'")
    remember(embedded, kept(Way(engine="openvino", threads=2), Way(engine="onnxruntime", threads=1)))
    assert as_tuned(embedded, 0) == (embedded, "openvino", 2)
    assert as_tuned(embedded, 1) == (embedded, "onnxruntime", 1)
    assert as_tuned(embedded, 7) == (embedded, "onnxruntime", 7)  # nobody measured that
    assert emojudge.load(asr="none")(EXAMPLE).engine == "openvino"
    assert emojudge.load(asr="none", engine="onnxruntime")(EXAMPLE).engine == "onnxruntime"


@pytest.mark.parametrize("change", [{"processor": "another"}, {"cores": "99"}, {"onnxruntime": "1.0"}])
def test_what_another_machine_found_is_stale(embedded: Bundle, change: dict[str, str]):
    remember(embedded, kept(Way(engine="openvino", threads=2), **change))
    assert remembered(embedded) is None
    assert as_tuned(embedded, 0) == (embedded, "onnxruntime", 0)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"ways": []}'])
def test_a_damaged_record_is_none(embedded: Bundle, content: bytes):
    remember(embedded, kept(Way(threads=1)))
    record(embedded).write_bytes(content)
    assert remembered(embedded) is None


def test_another_bundle_has_a_record_of_its_own(embedded: Bundle, tmp_path: Path):
    remember(embedded, kept(Way(threads=1)))
    other = tmp_path / "other"
    other.mkdir()
    (other / "bundle.json").write_text("{}")
    assert remembered(Bundle(other, embedded.manifest)) is None


def test_an_8_bit_copy_that_is_gone_is_not_missed(embedded: Bundle):
    remember(embedded, kept(Way(weights="int8", threads=1)))
    assert as_tuned(embedded, 0) == (embedded, "onnxruntime", 0)


def test_forgetting(embedded: Bundle):
    assert not forget(embedded)
    remember(embedded, kept(Way(threads=1)))
    int8_folder(embedded).mkdir()
    assert forget(embedded)
    assert list(record(embedded).parent.iterdir()) == []


def test_the_quickest_is_chosen_by_medians_if_it_keeps_the_labels_and_saves_enough():
    plain = trial("onnxruntime", 2.0, 1.0, 9.0)
    lucky, quick = trial("a", 0.1, 3.0, 3.0), trial("b", 1.5, 1.6, 1.7)
    assert quickest([plain, lucky, quick], plain) is quick
    assert (
        quickest([plain, trial("wrong", 0.1, fault="under 99.5% of the labels stayed"), lucky], plain)
        is plain
    )
    assert quickest([plain, trial("hardly", 1.95)], plain) is plain


def test_every_way_is_tried_and_nothing_remembered_yet(embedded: Bundle, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("onnx", reason="needs the extra 'train'")
    pytest.importorskip("openvino", reason="needs the extra 'openvino'")
    monkeypatch.setattr(module, "PASSES", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    done: list[int] = []
    tuning = tune(embedded, [*WORDS, Utterance(id="voice", audio=EXAMPLE)], least=0.0, progress=done.append)
    assert sum(done) == module.steps(embedded) == len(ways(embedded, 1)) == 4
    by_way = {(t.way.engine, t.way.weights): t for t in tuning.trials}
    plain = by_way["onnxruntime", "own"]
    assert plain.agreement == Agreement(5, 5, 0.0)
    assert by_way["onnxruntime", "int8"].agreement.largest > 0  # type: ignore[union-attr]
    assert by_way["openvino", "own"].agreement.utterances == 5  # type: ignore[union-attr]
    assert all(t.passes or t.fault for t in tuning.trials)
    assert remembered(embedded) is None
    assert int8_folder(embedded).exists() == (tuning.tuned.ways[0].weights == "int8")


def test_torch_is_tried_where_a_bundle_has_weights_for_it(embedded: Bundle, tmp_path: Path):
    pytest.importorskip("torch", reason="needs the extra 'train'")
    from tests.bundle.tiny_models import keeping, words

    part = LinguisticPart(temperature=1.0, max_tokens=16, attributes=True, languages=("en",))
    bundle = keeping(tmp_path, linguistic=(words("bert"), part))
    tried = {way.engine for way in ways(bundle, 1)} - {way.engine for way in ways(embedded, 1)}
    assert tried == {"torch", "torch:bfloat16", "torch:float32+compile", "torch:bfloat16+compile"}
    remember(bundle, kept(Way(engine="torch", threads=2)))
    assert as_tuned(bundle, 0) == (bundle, "torch", 2)
    remember(bundle, kept(Way(engine="torch", threads=2), torch="2.0"))  # by another version of it
    assert as_tuned(bundle, 0) == (bundle, "onnxruntime", 0)


def test_a_race_is_against_the_first(embedded: Bundle, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PASSES", 2)
    one, other = (Trial(Way(engine=engine, threads=1)) for engine in ("onnxruntime", "nothing"))
    done: list[int] = []
    race([one, other], WORDS, lambda way: embedded, progress=done.append)
    assert (len(one.passes), one.agreement, len(one.scores)) == (2, Agreement(4, 4, 0.0), 4)
    assert (other.passes, other.scores, other.agreement) == ([], {}, None)
    assert other.fault.startswith("found 'nothing'; expected one of onnxruntime, openvino, torch")
    assert sum(done) == 4


def test_ways_that_move_labels_are_given_up(embedded: Bundle, monkeypatch: pytest.MonkeyPatch):
    class Changed:
        """A recogniser whose every label is another one by any engine but the reference."""

        def __init__(self, bundle: Bundle, *, threads: int, engine: str) -> None:
            self.real = emojudge.Recognizer(bundle, threads=threads)
            self.turned = engine != "onnxruntime"

        def predict(self, utterances: list[Utterance]):  # type: ignore[no-untyped-def]
            for result in self.real.predict(utterances):
                assert isinstance(result, emojudge.Prediction)
                names, values = list(result.scores), list(result.scores.values())
                values = values[1:] + values[:1] if self.turned else values
                yield result.model_copy(update={"scores": dict(zip(names, values, strict=True))})

    monkeypatch.setattr(module, "Recognizer", Changed)
    monkeypatch.setattr(module, "PASSES", 3)
    monkeypatch.setattr(module, "ENGINES", ("onnxruntime", "turned"))
    monkeypatch.setattr(module, "quantise", refused)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    tuning = tune(embedded, WORDS)
    plain, eight_bit, turned = tuning.trials
    assert len(plain.passes) == 3
    assert turned.fault == "under 99.5% of the labels stayed"
    assert len(turned.passes) == 1  # and not timed again
    assert (eight_bit.passes, eight_bit.fault) == ([], "found x; expected y")
    assert tuning.tuned.ways == (Way(threads=1),)


def refused(*_: object) -> None:
    raise EmojudgeError("quantise", found="x", expected="y")


def test_nothing_that_can_be_predicted(embedded: Bundle):
    with pytest.raises(EmojudgeError, match="expected utterances that can be predicted"):
        tune(embedded, [Utterance(id="a", audio=Path("nowhere.wav"))])
