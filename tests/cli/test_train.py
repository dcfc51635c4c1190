"""`emojudge train` on a corpus of a few lines, with an encoder of a few weights."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

RECIPE = """
name: tiny-text
modality: text
data: [{corpus: table, folder: lines}]
linguistic:
  backbone: {kind: bert, weights: words}
  max_tokens: 16
training: {epochs: 2, batch_size: 16, learning_rates: {encoder: 1.0e-3, head: 1.0e-2}}
"""
WORDS = {"angry": "never call", "sad": "so sad", "happy": "so happy"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a recipe and its corpus."""
    lines = ["id,transcript,emotion,split"]
    for number in range(60):
        emotion = list(WORDS)[number % 3]
        lines.append(f"{number},{WORDS[emotion]},{emotion},{'dev' if number % 5 == 0 else 'train'}")
    (tmp_path / "data" / "lines").mkdir(parents=True)
    (tmp_path / "data" / "lines" / "lines.csv").write_text("\n".join(lines))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


@pytest.fixture
def weights(place: Path, tiny_tokenizer: Path) -> Path:
    torch = pytest.importorskip("torch", reason="needs the extra 'train'")
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=13, **size)).save_pretrained(place / "weights" / "words")
    shutil.copyfile(tiny_tokenizer, place / "weights" / "words" / "tokenizer.json")
    return place / "weights"


def arguments(place: Path) -> list[object]:
    return ["train", place / "recipe.yaml", "--data", place / "data", "--output", place / "run"]


def test_a_training_gives_its_figures_and_goes_on_where_it_was(run: Run, place: Path, weights: Path) -> None:
    result = run(*arguments(place), "--weights", weights)
    assert result.exit_code == 0, result.stderr
    metrics = json.loads(result.stdout)
    assert 0 <= metrics["macro_f1"] <= 1
    assert "tiny-text: 6 of 6" in result.stderr
    assert "the best parameters are in" in result.stderr
    assert (place / "run" / "best.safetensors").is_file()
    again = run(*arguments(place), "--weights", weights, "--format", "table")
    assert again.exit_code == 0
    assert "step" not in again.stderr  # it had come to its end
    assert dict(line.split() for line in again.stdout.splitlines()) == {
        name: f"{value:.4f}" if isinstance(value, float) else str(value) for name, value in metrics.items()
    }


def test_an_interruption_says_how_to_go_on(
    run: Run, place: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emojudge.training import run as training

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    result = run(*arguments(place))
    assert (result.exit_code, result.stdout) == (130, "")
    assert "goes on from the last checkpoint" in result.stderr


def test_a_recipe_with_an_unknown_key(run: Run, place: Path) -> None:
    (place / "recipe.yaml").write_text(RECIPE.replace("epochs", "epoch"))
    result = run(*arguments(place))
    assert result.exit_code == 2
    assert "Did you mean 'epochs'?" in result.stderr


def test_a_corpus_that_is_not_there(run: Run, place: Path, weights: Path) -> None:
    shutil.rmtree(place / "data")
    result = run(*arguments(place), "--weights", weights)
    assert result.exit_code == 2
    assert "found no such file or folder" in result.stderr


def test_without_torch_the_extra_is_named(place: Path) -> None:
    program = f"""
import sys
sys.modules["torch"] = None
from emojudge.cli.main import app
app({[str(argument) for argument in arguments(place)]!r})
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 2
    assert "pip install 'emojudge[train]'" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (place / "run").exists()


def test_a_dry_run_measures_and_keeps_nothing(run: Run, place: Path, weights: Path) -> None:
    before = sorted(place.rglob("*"))
    dry = ("train", place / "recipe.yaml", "--data", place / "data", "--weights", weights, "--dry-run")
    result = run(*dry)
    assert result.exit_code == 0, result.stderr
    assert sorted(place.rglob("*")) == before
    told = json.loads(result.stdout)
    assert (told["train_items"], told["validation_items"]) == (48, 12)
    assert (told["items_per_epoch"], told["steps_per_epoch"], told["steps"]) == (48, 3, 6)
    assert told["parameters"] == told["trained_parameters"] > 1000
    assert told["state_mb"] == pytest.approx(16 * told["parameters"] / 1e6)  # weight, gradient, two moments
    assert told["peak_mb"] > told["state_mb"]
    in_all = 6 * told["seconds_per_step"] + 2 * told["validation_seconds"]
    assert told["total_seconds"] == pytest.approx(in_all)
    table = run(*dry, "--format", "table").stdout
    assert dict(line.split() for line in table.splitlines()).keys() == told.keys()


def test_a_training_without_a_run_folder_is_refused(run: Run, place: Path) -> None:
    result = run("train", place / "recipe.yaml", "--data", place / "data")
    assert result.exit_code == 2
    assert "--output" in result.stderr
