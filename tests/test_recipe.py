"""Recipes: read whole, or refused with the key, the value, and what to write instead."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from emojudge.errors import RecipeError
from emojudge.recipe import Recipe

TEXT = {
    "name": "small",
    "modality": "text",
    "data": [{"corpus": "table", "folder": "lines"}],
    "linguistic": {"backbone": {"kind": "bert", "weights": "words"}},
}
AUDIO = {
    "name": "small",
    "modality": "audio",
    "data": [{"corpus": "table", "folder": "clips"}],
    "acoustic": {"backbone": {"kind": "whisper", "weights": "voice"}},
}


def write(folder: Path, content: dict | str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def refused(folder: Path, content: dict | str) -> str:
    with pytest.raises(RecipeError) as caught:
        Recipe.read(write(folder, content))
    assert str(folder / "recipe.yaml") in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parents[1].glob("recipes/**/*.yaml")), ids=lambda p: p.stem
)
def test_the_projects_own_recipes(path: Path, tmp_path: Path):
    recipe = Recipe.read(path)
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json(indent=2), encoding="utf-8")
    assert Recipe.read(tmp_path / "recipe.json") == recipe  # as a run folder keeps it


def test_defaults_are_the_papers(tmp_path: Path):
    recipe = Recipe.read(write(tmp_path, AUDIO))
    assert recipe.acoustic.normalisation == "corpus"
    assert recipe.tasks == ("emotion",)
    training = recipe.training
    assert (training.batch_size, training.epochs) == (32, 30)
    assert set(training.learning_rates.model_dump().values()) == {1e-5}
    text = Recipe.read(write(tmp_path, TEXT)).linguistic
    assert (text.max_tokens, text.dropout) == (128, 0.3)


def test_numbers_as_yaml_writes_them(tmp_path: Path):
    """YAML 1.1 reads 1e-4 without a point as a word."""
    content = yaml.safe_dump(TEXT) + "training: {learning_rates: {encoder: 1e-4, head: 1.0e-3}}\n"
    rates = Recipe.read(write(tmp_path, content)).training.learning_rates
    assert (rates.encoder, rates.head, rates.pooling) == (1e-4, 1e-3, 1e-5)


@pytest.mark.parametrize(
    ("key", "meant"),
    [("epoch", "epochs"), ("sead", "seed"), ("learning_rate", "learning_rates"), ("batchsize", "batch_size")],
)
def test_unknown_key_with_did_you_mean(tmp_path: Path, key: str, meant: str):
    said = refused(tmp_path, {**TEXT, "training": {key: 1}})
    assert f"unknown key 'training.{key}'" in said
    assert f"Did you mean '{meant}'?" in said


@pytest.mark.parametrize(
    ("section", "value", "place"),
    [
        ("training", {"epochs": 0}, "training.epochs = 0"),
        ("training", {"epochs": 1.5}, "training.epochs = 1.5"),
        ("training", {"seed": -1}, "training.seed = -1"),
        ("training", {"warmup": 1.0}, "training.warmup = 1.0"),
        ("training", {"weight_decay": float("inf")}, "training.weight_decay = inf"),
        ("training", {"weight_decay": float("nan")}, "training.weight_decay = nan"),
        ("training", {"decay": "exponential"}, "training.decay = 'exponential'"),
        ("training", {"patience": 0}, "training.patience = 0"),
        ("training", 3, "training = 3"),
        ("data", [], "data = []"),
        ("data", [{"corpus": "table", "folder": "x", "repeat": 0}], "data.0.repeat = 0"),
        ("tasks", [], "tasks = []"),
        ("tasks", ["emotions"], "tasks.0 = 'emotions'"),
        ("modality", "video", "modality = 'video'"),
        ("name", "a/b", "name = 'a/b'"),
        ("name", "..", "name = '..'"),
        ("name", "a\n", "name = 'a\\n'"),
        ("linguistic", {"backbone": {"kind": "bert"}}, "linguistic.backbone.weights"),
    ],
)
def test_what_is_out_of_range_is_named(tmp_path: Path, section: str, value: object, place: str):
    assert f"found {place}" in refused(tmp_path, {**TEXT, section: value})


@pytest.mark.parametrize("seconds", [0, -1, 0.5, 29.5, 300])
def test_clips_must_fit_the_encoder(tmp_path: Path, seconds: float):
    """A window that a rest of a second joins must stay within Whisper's 30 s."""
    assert "acoustic.max_seconds" in refused(
        tmp_path, {**AUDIO, "acoustic": {**AUDIO["acoustic"], "max_seconds": seconds}}
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modality": "audio"}, "a section 'acoustic', for the modality 'audio'"),
        ({"tasks": ["emotion", "emotion"]}, "each task once"),
        ({"tasks": ["attributes"]}, "the task 'emotion', to select by 'macro_f1'"),
        ({"training": {"select": "ccc"}}, "the task 'attributes', to select by 'ccc'"),
    ],
)
def test_parts_that_do_not_go_together(tmp_path: Path, change: dict, said: str):
    assert said in refused(tmp_path, {**TEXT, **change})
    with pytest.raises(ValidationError):
        Recipe.model_validate({**TEXT, **change})


