"""From a recipe to its data: splits, repeats, choices, tokenizers; the refusals on the way."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.emotions import EMOTIONS  # noqa: E402
from emojudge.errors import RecipeError, TrainingError  # noqa: E402
from emojudge.recipe import Recipe  # noqa: E402
from emojudge.training.checkpoint import load_checkpoint  # noqa: E402
from emojudge.training.run import load_split, model_and_data, train  # noqa: E402


@pytest.fixture
def home(tmp_path: Path, tiny_tokenizer: Path) -> Path:
    """Two tables of lines, a table of clips, and tiny encoders."""
    from transformers import BertConfig, BertModel, WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=13, **size)).save_pretrained(tmp_path / "words")
    shutil.copyfile(tiny_tokenizer, tmp_path / "words" / "tokenizer.json")
    config = WhisperConfig(d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16)
    WhisperEncoder(config).save_pretrained(tmp_path / "voice")
    lines = {
        "one": [
            ("so sad", "sad", "train"),
            ("so happy", "happy", "train"),
            ("you", "sad", "dev"),
            ("i", "", "train"),
        ],
        "two": [("never", "angry", "train"), ("so happy", "happy", "train"), ("call", "angry", "dev")],
    }
    for name, table in lines.items():
        (tmp_path / name).mkdir()
        rows = [f"{i},{text},{emotion},{split}" for i, (text, emotion, split) in enumerate(table)]
        (tmp_path / name / "manifest.csv").write_text("\n".join(["id,transcript,emotion,split", *rows]))
    (tmp_path / "clips").mkdir()
    rows = ["file,emotion,split"]
    for number in range(4):
        clip = np.random.default_rng(number).normal(0.01, 0.05 + 0.05 * number, 4000)
        soundfile.write(tmp_path / "clips" / f"{number}.wav", clip, 16_000, subtype="FLOAT")
        rows.append(f"{number}.wav,{['sad', 'angry'][number % 2]},{'dev' if number == 3 else 'train'}")
    (tmp_path / "clips" / "manifest.csv").write_text("\n".join(rows))
    return tmp_path


def recipe(home: Path, *sources: dict, modality: str = "text", **options) -> Recipe:
    content = {
        "name": "small",
        "modality": modality,
        "data": [{"corpus": "table", **source} for source in sources],
        "training": {"epochs": 1, "batch_size": 4},
    }
    if modality == "text":
        content["linguistic"] = {"backbone": {"kind": "bert", "weights": "words"}, **options}
    else:
        content["acoustic"] = {
            "backbone": {"kind": "whisper", "weights": "voice"},
            "head_width": 8,
            **options,
        }
    path = home / "recipe.yaml"
    path.write_text(yaml.safe_dump(content))
    return Recipe.read(path)


def test_splits_repeats_and_choices(home: Path):
    chosen = recipe(home, {"folder": "one", "repeat": 2}, {"folder": "two", "repeat": 0.5})
    split = load_split(chosen, home, "train")
    texts = [u.transcript.text for u in split.utterances]
    assert texts == ["so sad", "so happy", "never", "so happy"]  # the line without a label is no example
    assert split.repeats.tolist() == [2, 2, 0.5, 0.5]
    nowhere = set(EMOTIONS) - {"sad", "happy", "angry"}
    possible = [{EMOTIONS[i] for i in np.flatnonzero(row)} for row in split.choices]
    assert possible[:2] == [{"sad", "happy"} | nowhere] * 2
    assert possible[2:] == [{"angry", "happy"} | nowhere] * 2
    assert [u.transcript.text for u in load_split(chosen, home, "validation").utterances] == ["you", "call"]


def votes_of(home: Path, labels: str, split: str) -> list[tuple[str | None, dict | None]]:
    chosen = recipe(home, {"folder": "crowd", "labels": labels})
    return [(u.emotion, u.votes) for u in load_split(chosen, home, split).utterances]


def test_votes_or_consensus(home: Path):
    """Raters' votes are learnt from, or the consensus alone; validation is against the consensus."""
    (home / "crowd").mkdir()
    lines = [
        "1,so sad,sad,,3,1,{}",
        "2,so happy,,no agreement,2,2,{}",
        "3,call,,other,1,0,{}",
        "4,never,,,,,{}",
    ]
    rows = [line.format(split) for split in ("train", "dev") for line in lines]
    named = [f"{split}{row}" for split, row in zip(["t"] * 4 + ["d"] * 4, rows, strict=True)]
    header = "id,text,emotion,label,vote_sad,vote_happy,split"
    (home / "crowd" / "manifest.csv").write_text("\n".join([header, *named]))
    half = {"sad": 0.5, "happy": 0.5}
    soft = [("sad", {"sad": 0.75, "happy": 0.25}), (None, half), (None, {"sad": 1.0})]
    assert votes_of(home, "votes", "train") == soft
    assert votes_of(home, "consensus", "train") == [("sad", None)]
    assert (
        votes_of(home, "votes", "validation") == votes_of(home, "consensus", "validation") == [("sad", None)]
    )


def test_an_utterance_without_a_target_of_the_task_is_no_example(home: Path):
    (home / "rated").mkdir()
    rows = ["text,emotion,valence,arousal,dominance,split", "so sad,,2,3,4,train", "so happy,happy,,,,train"]
    (home / "rated" / "manifest.csv").write_text("\n".join(rows))
    (utterance,) = load_split(recipe(home, {"folder": "rated"}), home, "train").utterances
    assert utterance.emotion == "happy"


def test_an_utterance_without_words_is_left_out_and_counted(home: Path, caplog: pytest.LogCaptureFixture):
    rows = ["id,file,text,emotion,split", "1,0.wav,so sad,sad,train", "2,1.wav,,angry,train"]
    (home / "clips" / "manifest.csv").write_text("\n".join(rows))
    assert len(load_split(recipe(home, {"folder": "clips"}), home, "train").utterances) == 1
    assert "table:clips, train: 1 left out, which have no transcript" in caplog.text
    voices = recipe(home, {"folder": "clips"}, modality="audio")
    assert len(load_split(voices, home, "train").utterances) == 2


def test_a_split_that_a_corpus_does_not_have_is_named(home: Path):
    chosen = recipe(home, {"folder": "one", "validation": ["develop"]}, {"folder": "two"})
    with pytest.raises(RecipeError, match=r"table\.validation: found 'develop'; expected .*dev, train"):
        load_split(chosen, home, "validation")
    empty = recipe(home, {"folder": "one", "validation": []})
    with pytest.raises(TrainingError, match="no labelled utterance with text in validation"):
        load_split(empty, home, "validation")


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
