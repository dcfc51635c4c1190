"""The paper's systems: their recipes are whole, and differ in what their rows differ in."""

import pytest

from emojudge.challenge.systems import FIGURES, FOLDER, SYSTEMS, recipe, select, stages
from emojudge.errors import ChallengeError

BASES = {"audio", "text"}


def test_every_recipe_belongs_to_a_row_and_every_row_has_its_recipes():
    files = {path.stem for path in FOLDER.glob("*.yaml")}
    trained = {stage for system in SYSTEMS for name in system.models for stage in stages(name)}
    assert trained == files - BASES
    assert len({system.name for system in SYSTEMS}) == len(SYSTEMS)


PAPERS = [system for system in SYSTEMS if not system.more]


@pytest.mark.parametrize("system", PAPERS, ids=lambda system: system.name)
def test_a_row_fits_its_recipes_and_its_table(system):
    for name, modality in ((system.audio, "audio"), (system.text, "text")):
        if name:
            made = recipe(name)
            assert (made.name, made.modality, made.tasks) == (name, modality, (system.task,))
            assert made.training.select == {"emotion": "macro_f1", "attributes": "ccc"}[system.task]
            assert [source.labels for source in made.data] == ["consensus"]
    assert all(len(figures) == len(FIGURES[system.task]) for figures in system.paper.values())


def test_recipes_of_a_table_differ_in_the_backbone_alone():
    first, second = recipe("emotion-wavlm-large"), recipe("emotion-hubert-large")
    assert first.acoustic is not None
    assert second.acoustic is not None
    update = {
        "name": first.name,
        "acoustic": second.acoustic.model_copy(update={"backbone": first.acoustic.backbone}),
    }
    assert second.model_copy(update=update) == first


def test_means_of_the_papers_concordances_are_the_papers():
    for system in SYSTEMS:
        for *attributes, mean in system.paper.values() if system.task == "attributes" else ():
            assert mean == pytest.approx(sum(attributes) / 3, abs=5e-4)


def test_rows_by_name():
    assert [s.name for s in select(["attributes-audio", "emotion-base"])] == [
        "emotion-base",
        "attributes-audio",
    ]
    assert select(None) == PAPERS
    assert [s.name for s in select(["emotion-best"])] == ["emotion-best"]
    with pytest.raises(ChallengeError, match="some of emotion-roberta-refined"):
        select(["wavlm"])


def test_the_best_system_combines_every_lever():
    """In its two stages and its models together; the rows differ in the task alone."""
    emotion, attributes = (select([f"{task}-best"])[0] for task in ("emotion", "attributes"))
    assert (emotion.audio, emotion.text) == (attributes.audio, attributes.text) == ("best", "best-text")
    assert len(emotion.models) == len(set(emotion.models)) == 4
    first, second, text = (recipe(name) for name in (*stages("best"), "best-text"))
    assert first.name == "best-first"
    for made in (first, second, text):
        assert [source.labels for source in made.data] == ["votes"]
        assert made.tasks == ("emotion", "attributes")
        assert made.training.mixup
        assert made.training.auxiliary
    assert first.acoustic == second.acoustic
    assert first.acoustic is not None
    assert first.acoustic.layer_weights
    for made in (first, text):
        assert made.training.vector_scaling
        assert made.training.known_prior == "uniform"
        assert made.training.annotation_dropout
    assert second.training.balanced
    assert second.training.learning_rates.encoder < first.training.learning_rates.encoder / 5
