"""LoRA: adapters that act and learn, also in WavLM; and nothing of them in what is shipped."""

import copy

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("peft", reason="needs the extra 'train'")

from transformers import AutoModel, BertConfig, BertModel  # noqa: E402

from emojudge.errors import RecipeError  # noqa: E402
from emojudge.models.lora import add_lora, merge_lora  # noqa: E402
from emojudge.models.wav2vec2 import Wav2Vec2Backbone  # noqa: E402
from emojudge.models.wavlm_attention import FusedWavLMAttention, fuse_attention  # noqa: E402
from emojudge.models.whisper import WhisperBackbone  # noqa: E402
from emojudge.recipe import LoraSettings  # noqa: E402
from tests.models.conftest import encoder_config  # noqa: E402

LENGTHS = torch.tensor([6000, 4100])


def backbone(kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    made = (WhisperBackbone if kind == "whisper" else Wav2Vec2Backbone.from_config)(encoder_config(kind))
    with torch.no_grad():  # gates and positions of fresh models are trivial, and would hide a lost bias
        for name, parameter in made.named_parameters():
            if "gru_rel_pos" in name or "rel_attn_embed" in name:
                parameter.normal_()
    return made.eval()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_fused_attention_is_the_stock_one(norm: str, training: bool):
    torch.manual_seed(0)
    config = encoder_config(f"wavlm-{norm}")
    config.attention_dropout = config.hidden_dropout = config.feat_proj_dropout = config.layerdrop = 0.0
    config.activation_dropout, config.apply_spec_augment = 0.0, False
    stock = AutoModel.from_config(config).train(training)  # a training's attention is another kernel
    for name, parameter in stock.named_parameters():
        if "gru_rel_pos" in name or "rel_attn_embed" in name:
            torch.nn.init.normal_(parameter)
    fused = copy.deepcopy(stock)
    fuse_attention(fused)
    assert sum(isinstance(m, FusedWavLMAttention) for m in fused.modules()) == config.num_hidden_layers
    mask = torch.arange(6000)[None, :] < LENGTHS[:, None]
    waveforms = torch.randn(2, 6000) * mask
    ends = []
    for encoder in (stock, fused):
        hidden = encoder(waveforms, attention_mask=mask.long()).last_hidden_state
        hidden[:, :10].square().sum().backward()
        slopes = {name: p.grad for name, p in encoder.named_parameters() if p.grad is not None}
        ends.append((hidden.detach(), slopes))
    torch.testing.assert_close(ends[1][0][0], ends[0][0][0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ends[1][0][1, :10], ends[0][0][1, :10], atol=1e-5, rtol=1e-5)
    for name, slope in ends[0][1].items():
        torch.testing.assert_close(ends[1][1][name], slope, atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize("kind", ["wavlm-group", "wavlm-layer", "hubert-layer", "whisper"])
def test_adapters_begin_at_nothing_learn_and_merge(kind: str):
    model = backbone(kind)
    torch.manual_seed(2)
    waveforms = torch.randn(2, 6000) * 0.1
    with torch.no_grad():
        before = model(waveforms, LENGTHS)
    add_lora(model.encoder, LoraSettings(rank=2), frozen_layers=1)
    trained = {n: p for n, p in model.encoder.named_parameters() if p.requires_grad}
    assert len(trained) == 2 * 2 * 2  # layers above the frozen one, projections, matrices
    assert all("lora_" in name for name in trained)
    with torch.no_grad():
        torch.testing.assert_close(model(waveforms, LENGTHS), before, atol=1e-6, rtol=0)
        for name, parameter in trained.items():
            if "lora_B" in name:  # zeros: their partners' gradient is 0 at the start
                parameter.normal_(0, 0.3)
    adapted = model(waveforms, LENGTHS)
    adapted.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in trained.values())
    assert (adapted - before).abs().max() > 1e-3
    merge_lora(model)
    assert not any("lora" in name for name, _ in model.named_parameters())
    with torch.no_grad():
        torch.testing.assert_close(model(waveforms, LENGTHS), adapted.detach(), atol=1e-5, rtol=1e-4)


def test_adapters_for_words():
    config = BertConfig(vocab_size=13, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=16)  # fmt: skip
    encoder = BertModel(config, add_pooling_layer=False)
    add_lora(encoder, LoraSettings())
    assert sum("lora_" in name for name, p in encoder.named_parameters() if p.requires_grad) == 2 * 2 * 2
    with pytest.raises(RecipeError, match=r"backbone\.lora\.targets: found attention; expected .*query"):
        add_lora(BertModel(config), LoraSettings(targets=("attention",)))
