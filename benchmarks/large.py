"""WavLM-Large and RoBERTa-Large over many recordings: all of `predict`, and what one writes first.

The plain way is that of the official evaluation: transformers' own models in float32, one clip after the
other, all hidden states kept. Ours are bundles of the same two models, in float32 and with 8-bit weights,
behind `Recognizer.predict`, and the former by other engines if `--names` says which: torch, torch:bfloat16,
torch:float32+compile, openvino, openvino:bfloat16. Each way runs in a process of its own with every core.
Weights are random, which does not matter for time; so that labels mean something, the last layer of both is a
logistic regression that learned the first half's emotions from what the plain way's random encoders make of
them. Recordings are EMO-DB's, joined and cut to 2 to 12 s, each with a line of GoEmotions of the same
emotion.

What the encoder's layers achieve stands beside this machine's best matrix product, of float32 or bfloat16.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import RobertaConfig, RobertaModel, WavLMConfig, WavLMModel

from benchmarks.timing import median_seconds
from emojudge.audio.decode import Audio, decode
from emojudge.bundle.engines import DEFAULT
from emojudge.bundle.format import AcousticPart, Bundle, Fusion, LinguisticPart
from emojudge.bundle.make import equal_shares, make_bundle
from emojudge.bundle.quantise import quantise
from emojudge.corpora import load_corpus
from emojudge.emotions import EMOTIONS
from emojudge.models.acoustic import AcousticModel
from emojudge.models.linguistic import LinguisticModel
from emojudge.models.wav2vec2 import Wav2Vec2Backbone
from emojudge.recipe import AcousticSettings, BackboneSettings
from emojudge.records import Prediction, Transcript, Utterance

RATE, CLIPS, SECONDS, TOKENS = 16_000, 200, (2.0, 12.0), 128
SIZES: dict[str, dict[str, Any]] = {  # of both encoders
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
              "intermediate_size": 4096},
    "tiny": {"hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 512},
}  # fmt: skip
VOCABULARY = 50_265
BUNDLES = ("float32", "int8")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    size = arguments.model or "large"
    engines = arguments.names or []
    ours = (*BUNDLES, *engines)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = min(CLIPS, arguments.limit)
        seconds = _clips(arguments.corpora, folder, count)
        figures: dict[str, Any] = {"size": size, "clips": count, "audio_s": round(seconds, 1)}
        for way in ("plain", *ours):
            figures[way] = _process("measure", way, size, folder)
            print(way, figures[way], flush=True)
            if way == "plain":
                _process("make", "torch" if "torch" in str(engines) else way, size, folder)
        for way in ours:
            figures[way]["times_plain"] = round(figures["plain"]["seconds"] / figures[way]["seconds"], 2)
            figures[way]["same_labels"] = _agreement(folder, way)
        figures["flops"] = _process("flops", "plain", size, folder)
    return figures


def _process(task: str, way: str, size: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.large", task, way, size, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _clips(corpora: Path, folder: Path, count: int) -> float:
    """Write the recordings, their lines and emotions; how many seconds they are."""
    random = np.random.default_rng(0)
    voices = [u for u in load_corpus("emodb", corpora / "emodb") if u.emotion and u.audio]
    lines = [u for u in load_corpus("goemotions", corpora / "goemotions") if u.emotion and u.transcript]
    samples, texts, emotions = [], [], []
    known = sorted({u.emotion for u in voices if u.emotion})
    for number in range(count):
        emotion = known[number % len(known)]
        heard = [u for u in voices if u.emotion == emotion]
        parts, length = [], int(random.uniform(*SECONDS) * RATE)
        while sum(len(part) for part in parts) < length:
            parts.append(decode(heard[random.integers(len(heard))].audio).samples)
        samples.append(np.concatenate(parts)[:length])
        read = [u for u in lines if u.emotion == emotion]
        texts.append(read[random.integers(len(read))].transcript.text)
        emotions.append(EMOTIONS.index(emotion))
    np.savez(folder / "clips.npz", *samples)
    np.save(folder / "emotions.npy", emotions)
    (folder / "lines.json").write_text(json.dumps(texts))
    _tokenizer(texts, folder / "tokenizer.json")
    return sum(len(clip) for clip in samples) / RATE


def _tokenizer(texts: list[str], path: Path) -> None:
    """Byte pairs like RoBERTa's, learned from the lines."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(path))