CONSENSUS = [{"corpus": "table", "folder": "clips", "labels": "consensus"}]
VIEWS = [{"corpus": "table", "folder": "clips", "views": 2}]
ATTRIBUTES = {"tasks": ["attributes"]}


def acoustic(**options) -> dict:
    return {"acoustic": {**AUDIO["acoustic"], **options}}


def training(**options) -> dict:
    return {"training": options}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (acoustic(layer_weights=True), "backbone.last of at least 2"),
        (acoustic(cache_frames=True, cache_audio=True), "acoustic.cache_frames or acoustic.cache_audio"),
        (
            {**acoustic(cache_frames=True), **training(gradient_checkpointing=True)},
            "no training.gradient_checkpointing with acoustic.cache_frames",
        ),
        ({"data": VIEWS}, "acoustic.cache_frames, for several views"),
        (training(known_prior={"sad": 1.0}), "a share above 0 of each emotion"),
        (training(known_prior="even"), "training.known_prior"),
        ({**ATTRIBUTES, **training(select="ccc", vector_scaling={})}, "for training.vector_scaling"),
        ({**ATTRIBUTES, **training(select="ccc", known_prior="uniform")}, "for training.known_prior"),
        ({**ATTRIBUTES, **training(select="ccc", balanced=True)}, "for training.balanced"),
        ({**ATTRIBUTES, **training(select="ccc", annotation_dropout=0.2)}, "for training.annotation_dropout"),
        ({"data": CONSENSUS, **training(annotation_dropout=0.2)}, "a source with labels: votes"),
        (training(mixup={}, batch_size=8, accumulation=8), "micro-batches of at least 2 items"),
        (training(mixup={"p": 0}), "training.mixup.p"),
        (training(auxiliary={}), "a weight above 0 for gender, for secondary, or for both"),
        (training(auxiliary={"age": 1}), "unknown key 'training.auxiliary.age'"),
        (acoustic(backbone={**AUDIO["acoustic"]["backbone"], "lora": {"rank": 0}}), "backbone.lora.rank"),
        (
            acoustic(backbone={**AUDIO["acoustic"]["backbone"], "lora": {"targets": []}}),
            "backbone.lora.targets",
        ),
    ],
)
def test_levers_that_would_be_pulled_for_nothing(tmp_path: Path, change: dict, said: str):
    assert said in refused(tmp_path, {**AUDIO, **change})


def test_levers_go_together(tmp_path: Path):
    levers = training(
        mixup={}, vector_scaling={}, known_prior="uniform", balanced=True, annotation_dropout=0.2,
        auxiliary={"gender": 0.1, "secondary": 0.2}, precision="float16", gradient_checkpointing=True,
    )  # fmt: skip
    backbone = {**AUDIO["acoustic"]["backbone"], "last": 2, "lora": {}}
    Recipe.read(
        write(
            tmp_path, {**AUDIO, **acoustic(layer_weights=True, cache_audio=True, backbone=backbone), **levers}
        )
    )


def test_select_that_goes_with_the_tasks(tmp_path: Path):
    for tasks, select in (
        (["attributes"], "ccc"),
        (["attributes", "emotion"], "ccc"),
        (["attributes"], "last"),
    ):
        recipe = Recipe.read(write(tmp_path, {**TEXT, "tasks": tasks, "training": {"select": select}}))
        assert recipe.training.select == select


