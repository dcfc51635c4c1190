"""A recipe's model: its weights, its tokenizer, what it normalises by."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.errors import RecipeError
from emojudge.training.model import model_and_data
from emojudge.training.run import train
from emojudge.training.split import load_split
from tests.training.recipes import recipe


def test_corpus_normalisation_is_the_training_splits(home: Path):
    chosen = recipe(home, {"folder": "clips"}, modality="audio", normalisation="corpus")
    trained = train(chosen, home, home / "run", home)
    every = np.concatenate([soundfile.read(home / "clips" / f"{n}.wav")[0] for n in range(3)])
    assert float(trained.model.mean) == pytest.approx(every.mean(), abs=1e-6)
    assert float(trained.model.deviation) == pytest.approx(every.std(), abs=1e-6)
    model, make = model_and_data(chosen, home)
    make(load_split(chosen, home, "validation"), False)
    assert (float(model.mean), float(model.deviation)) == (0, 1)  # validation sets nothing


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_a_folder_without_a_tokenizer(home: Path, content: str | None):
    (home / "words" / "tokenizer.json").unlink()
    if content is not None:
        (home / "words" / "tokenizer.json").write_text(content)
    with pytest.raises(RecipeError, match=r"no tokenizer.*expected a tokenizer\.json"):
        model_and_data(recipe(home, {"folder": "one"}), home)


def test_weights_that_are_not_there(home: Path):
    chosen = recipe(home, {"folder": "one"})
    with pytest.raises(RecipeError, match=r"backbone\.weights: found '.*elsewhere/words'"):
        model_and_data(chosen, home / "elsewhere")
