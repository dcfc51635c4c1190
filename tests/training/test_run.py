"""From a recipe to a trained model in a run folder; the refusals on the way."""

import hashlib
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.errors import RecipeError, TrainingError  # noqa: E402
from emojudge.recipe import Recipe  # noqa: E402
from emojudge.training.checkpoint import load_checkpoint  # noqa: E402
from emojudge.training.run import train  # noqa: E402
from tests.training.recipes import recipe  # noqa: E402


def test_a_text_run_from_end_to_end(home: Path):
    trained = train(recipe(home, {"folder": "one"}, {"folder": "two"}), home, home / "run", home)
    assert set(trained.metrics) >= {"macro_f1", "uar", "loss", "epoch"}
    assert (home / "run" / "recipe.json").exists()
    assert (home / "run" / "environment.json").exists()
    again = train(recipe(home, {"folder": "one"}, {"folder": "two"}), home, home / "run", home)
    assert again.metrics == trained.metrics  # it has ended: nothing is trained twice
    with pytest.raises(RecipeError, match="a run of another recipe"):
        train(recipe(home, {"folder": "one"}), home, home / "run", home)


def test_how_processes_share_the_model_may_change_in_a_run(home: Path):
    """As their number may: what is trained stays the same. Alone, a process has the whole model."""
    chosen = recipe(home, {"folder": "one"}, {"folder": "two"})
    trained = train(chosen, home, home / "run", home)
    sharded = chosen.training.model_copy(update={"parallel": "fsdp"})
    other = chosen.model_copy(update={"training": sharded})
    assert train(other, home, home / "run", home).metrics == trained.metrics
    straight = train(other, home, home / "straight", home)
    assert straight.metrics == trained.metrics


@pytest.mark.parametrize("tasks", [["attributes"], ["emotion", "attributes"]])
def test_both_tasks_for_the_voice_with_every_lever(home: Path, tasks: list[str]):
    """Attributes alone and with emotions, weighed layers, mixup, balance, adapters: into a finished run."""
    rows = (home / "clips" / "manifest.csv").read_text().splitlines()
    rated = [
        f"{row},{number + 1},{number + 2},{4 - number},{'fm'[number % 2]}"
        for number, row in enumerate(rows[1:])
    ]
    rated[2] = rated[2].replace("train", "dev")
    header = rows[0] + ",valence,arousal,dominance,gender"
    (home / "clips" / "manifest.csv").write_text("\n".join([header, *rated]))
    chosen = recipe(home, {"folder": "clips"}, modality="audio")
    both = "emotion" in tasks
    content = chosen.model_dump(mode="json")
    content["tasks"] = tasks
    content["acoustic"] |= {"layer_weights": True, "cache_audio": True}
    content["acoustic"]["backbone"] |= {"weights": "deep", "last": 2, "lora": {"rank": 2}}
    content["training"] |= {"select": "ccc", "accumulation": 2, "mixup": {"p": 1.0}, "epochs": 2}
    content["training"]["auxiliary"] = {"gender": 0.5}
    if both:
        levers = {"vector_scaling": {}, "known_prior": "uniform", "balanced": True, "annotation_dropout": 0.2}
        content["training"] |= {**levers, "select": "mean", "gradient_checkpointing": True}
    _deep_voice(home / "deep")
    first = train(Recipe.model_validate(content), home, home / "first", home)
    assert {"ccc", "ccc_valence"} <= set(first.metrics)
    assert ("macro_f1" in first.metrics) == both
    second = content | {"name": "second", "training": content["training"] | {"balanced": both, "epochs": 1}}
    rates = {"encoder": 0, "pooling": 0, "head": 0}
    second["training"]["learning_rates"] = rates
    second["training"]["known_prior"] = second["training"]["auxiliary"] = None  # heads of one stage
    kept = train(Recipe.model_validate(second), home, home / "second", home, start_from=home / "first")
    tensors, _ = load_checkpoint(home / "first" / "best.safetensors")
    assert all(torch.equal(value, tensors[name]) for name, value in kept.model.state_dict().items())
    assert sorted(path.suffix for path in (home / "first" / "audio").iterdir()) == [
        ".i16",
        ".i16",
        ".npy",
        ".npy",
    ]
    said = json.loads((home / "second" / "environment.json").read_text())["start_from"]
    assert said == hashlib.sha256((home / "first" / "best.safetensors").read_bytes()).hexdigest()


def _deep_voice(folder: Path) -> None:
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = WhisperConfig(d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=16)
    WhisperEncoder(config).save_pretrained(folder)


def test_a_stage_that_cannot_start_from_there(home: Path):
    chosen = recipe(home, {"folder": "one"})
    with pytest.raises(TrainingError, match=r"no best\.safetensors; expected a finished run"):
        train(chosen, home, home / "run", home, start_from=home / "nowhere")
    clips = recipe(home, {"folder": "clips"}, modality="audio")
    train(clips, home, home / "voice-run", home)
    with pytest.raises(RecipeError, match="a run of another model"):
        train(chosen, home, home / "run", home, start_from=home / "voice-run")
