"""The linguistic model: first token's vector of any encoder, with no influence of padding."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from transformers import BertConfig, BertModel, RobertaConfig, RobertaForMaskedLM, RobertaModel  # noqa: E402

from emojudge.errors import RecipeError  # noqa: E402
from emojudge.models.linguistic import LinguisticModel  # noqa: E402
from emojudge.recipe import BackboneSettings, LinguisticSettings  # noqa: E402

TINY = {
    "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
    "intermediate_size": 16,
}  # fmt: skip


@pytest.fixture(scope="module", params=["bert", "roberta"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(request.param) / request.param
    bert = request.param == "bert"
    (BertModel(BertConfig(**TINY)) if bert else RobertaModel(RobertaConfig(**TINY))).save_pretrained(folder)
    return folder


def chosen(folder: Path, **options) -> LinguisticSettings:
    return LinguisticSettings(backbone=BackboneSettings(kind=folder.name, weights=str(folder), **options))


@pytest.mark.parametrize("garbage", [0, 1, 7])
def test_padding_changes_no_logits(folder: Path, garbage: int):
    torch.manual_seed(1)
    model = LinguisticModel.from_settings(chosen(folder), 11).eval()
    lengths = [2, 5, 12, 30]
    tokens = torch.full((4, 33), garbage)
    for row, n in enumerate(lengths):
        tokens[row, :n] = torch.randint(5, 40, (n,))
    with torch.no_grad():
        together = model(tokens, torch.tensor(lengths))
        for row, n in enumerate(lengths):
            alone = model(tokens[row : row + 1, :n], torch.tensor([n]))
            torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=0)
    assert together.shape == (4, 11)


def test_it_reads_the_first_tokens_vector(folder: Path):
    model = LinguisticModel.from_settings(chosen(folder), 8).eval()
    tokens = torch.randint(5, 40, (2, 6))
    lengths = torch.tensor([6, 6])
    with torch.no_grad():
        hidden = model.encoder(input_ids=tokens, attention_mask=torch.ones(2, 6)).last_hidden_state
        torch.testing.assert_close(model(tokens, lengths), model.head(hidden[:, 0]))


def test_layers_are_cut_and_frozen(folder: Path):
    model = LinguisticModel.from_settings(chosen(folder, layers=2, frozen_layers=1), 8)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {n.split("layer.")[1][0] for n in trained if "encoder.layer." in n} == {"1"}
    assert not any("embeddings" in name for name in trained)
    assert not any("pooler" in name for name, _ in model.named_parameters())
    groups = model.parameter_groups()
    assert set(groups) == {"encoder", "head"}
    assert sum(map(len, groups.values())) == len(trained)
    assert model.penalty().item() == 0


def test_weights_are_the_folders(folder: Path):
    model = LinguisticModel.from_settings(chosen(folder), 8)
    kind = BertModel if folder.name == "bert" else RobertaModel
    expected = kind.from_pretrained(folder).state_dict()
    assert all(torch.equal(weight, expected[name]) for name, weight in model.encoder.state_dict().items())


def test_a_language_models_checkpoint_has_all_that_is_read(tmp_path: Path):
    """RoBERTa on the Hub is a masked language model without a pooler, which is not used."""
    folder = tmp_path / "roberta"
    whole = RobertaForMaskedLM(RobertaConfig(**TINY))
    whole.save_pretrained(folder)
    model = LinguisticModel.from_settings(chosen(folder), 8)
    expected = whole.roberta.embeddings.word_embeddings.weight
    assert torch.equal(model.encoder.embeddings.word_embeddings.weight, expected)


@pytest.mark.parametrize(
    ("kind", "options", "match"),
    [
        ("deberta", {}, "'deberta' with weights of"),
        (None, {"layers": 4}, "found 4; expected at most 3"),
    ],
)
def test_what_does_not_fit_is_refused(folder: Path, kind: str | None, options: dict, match: str):
    backbone = BackboneSettings(kind=kind or folder.name, weights=str(folder), **options)
    with pytest.raises(RecipeError, match=match):
        LinguisticModel.from_settings(LinguisticSettings(backbone=backbone), 8)


def test_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(RecipeError, match="nowhere"):
        LinguisticModel.from_settings(chosen(tmp_path / "nowhere" / "bert"), 8)


def test_auxiliary_heads_are_there_in_training_alone(folder: Path):
    model = LinguisticModel.from_settings(chosen(folder), 8, auxiliary=18).eval()
    tokens, lengths = torch.randint(5, 40, (2, 6)), torch.tensor([6, 6])
    assert model(tokens, lengths).shape == (2, 8)
    outputs = model.train()(tokens, lengths)
    assert outputs.shape == (2, 26)
    outputs[:, 8:].sum().backward()
    assert next(p for p in model.encoder.parameters() if p.grad is not None).grad.any()
    assert all(any(p is q for q in model.parameter_groups()["head"]) for p in model.auxiliary.parameters())
