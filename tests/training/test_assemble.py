"""From corpora to a bundle and its predictions, with tiny models of the real classes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from emojudge.bundle.format import Bundle
from emojudge.emotions import EMOTIONS
from emojudge.errors import RecipeError, TrainingError
from emojudge.judge.bins import Bins, Reference, add_bins, bins_of
from emojudge.recipe import Recipe
from emojudge.recognizer import Recognizer
from emojudge.records import Prediction, Utterance

pytest.importorskip("torch", reason="needs the extra 'train'")
pytestmark = pytest.mark.slow

PITCHES = {"angry": 400.0, "sad": 120.0, "neutral": 220.0}  # Hz: one look tells which is which
RATINGS = {"angry": "2,6,6", "sad": "1,2,2", "neutral": "4,4,4"}
WORDS = {"angry": "never call", "sad": "so sad", "neutral": "you call"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> Path:
    """Tiny random encoders as `save_pretrained` lays them out."""
    import torch
    from transformers import BertConfig, BertModel, WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    WhisperEncoder(
        WhisperConfig(d_model=32, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=64)
    ).save_pretrained(folder / "voice")
    BertModel(
        BertConfig(
            vocab_size=13, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
        )
    ).save_pretrained(folder / "words")
    shutil.copyfile(tiny_tokenizer, folder / "words" / "tokenizer.json")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six speakers who hum their emotions, and a table of lines."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    (folder / "voices").mkdir()
    (folder / "lines").mkdir()
    rows = ["file,speaker,emotion,valence,arousal,dominance"]
    for speaker in range(6):
        for emotion, pitch in PITCHES.items():
            for take in range(4):
                time = np.arange(int(16_000 * generator.uniform(0.4, 0.8))) / 16_000
                hum = (
                    0.3 * np.sin(2 * np.pi * (pitch + speaker) * time)
                    + generator.normal(size=len(time)) * 0.01
                )
                name = f"{speaker}-{emotion}-{take}.wav"
                soundfile.write(folder / "voices" / name, hum, 16_000)
                rows.append(f"{name},speaker{speaker},{emotion},{RATINGS[emotion]}")
    (folder / "voices" / "manifest.csv").write_text("\n".join(rows))
    lines = ["id,transcript,emotion,split"]
    for number in range(90):
        emotion = list(WORDS)[number % 3]
        lines.append(f"{number},{WORDS[emotion]},{emotion},{'dev' if number % 5 == 0 else 'train'}")
    (folder / "lines" / "manifest.csv").write_text("\n".join(lines))
    return folder


def recipe(folder: Path, modality: str) -> Recipe:
    training = {
        "epochs": 20,
        "batch_size": 16,
        "learning_rates": {"encoder": 1e-3, "pooling": 1e-2, "head": 1e-2},
    }
    content = {
        "audio": {
            "data": [{"corpus": "table", "folder": "voices", "holdout": {"dev": 0.34}}],
            "acoustic": {
                "backbone": {"kind": "whisper", "weights": "voice"},
                "normalisation": "utterance",
                "head_width": 16,
                "dropout": 0.0,
                "max_seconds": 2.0,
            },
        },
        "text": {
            "data": [{"corpus": "table", "folder": "lines"}],
            "linguistic": {
                "backbone": {"kind": "bert", "weights": "words"},
                "max_tokens": 16,
                "dropout": 0.0,
            },
        },
    }[modality]
    path = folder / f"{modality}.yaml"
    path.write_text(
        yaml.safe_dump({"name": f"tiny-{modality}", "modality": modality, "training": training, **content})
    )
    return Recipe.read(path)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, weights: Path, data: Path) -> Path:
    from emojudge.training.run import train

    folder = tmp_path_factory.mktemp("runs")
    for modality in ("audio", "text"):
        train(recipe(folder, modality), data, folder / modality, weights)
    return folder


@pytest.fixture(scope="module")
def bundle(runs: Path, weights: Path, data: Path) -> Bundle:
    from emojudge.training.assemble import assemble

    return assemble(
        runs / "bundle", "hums", data, audio_run=runs / "audio", text_run=runs / "text", weights=weights
    )


def test_the_bundle_recognises_what_it_was_trained_on(bundle: Bundle, data: Path) -> None:
    recognizer = Recognizer(bundle)
    utterances = [Utterance(id=emotion, audio=data / "voices" / f"5-{emotion}-0.wav") for emotion in PITCHES]
    predictions = [p for p in recognizer.predict(utterances) if isinstance(p, Prediction)]
    assert [p.emotion for p in predictions] == list(PITCHES)
    spoken = recognizer(data / "voices" / "5-sad-0.wav", transcript="so sad")
    assert spoken.emotion == "sad"
    assert spoken.modalities == ("audio", "text")


def test_an_emotion_that_no_corpus_shows_is_never_predicted(bundle: Bundle, data: Path) -> None:
    prediction = Recognizer(bundle)(data / "voices" / "0-angry-1.wav", transcript="never call")
    unseen = set(EMOTIONS) - set(PITCHES)
    assert sum(prediction.scores[emotion] for emotion in unseen) < 0.05


def test_the_manifest_tells_how_it_came_about(bundle: Bundle) -> None:
    manifest = json.loads((bundle.folder / "bundle.json").read_text())
    assert manifest["provenance"]["audio"]["recipe"]["name"] == "tiny-audio"
    assert "neutral" in manifest["fusion"]["method"]
    assert set(manifest["hashes"]) == {
        "acoustic.onnx",
        "acoustic_head.onnx",
        "linguistic.onnx",
        "tokenizer.json",
    }
    assert len(manifest["audio"]["embedding_mean"]) == 64


def test_the_fusion_is_calibrated_on_what_it_was_fitted_for(runs: Path, weights: Path, data: Path) -> None:
    """Both halves of the pairs hold every corpus: a fusion of one, calibrated on another, is all doubt."""
    from emojudge.training.assemble import _fit_on_pairs
    from emojudge.training.heldout import HeldOut

    generator = np.random.default_rng(1)
    labels = np.tile(np.arange(3), 200)
    sources = np.repeat(["one", "two"], 300)
    # The second corpus says everything the other way round on most outputs, as a far corpus may.
    logits = generator.normal(size=(600, 8)).astype(np.float32)
    logits[np.arange(600), labels + 3 * (sources == "two")] += 1.5
    fusion = _fit_on_pairs(
        HeldOut(logits, labels, sources, {None}), HeldOut(logits, labels, sources, {"en"}), seed=0
    )
    assert 0.5 < fusion.temperature < 2.0


def test_a_bundle_lends_its_words_to_another(bundle: Bundle, runs: Path, weights: Path, data: Path) -> None:
    from emojudge.training.assemble import assemble

    lender = Bundle.open(shutil.copytree(bundle.folder, runs / "lender"))
    overall = Reference(clips=9, cuts={"pitch": (100.0, 120.0, 220.0, 400.0)})
    lender = add_bins(lender, Bins(extractor="swift-f0 0", source={"hums": 9}, overall=overall))
    again = assemble(
        runs / "again", "again", data, audio_run=runs / "audio", text_run=lender.folder, weights=weights
    )
    assert bins_of(again) == bins_of(lender) is not None
    for name in ("linguistic.onnx", "tokenizer.json"):
        assert again.manifest.hashes[name] == bundle.manifest.hashes[name]
    assert again.manifest.text == bundle.manifest.text
    assert again.manifest.provenance["text"] == bundle.manifest.provenance["text"]
    spoken = Recognizer(again)(data / "voices" / "5-sad-0.wav", transcript="so sad")
    assert (spoken.emotion, spoken.modalities) == ("sad", ("audio", "text"))


def test_a_corpus_that_was_heard_by_all_is_no_stranger(runs: Path, weights: Path, data: Path) -> None:
    from emojudge.training.assemble import assemble

    with pytest.raises(TrainingError, match="one without a corpus of the bundle's own run"):
        assemble(
            runs / "no", "no", data, audio_run=runs / "audio", strangers=[runs / "audio"], weights=weights
        )


def test_strangers_judge_the_corpus_that_they_never_heard(
    runs: Path, weights: Path, data: Path, tmp_path: Path
) -> None:
    from emojudge.training.heldout import Run, voices
    from emojudge.training.run import train

    both, alone = recipe(tmp_path, "audio"), recipe(tmp_path, "audio")
    (tmp_path / "data").mkdir()
    shutil.copytree(data / "voices", tmp_path / "data" / "voices")
    berlin = tmp_path / "data" / "emodb" / "wav"
    berlin.mkdir(parents=True)
    for speaker in ("03", "08", "09"):
        for letter, emotion in (("W", "angry"), ("T", "sad"), ("N", "neutral")):
            shutil.copyfile(data / "voices" / f"1-{emotion}-0.wav", berlin / f"{speaker}a01{letter}a.wav")
    source = {"corpus": "emodb", "folder": "emodb", "holdout": {"dev": 0.34}}
    short = both.training.model_copy(update={"epochs": 1})
    sources = (*both.data, type(both.data[0]).model_validate(source))
    both = both.model_copy(update={"data": sources, "training": short})
    for name, made in (("both", both), ("alone", alone.model_copy(update={"training": short}))):
        train(made, tmp_path / "data", tmp_path / name, weights)
    run, stranger = (Run(tmp_path / name, tmp_path / "data", weights) for name in ("both", "alone"))
    heard, mixed = voices(run), voices(run, [stranger])
    counts = [{str(s): int(np.sum(h.sources == s)) for s in np.unique(h.sources)} for h in (heard, mixed)]
    assert counts[0]["emodb:emodb"] == 2 * 3  # one speaker held out, each clip as it is and augmented
    assert counts[1]["emodb:emodb"] == 2 * 9  # a stranger may judge all of it
    assert counts[0]["table:voices"] == counts[1]["table:voices"]


def test_runs_in_the_wrong_place_are_refused(runs: Path, weights: Path, data: Path, tmp_path: Path) -> None:
    from emojudge.training.assemble import assemble

    with pytest.raises(TrainingError, match="modality 'text'"):
        assemble(tmp_path / "bundle", "mixed-up", data, audio_run=runs / "text", weights=weights)
    with pytest.raises(TrainingError, match="emojudge train"):
        assemble(tmp_path / "bundle", "missing", data, audio_run=tmp_path / "none", weights=weights)
    with pytest.raises(TrainingError, match="an audio run, a text run, or both"):
        assemble(tmp_path / "bundle", "nothing", data, weights=weights)


def test_a_run_folder_belongs_to_one_recipe(runs: Path, weights: Path, data: Path) -> None:
    from emojudge.training.run import train

    other = recipe(runs, "audio").model_copy(update={"name": "another"})
    with pytest.raises(RecipeError, match="another recipe"):
        train(other, data, runs / "audio", weights)


def with_tasks(runs: Path, weights: Path, data: Path, tasks: list[str], epochs: int) -> Path:
    from emojudge.training.run import train

    content = recipe(runs, "audio").model_dump(mode="json")
    name = "-".join(tasks)
    training = content["training"] | {"select": "ccc", "epochs": epochs}
    made = Recipe.model_validate(content | {"name": name, "tasks": tasks, "training": training})
    train(made, data, runs / name, weights)
    return runs / name


def test_a_voices_attributes_are_the_models_where_it_learnt_them(
    runs: Path, weights: Path, data: Path
) -> None:
    from emojudge.training.assemble import assemble

    run = with_tasks(runs, weights, data, ["emotion", "attributes"], 30)
    made = assemble(runs / "both", "both", data, audio_run=run, weights=weights)
    arousal = {}
    for emotion in RATINGS:
        prediction = Recognizer(made)(data / "voices" / f"5-{emotion}-0.wav")
        assert set(prediction.attributes_from.values()) == {"model"}
        arousal[emotion] = prediction.attributes.arousal
    assert arousal["sad"] < arousal["angry"] - 0.5  # rated 2 and 6; the epoch was chosen by these


def test_a_run_of_attributes_alone_is_no_recogniser(runs: Path, weights: Path, data: Path) -> None:
    from emojudge.training.assemble import assemble

    run = with_tasks(runs, weights, data, ["attributes"], 1)
    with pytest.raises(TrainingError, match=r"a run of attributes alone.*tasks: \[emotion, attributes\]"):
        assemble(runs / "none", "none", data, audio_run=run, weights=weights)
