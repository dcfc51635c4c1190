"""Divisions are disjoint, complete, reproducible, and do not depend on the order of what they divide."""

import math
import random
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojudge.corpora.splits import balanced, holdout, position, speaker_folds
from emojudge.emotions import EMOTIONS
from emojudge.errors import CorpusError
from emojudge.records import Utterance


def corpus(speakers: list[str], each: int = 2) -> list[Utterance]:
    return [Utterance(id=f"{name}/{take}", speaker=name) for name in speakers for take in range(each)]


def ids(utterances: list[Utterance]) -> set[str]:
    return {u.id for u in utterances}


def speakers_of(utterances: list[Utterance]) -> set[str | None]:
    return {u.speaker for u in utterances}


seeds = st.integers(0, 2**32)
names = st.lists(st.text(max_size=6), unique=True, min_size=2, max_size=12)
some_utterances = st.lists(
    st.builds(
        Utterance,
        id=st.text(max_size=8),
        speaker=st.sampled_from(["a", "b", "c", "d"]),
        emotion=st.one_of(st.none(), st.sampled_from(EMOTIONS)),
    ),
    unique_by=lambda u: u.id,
    max_size=40,
)


@given(speakers=names, seed=seeds, data=st.data())
def test_folds(speakers: list[str], seed: int, data: st.DataObject):
    utterances = corpus(speakers)
    count = data.draw(st.integers(2, len(speakers)))
    folds = speaker_folds(utterances, count, seed)
    assert len(folds) == count
    for train, test in folds:
        assert speakers_of(train).isdisjoint(speakers_of(test))
        assert ids(train) | ids(test) == ids(utterances)
    tested = Counter(u.id for _, test in folds for u in test)
    assert set(tested) == ids(utterances)
    assert set(tested.values()) == {1}
    sizes = [len(speakers_of(test)) for _, test in folds]
    assert max(sizes) - min(sizes) <= 1
    shuffled = data.draw(st.permutations(utterances))
    again = speaker_folds(shuffled, count, seed)
    assert [(ids(a), ids(b)) for a, b in folds] == [(ids(a), ids(b)) for a, b in again]


def test_as_many_folds_as_speakers_leave_one_speaker_out():
    folds = speaker_folds(corpus(["a", "b", "c"]), 3, seed=0)
    assert sorted(u for _, test in folds for u in speakers_of(test)) == ["a", "b", "c"]
    assert all(len(speakers_of(test)) == 1 for _, test in folds)


@pytest.mark.parametrize("folds", [-1, 0, 1, 4])
def test_folds_out_of_range(folds: int):
    with pytest.raises(CorpusError, match=f"found {folds} folds; expected 2 to 3"):
        speaker_folds(corpus(["a", "b", "c"]), folds, seed=0)


@given(speakers=names.filter(lambda n: len(n) > 2), seed=seeds, data=st.data())
def test_holdout(speakers: list[str], seed: int, data: st.DataObject):
    utterances = corpus(speakers)
    fractions = {"dev": data.draw(st.floats(0.01, 0.35)), "test": data.draw(st.floats(0.01, 0.35))}
    if sum(max(1, round(f * len(speakers))) for f in fractions.values()) >= len(speakers):
        with pytest.raises(CorpusError, match="speakers"):
            holdout(utterances, fractions, seed)
        return
    parts = holdout(utterances, fractions, seed)
    assert list(parts) == ["train", "dev", "test"]
    held = [speakers_of(part) for part in parts.values()]
    assert set.union(*held) == set(speakers)
    assert sum(map(len, held)) == len(speakers)
    assert sum(map(len, parts.values())) == len(utterances)
    for name, fraction in fractions.items():
        assert len(speakers_of(parts[name])) == max(1, round(fraction * len(speakers)))
    shuffled = data.draw(st.permutations(utterances))
    again = holdout(shuffled, dict(reversed(fractions.items())), seed)
    assert {name: ids(part) for name, part in parts.items()} == {n: ids(p) for n, p in again.items()}


def test_holdout_of_nothing_is_all_for_training():
    utterances = corpus(["a", "b"])
    assert holdout(utterances, {}, seed=0) == {"train": utterances}


