"""The paper's systems: their recipes are whole, and differ in what their rows differ in."""

import pytest

from emojudge.challenge.systems import FIGURES, FOLDER, SYSTEMS, recipe, select
from emojudge.errors import ChallengeError

BASES = {"audio", "text"}


def test_every_recipe_belongs_to_a_row_and_every_row_has_its_recipes():
    files = {path.stem for path in FOLDER.glob("*.yaml")}
    assert {name for system in SYSTEMS for name in system.models} == files - BASES
    assert len({system.name for system in SYSTEMS}) == len(SYSTEMS)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
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
    with pytest.raises(ChallengeError, match="some of emotion-roberta-refined"):
        select(["wavlm"])
