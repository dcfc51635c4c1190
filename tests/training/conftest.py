"""Tables and tiny encoders that recipes of tests are of."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture
def home(tmp_path: Path, tiny_tokenizer: Path) -> Path:
    """Two tables of lines, a table of clips, and tiny encoders."""
    import torch
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
