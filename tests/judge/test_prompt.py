"""Prompts: the templates that come along, those of users, and the examples that they show."""

from collections.abc import Callable
from pathlib import Path

import pytest

from emojudge.emotions import EMOTIONS
from emojudge.errors import JudgeError
from emojudge.judge.examples import Examples, correct_predictions
from emojudge.judge.exchange import Sampling
from emojudge.judge.prompt import PARAPHRASES, Example, Prompt, Question
from emojudge.judge.steps import STEPS, Scales
from emojudge.records import Attributes, Evidence, Turn

Make = Callable[..., Evidence]
OWN = "You judge speech: $categories. $rule\n$examples\n---\n$case\nFor 5 $$: $answer"


def whole(prompt: Prompt, evidence: Evidence, *examples: Example) -> str:
    question = Question(prompt, "m", prompt.form)
    return "\n".join(message.content for message in question.request(evidence, examples).messages)


@pytest.mark.parametrize("name", [*PARAPHRASES["emotion"], *PARAPHRASES["attributes"], "paper"])
def test_every_template_tells_the_case(evidence: Make, name: str) -> None:
    prompt = Prompt.load(name)
    text = whole(prompt, evidence("I see.", "fear", speaker="anna", gender="female"))
    assert '"transcript": "I see.", "speaker": "anna, female"' in text
    assert "$" not in text
    if prompt.task == "emotion":
        assert '"recogniser\'s emotion": "fear"' in text
        assert all(emotion in text for emotion in EMOTIONS)
    else:
        assert '"valence": "moderate"' in text
        assert all(step in text for step in STEPS)


def test_there_are_three_wordings_of_each_task() -> None:
    for names in PARAPHRASES.values():
        assert len({Prompt.load(name).hash for name in names}) >= 3


def test_the_papers_prompt_tells_what_the_paper_tells(evidence: Make) -> None:
    item = evidence(turns=(Turn(text="Before."),), audio_scores={"sad": 1.0})
    text = whole(Prompt.load("paper"), item)
    assert "You are an emotion recognition expert." in text
    assert "Before." not in text
    assert "scores" not in text
    assert '"said before"' in whole(Prompt.load("default"), item)