@pytest.mark.parametrize(
    "fractions",
    [*({"dev": bad} for bad in (0.0, -0.1, 1.0, math.nan)), {"dev": 0.5, "test": 0.5}, {"train": 0.5}],
)
def test_holdout_fractions_out_of_range(fractions: dict[str, float]):
    with pytest.raises(CorpusError, match="over 0 and together under 1"):
        holdout(corpus(["a", "b", "c"]), fractions, seed=0)


def test_holdout_needs_a_speaker_for_training():
    with pytest.raises(CorpusError, match="found 2 speakers; expected over 2"):
        holdout(corpus(["a", "b"]), {"dev": 0.1, "test": 0.1}, seed=0)


def test_unknown_speakers_are_refused():
    utterances = [*corpus(["a", "b"]), Utterance(id="x"), Utterance(id="y")]
    with pytest.raises(CorpusError, match="x: found no speaker, nor in 1 more"):
        speaker_folds(utterances, 2, seed=0)
    with pytest.raises(CorpusError, match="x: found no speaker"):
        holdout(utterances, {"dev": 0.1}, seed=0)


@settings(max_examples=60)
@given(utterances=some_utterances, seed=seeds, data=st.data())
def test_balanced(utterances: list[Utterance], seed: int, data: st.DataObject):
    counts = Counter(u.emotion for u in utterances if u.emotion)
    rarest = min(counts.values(), default=0)
    per_class = data.draw(st.one_of(st.just("half_rarest"), st.integers(0, rarest + 1)))
    size = rarest // 2 if per_class == "half_rarest" else per_class
    if not 1 <= size <= rarest:
        with pytest.raises(CorpusError, match="enough of each emotion"):
            balanced(utterances, per_class, seed)
        return
    chosen, rest = balanced(utterances, per_class, seed)
    assert Counter(u.emotion for u in chosen) == dict.fromkeys(counts, size)
    assert ids(chosen).isdisjoint(ids(rest))
    assert len(chosen) + len(rest) == len(utterances)
    again, _ = balanced(data.draw(st.permutations(utterances)), per_class, seed)
    assert ids(again) == ids(chosen)


def test_half_rarest_makes_the_papers_dev_2():
    available = dict(zip(EMOTIONS, [7000, 2800, 7500, 1200, 591, 650, 1400, 8000], strict=True))
    development = [
        Utterance(id=f"{emotion}{n}", emotion=emotion)
        for emotion in EMOTIONS
        for n in range(available[emotion])
    ]
    chosen, rest = balanced(development, "half_rarest", seed=2025)
    assert len(chosen) == 8 * 295
    assert len(rest) == len(development) - len(chosen)


def test_another_seed_draws_others():
    utterances = corpus([f"s{n}" for n in range(40)])
    drawn = {frozenset(ids(holdout(utterances, {"dev": 0.2}, seed)["dev"])) for seed in range(5)}
    assert len(drawn) == 5


def test_parts_keep_the_order_of_the_corpus():
    utterances = corpus([f"s{n}" for n in range(20)])
    random.Random(0).shuffle(utterances)
    order = {u.id: rank for rank, u in enumerate(utterances)}
    for part in holdout(utterances, {"dev": 0.3}, seed=1).values():
        assert [order[u.id] for u in part] == sorted(order[u.id] for u in part)


def test_draws_never_change():
    """Published figures rest on them, on every platform: these values were once drawn and stay."""
    assert position("emodb:03") == 0.017309232515064443
    parts = holdout(corpus([f"s{n}" for n in range(10)], each=1), {"dev": 0.2, "test": 0.2}, seed=7)
    assert {name: sorted(ids(part)) for name, part in parts.items() if name != "train"} == {
        "dev": ["s1/0", "s7/0"],
        "test": ["s4/0", "s9/0"],
    }


def test_draws_do_not_depend_on_the_process():
    code = (
        "from emojudge.corpora.splits import position, speaker_folds\n"
        "from emojudge.records import Utterance\n"
        "folds = speaker_folds([Utterance(id=s, speaker=s) for s in 'abcdefgh'], 3, 5)\n"
        "print(position('x'), [[u.id for u in test] for _, test in folds])"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


@given(name=st.text(), seed=seeds)
def test_positions_lie_from_0_to_below_1(name: str, seed: int):
    assert 0 <= position(name, seed) < 1