def _read(folder: Path) -> tuple[list[NDArray[np.float32]], list[str]]:
    with np.load(folder / "clips.npz") as kept:
        return [kept[name] for name in kept.files], json.loads((folder / "lines.json").read_text())


def _encoders(size: str) -> tuple[WavLMModel, RobertaModel]:
    """Random, and the same in every process."""
    torch.manual_seed(0)
    voice = WavLMConfig(**SIZES[size], feat_extract_norm="layer", do_stable_layer_norm=True)
    words = RobertaConfig(
        **SIZES[size], vocab_size=VOCABULARY, max_position_embeddings=514, type_vocab_size=1
    )
    return WavLMModel(voice).eval(), RobertaModel(words, add_pooling_layer=False).eval()


def _plain(size: str, folder: Path) -> float:
    """Seconds; what the encoders made of each clip and line is kept for the last layers."""
    voice, words = _encoders(size)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(TOKENS)
    clips, lines = _read(folder)
    pooling = _acoustic(voice).pooling  # before the attention of `voice` is ours
    stock, _ = _encoders(size)
    heard, read = [], []

    def one(clip: NDArray[np.float32], line: str) -> None:
        normal = torch.from_numpy((clip - clip.mean()) / (clip.std() + AcousticModel.EPSILON))[None]
        hidden = stock(normal, output_hidden_states=True).last_hidden_state
        heard.append(pooling(hidden, torch.ones(hidden.shape[:2], dtype=torch.bool))[0].numpy())
        ids = torch.tensor([tokenizer.encode(line).ids])
        read.append(words(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0, 0].numpy())

    with torch.inference_mode():
        one(clips[0][: 2 * RATE], lines[0])  # memory is asked for
        heard.clear(), read.clear()
        started = time.perf_counter()
        for clip, line in zip(clips, lines, strict=True):
            one(clip, line)
        seconds = time.perf_counter() - started
    np.save(folder / "heard.npy", heard)
    np.save(folder / "read.npy", read)
    return seconds


def _acoustic(encoder: WavLMModel) -> AcousticModel:
    settings = AcousticSettings(
        backbone=BackboneSettings(kind="wavlm", weights="none"), normalisation="utterance", head_layers=0
    )
    torch.manual_seed(1)  # pooling
    return AcousticModel(Wav2Vec2Backbone(encoder), len(EMOTIONS), settings).eval()


def _fit(layer: nn.Linear, features: NDArray[np.float32], emotions: NDArray[np.int64]) -> None:
    """Make a layer the regression on standardised features of the first half."""
    half = len(features) // 2
    mean, deviation = features[:half].mean(axis=0), features[:half].std(axis=0) + 1e-6
    model = LogisticRegression(C=0.01, max_iter=2000).fit(
        (features[:half] - mean) / deviation, emotions[:half]
    )
    weight = np.zeros((len(EMOTIONS), features.shape[1]))
    bias = np.full(len(EMOTIONS), -20.0)  # of emotions that EMO-DB lacks
    weight[model.classes_] = model.coef_ / deviation
    bias[model.classes_] = model.intercept_ - (model.coef_ / deviation) @ mean
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))