def test_a_template_of_ones_own(evidence: Make, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text(OWN, encoding="utf-8")
    text = whole(Prompt.load(file), evidence())
    assert text.startswith("You judge speech: angry, sad")
    assert "For 5 $: Answer with one JSON object" in text
    file.write_text("form: letter\nfields: transcript voice\n---\n" + OWN, encoding="utf-8")
    prompt = Prompt.load(str(file))
    assert (prompt.form, prompt.fields) == ("letter", ("transcript", "voice"))
    assert '{"transcript": ' in whole(prompt, evidence())
    assert "recogniser" not in whole(prompt, evidence())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OWN.replace("$case", ""), r"found no \$case"),
        (OWN.replace("$rule", ""), r"found no \$rule"),
        (OWN.replace("$answer", "$anser"), r"\$anser.*Did you mean \$answer\?"),
        (OWN.replace("$case", "${case.__class__}"), "begins no name"),
        (OWN.replace("$$", "$ 5"), "begins no name"),
        ("$case " + OWN.replace("---\n$case", "---\n"), r"found no \$case"),
        ("no line between", r"found 1 part"),
        ("form: poem\n---\n" + OWN, "'form: poem'"),
        ("forms: json\n---\n" + OWN, "'forms: json'"),
        ("fields: transcript secrets\n---\n" + OWN, "secrets"),
    ],
)
def test_templates_that_cannot_be_filled(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    with pytest.raises(JudgeError, match=expected):
        Prompt.load(tmp_path / "t.txt")


def test_a_missing_template_is_told(tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match="default"):
        Prompt.load(tmp_path / "none.txt")
    with pytest.raises(JudgeError):
        Prompt.load("../prompt")


def test_requests_are_known_by_all_that_matters(evidence: Make) -> None:
    prompt = Prompt.load("default")
    asked = Question(prompt, "m", "json")
    key = asked.request(evidence()).key
    assert key == Question(prompt, "m", "json").request(evidence(id="other")).key
    others = [
        Question(prompt, "n", "json").request(evidence()),
        Question(prompt, "m", "word").request(evidence()),
        Question(prompt, "m", "json", Sampling(temperature=0)).request(evidence()),
        Question(prompt, "m", "json", labels=("sad", "happy")).request(evidence()),
        Question(Prompt.load("second"), "m", "json").request(evidence()),
        asked.request(evidence("Other words")),
        asked.request(evidence(), [Example(evidence=evidence("x"))]),
    ]
    assert len({key, *(request.key for request in others)}) == len(others) + 1


# ---------------------------------------------------------------------------------------------- examples


@pytest.fixture
def pool(evidence: Make) -> list[Example]:
    return [
        Example(
            evidence=evidence(f"{emotion} words number {i}", emotion, id=f"{emotion}{i}"), emotion=emotion
        )
        for emotion in EMOTIONS[:4]
        for i in range(2 if emotion == "sad" else 9)
    ]


def test_balanced_examples_are_drawn_by_seed(pool: list[Example], evidence: Make) -> None:
    shown = Examples(pool, 12).shown(evidence())
    counts = {emotion: sum(e.emotion == emotion for e in shown) for emotion in EMOTIONS[:4]}
    assert sorted(counts.values()) == [2, 3, 3, 4]
    assert counts["sad"] == 2  # it has no more
    assert shown == Examples(list(reversed(pool)), 12).shown(evidence("else"))
    assert shown != Examples(pool, 12, seed=1).shown(evidence())


def test_nearest_examples_share_words(pool: list[Example], evidence: Make) -> None:
    more = [*pool, Example(evidence=evidence("My dog ran away", "sad", id="dog"), emotion="sad")]
    shown = Examples(more, 3, "nearest").shown(evidence("Where did the dog go away to?"))
    assert shown[-1].evidence.id == "dog"
    assert Examples(more, 3, "nearest").shown(evidence("Κανένα")) == ()
    assert len(Examples(more, 3, "nearest").shown(evidence("words of a number"))) == 3


def test_what_is_judged_is_never_an_example(pool: list[Example]) -> None:
    for choice in ("balanced", "nearest"):
        with pytest.raises(JudgeError, match="also in the pool of examples"):
            Examples(pool, 2, choice).shown(pool[-1].evidence)


def test_only_correct_predictions_are_examples(evidence: Make) -> None:
    right, wrong = evidence("a", "sad"), evidence("b", "sad")
    assert [e.evidence for e in correct_predictions([(right, "sad"), (wrong, "happy"), (wrong, None)])] == [
        right
    ]
    with pytest.raises(JudgeError, match="sad predicted for happy"):
        Examples([Example(evidence=wrong, emotion="happy")])
    with pytest.raises(JudgeError, match="more than once"):
        Examples([Example(evidence=right), Example(evidence=right)])


def test_examples_are_shown_with_their_answer(evidence: Make) -> None:
    example = Example(evidence=evidence("Shown.", "fear", id="e"), emotion="fear")
    for form, label in (("json", "Correct: fear"), ("letter", "Correct: F")):
        question = Question(Prompt.load("default"), "m", form)  # type: ignore[arg-type]
        assert label in question.request(evidence(), [example]).messages[0].content
    rated = Example(evidence=evidence("Shown."), attributes=Attributes(valence=1, arousal=4, dominance=7))
    question = Question(Prompt.load("attributes"), "m", "ratings")
    expected = "Correct: valence very low, arousal moderate, dominance very high"
    assert expected in question.request(evidence(), [rated]).messages[0].content


# ------------------------------------------------------------------------------------------------ scales


def test_scales_follow_the_labels_of_a_corpus() -> None:
    labels = [Attributes(valence=3 + i / 100, arousal=4, dominance=1 + 6 * i / 99) for i in range(100)]
    scales = Scales.of(labels)
    assert scales.words(labels[0])["valence"] == "very low"
    assert scales.words(labels[50])["valence"] == "moderate"
    assert scales.words(labels[99])["valence"] == "very high"
    assert scales.valence.middles[2] == pytest.approx(3.5, abs=0.02)
    assert Scales.of(labels[:10]) == Scales()
    moved = scales.moved(labels[50], {"valence": "very high", "arousal": None, "dominance": "low"}, 1.0)
    assert moved.valence == scales.valence.middles[4]
    assert moved.arousal == 4
    assert moved.dominance == scales.dominance.middles[1]


def test_a_scale_keeps_to_its_range() -> None:
    for value in (1.0, 2.2, 4.0, 6.9, 7.0):
        for step in range(5):
            for weight in (0.0, 0.5, 1.0):
                assert 1 <= Scales().valence.moved(value, step, weight) <= 7