@pytest.mark.parametrize(
    "content",
    [
        "",
        "- a\n- b\n",
        "just words",
        "a: [1",
        "a: &a [*a, *a]\n",
        "? [1, 2]\n: 3\n",
        "1: 2\n",
        "\t",
        "x: " + "[" * 5000,
        "x: !!python/object/apply:os.system ['true']\n",
        "\x00",
    ],
)
def test_what_is_no_recipe(tmp_path: Path, content: str):
    refused(tmp_path, content)


def test_a_key_that_is_there_twice(tmp_path: Path):
    """PyYAML takes the last; who wrote the first would never know."""
    training = "training:\n  epochs: 3\n  seed: 1\n  epochs: 30\n"
    start = len(yaml.safe_dump(TEXT).splitlines())
    said = refused(tmp_path, yaml.safe_dump(TEXT) + training)
    assert f"recipe.yaml, line {start + 4}: found the key 'epochs'" in said
    assert f"which is in line {start + 2} already" in said
    assert "the key 'name'" in refused(tmp_path, yaml.safe_dump(TEXT) + "name: other\n")
    assert "the key 'seed'" in refused(tmp_path, yaml.safe_dump(TEXT) + "training: {seed: 1, seed: 1}\n")


def test_one_key_in_several_mappings_and_merged_ones(tmp_path: Path):
    recipe = Recipe.read(
        write(
            tmp_path,
            """
            name: small
            modality: text
            data:
              - &one {corpus: table, folder: lines, repeat: 2}
              - &two {<<: *one, folder: more}
              - {<<: *two, repeat: 3}
            linguistic: {backbone: {kind: bert, weights: words}}
            """,
        )
    )
    assert [source.folder for source in recipe.data] == ["lines", "more", "more"]
    assert [source.repeat for source in recipe.data] == [2, 2, 3]


def test_a_value_as_large_as_it_likes_is_named_in_short(tmp_path: Path):
    """Nine lists of nine lists of …: a few lines of YAML whose text would fill the memory."""
    lists = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for inner, outer in zip("abcdefghijkl", "bcdefghijklm", strict=True):
        lists += f"{outer}: &{outer} [{', '.join([f'*{inner}'] * 9)}]\n"
    said = refused(tmp_path, f"{lists}name: *m\n")
    assert len(said) < 500


def test_a_file_that_cannot_be_read(tmp_path: Path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(RecipeError, match="expected a YAML recipe"):
            Recipe.read(path)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(RecipeError, match=r"bytes\.yaml"):
        Recipe.read(tmp_path / "bytes.yaml")


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=st.sampled_from([*TEXT, "tasks", "training", "acoustic", "extra"]), value=trees)
def test_nothing_but_a_recipe_error_comes_out(tmp_path: Path, key: str, value: object):
    with contextlib.suppress(RecipeError):
        Recipe.read(write(tmp_path, {**TEXT, key: value}))


def test_a_recipe_differs_from_its_base(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text(
        "modality: text\ndata: [{corpus: table, folder: a}, {corpus: table, folder: b}]\n"
        "linguistic: {backbone: {kind: bert, weights: words}, max_tokens: 16}\n"
        "training: {epochs: 3, seed: 1}\n"
    )
    path = tmp_path / "own.yaml"
    path.write_text(
        "base: shared.yaml\nname: own\ndata: [{corpus: xed, folder: c}]\n"
        "linguistic: {backbone: {weights: others}}\ntraining: {seed: 2}\n"
    )
    made = Recipe.read(path)
    assert [source.corpus for source in made.data] == ["xed"]
    assert made.linguistic is not None
    assert (made.linguistic.backbone.kind, made.linguistic.backbone.weights) == ("bert", "others")
    assert (made.linguistic.max_tokens, made.training.epochs, made.training.seed) == (16, 3, 2)


@pytest.mark.parametrize(
    ("base", "found"), [("own.yaml", "its own base"), ("none.yaml", "No such file"), ("[a]", "base = ")]
)
def test_a_base_that_is_none(tmp_path: Path, base: str, found: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"base: {base}\nname: own\n")
    with pytest.raises(RecipeError, match=found):
        Recipe.read(path)