def _make(size: str, folder: Path, torch_weights: bool) -> None:
    """The two bundles, and the labels of the plain way."""
    voice, words = _encoders(size)
    emotions = np.load(folder / "emotions.npy")
    acoustic = _acoustic(voice)
    linguistic = LinguisticModel(words, len(EMOTIONS)).eval()
    logits = []
    for model, name in ((acoustic, "heard"), (linguistic, "read")):
        features = np.load(folder / f"{name}.npy")
        _fit(model.output_layer, features, emotions)
        with torch.inference_mode():
            logits.append(model.head(torch.from_numpy(features)).numpy())
    np.save(folder / "plain.npy", sum(logits).argmax(axis=1))
    identity = np.eye(len(EMOTIONS))
    fusion = Fusion(
        coefficients=tuple(tuple(row) for row in np.hstack([identity, identity])),
        intercept=(0.0,) * len(EMOTIONS),
        temperature=1.0,
        text_share=equal_shares(),
        method="sum",
    )
    bundle = make_bundle(
        folder / "float32",
        "large",
        acoustic=(acoustic, AcousticPart(temperature=1.0, window_seconds=SECONDS[1] + 0.1)),
        linguistic=(
            linguistic,
            LinguisticPart(temperature=1.0, max_tokens=TOKENS, attributes=False, languages=("en",)),
            folder / "tokenizer.json",
        ),
        fusion=fusion,
        torch_weights=torch_weights,
    )
    quantise(bundle, folder / "int8")


def _ours(way: str, folder: Path) -> float:
    from emojudge.recognizer import Recognizer

    bundle, engine = (way, DEFAULT) if way in BUNDLES else (BUNDLES[0], way)
    recognizer = Recognizer(Bundle.open(folder / bundle), engine=engine)
    clips, lines = _read(folder)

    def pairs() -> Iterator[tuple[Utterance, Audio]]:
        for number, (clip, line) in enumerate(zip(clips, lines, strict=True)):
            transcript = Transcript(text=line, source="given", language="en")
            yield Utterance(id=str(number), transcript=transcript), Audio(clip, len(clip) / RATE, "clip")

    list(recognizer.predict(list(pairs())[:1]))
    started = time.perf_counter()
    results = list(recognizer.predict(pairs()))
    seconds = time.perf_counter() - started
    labels = [EMOTIONS.index(r.emotion) if isinstance(r, Prediction) and r.emotion else -1 for r in results]
    np.save(folder / f"{way}.npy", labels)
    return seconds


def _agreement(folder: Path, way: str) -> dict[str, float]:
    plain, ours = np.load(folder / "plain.npy"), np.load(folder / f"{way}.npy")
    half = len(plain) // 2
    same = plain == ours
    return {
        "all": round(float(same.mean()), 4),
        "second_half": round(float(same[half:].mean()), 4),
        "kinds": len(np.unique(plain)),
    }


def _flops(size: str) -> dict[str, float]:
    """Of the encoder's layers over 4 clips of 5 s, and of the best product of large matrices, in a second."""
    model = _acoustic(_encoders(size)[0])
    clips, lengths = torch.randn(4, 5 * RATE), torch.full((4,), 5 * RATE)
    kept: dict[str, Any] = {}
    layers = model.backbone.encoder.encoder
    hook = layers.register_forward_pre_hook(
        lambda _, given, named: kept.update(given=given, named=named), with_kwargs=True
    )
    figures = {}
    with torch.no_grad():
        model.encode(clips, lengths)
        hook.remove()
        with FlopCounterMode(display=False) as counter:
            layers(*kept["given"], **kept["named"])
        operations = counter.get_total_flops()
        figures["encoder"] = operations / median_seconds(lambda: layers(*kept["given"], **kept["named"]))
        for kind in (torch.float32, torch.bfloat16):
            size_ = 4096 if kind == torch.float32 else 512  # bfloat16 may be slow
            one, other = torch.randn(size_, size_).to(kind), torch.randn(size_, size_).to(kind)
            figures[str(kind)[6:]] = 2 * size_**3 / median_seconds(lambda: one @ other)  # noqa: B023
    best = max(figures["float32"], figures["bfloat16"])
    return {
        **{k: round(v / 1e9, 1) for k, v in figures.items()},
        "share": round(figures["encoder"] / best, 3),
    }


def main(task: str, way: str, size: str, folder: Path) -> dict[str, float]:
    if task == "flops":
        return _flops(size)
    if task == "make":
        _make(size, folder, torch_weights=way == "torch")
        return {}
    seconds = _plain(size, folder) if way == "plain" else _ours(way, folder)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return {"seconds": round(seconds, 2), "peak_mb": round(int(peak.split()[1]) / 1000)}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))))
