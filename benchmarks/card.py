"""The embedded bundle's model card: what it is, what it was made of, how good it is, what it is not for."""

import json
from pathlib import Path

TEXT = """\
# Model card: {name}

Recognises eight emotions (angry, sad, happy, surprise, fear, disgust, contempt, neutral) and valence, arousal
and dominance (1..7) in one stretch of speech, from the voice, the words, or both. It ships inside the `emojudge`
package, runs on ONNX Runtime without network, and is licensed under {licence}.

## What it is
- **Voice**: the first {layers} layers of OpenAI's Whisper base encoder (MIT) as they are, the hidden states of the
  last {last} side by side; attentive statistics pooling and a residual head, trained. Stored as float16, computed in
  float32. {audio_mb:.1f} MB.
- **Words**: all-MiniLM-L6-v2 (Apache-2.0), fine-tuned, its first token's vector, a linear output for eight
  emotions and three attributes. 8-bit weights. English only. {text_mb:.1f} MB.
- **Fusion**: {fusion}
- **Attributes**: the words' model predicts them; the voice has no open attribute labels, so its attributes are
  *derived* from its emotion scores with published mean coordinates of the emotion words (Russell & Mehrabian
  1977; contempt halfway between anger and disgust). `attributes_from` in every prediction says which it was.
- **Calibration**: temperatures (voice {t_audio:.2f}, words {t_text:.2f}, both {t_fusion:.2f}). Those with a voice are
  for speech from elsewhere: EMO-DB is judged by a model that never heard it, EmoGator by the bundle's own on
  held-out contributors, half of the recordings through artificial channels. On speech like EMO-DB's the scores
  are therefore too modest. The words' is fitted on held-out lines.
- **Bins of voices** (`prosody.json`): quantiles of loudness, pitch, rates and voice quality of the recordings that the
  voice's model was trained on, for a judge that is told of a voice in words. Speakers are not in it.

## What it was trained on
| corpus | what | licence | used for |
| --- | --- | --- | --- |
| EMO-DB | acted German, 10 speakers (8 trained on, 2 held out), no boredom | CC0 | voice |
| EmoGator | vocal bursts without words, 357 contributors (15 % test, 8 % held out) | Apache-2.0 | voice |
| GoEmotions | English Reddit comments | Apache-2.0, data CC BY 4.0 | words |
| XED | English film subtitles | CC BY 4.0 | words |
| EmoBank | English sentences with valence, arousal, dominance | CC BY-SA 4.0 | words |

Surprise and contempt in the voice come from vocal bursts alone; contempt in the words was never seen. Recordings
were augmented with rooms, speed, pitch, equalisation, band limits, noise, codecs and gain. A corpus's labels are
contrasted only with emotions that this corpus has labels for. The recipes are `recipes/default/` in the
repository.

## How good it is
Written by `python -m benchmarks report`; RAVDESS (English) and nEMO (Polish) were never trained on.

{table}

## What it is not for
- **It does not know what a person feels.** It estimates how acted or written emotion of a few corpora would be
  labelled. Most speech is calmer than what it was trained on, and its figures on everyday speech are not known.
- No decisions about people: hiring, work, school, credit, insurance, policing, borders, health, lie detection.
  In the European Union, inferring emotions at work or in education is prohibited with narrow exceptions
  (Regulation 2024/1689, article 5(1)(f)).
- Not for languages or voices that were not tested: children, elderly people, accents, dysarthria. The voice model
  has heard German actors and wordless English-speaking contributors; differences between groups are not measured.
- Contempt and surprise in speech are weak; neutral words pull a fused score towards neutral.
- Scores are calibrated with acted speech and vocal bursts; how well they fit everyday speech is not known.
"""


def render(folder: Path, table: list[str]) -> str:
    """The card of the bundle in `folder`, with a table of figures."""
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    recipe = manifest["provenance"]["audio"]["recipe"]

    def megabytes(*names: str) -> float:
        return sum((folder / name).stat().st_size for name in names) / 1e6

    return TEXT.format(
        name=manifest["name"],
        licence=manifest["licence"],
        layers=recipe["acoustic"]["backbone"]["layers"],
        last=recipe["acoustic"]["backbone"]["last"],
        audio_mb=megabytes("acoustic.onnx", "acoustic_head.onnx"),
        text_mb=megabytes("linguistic.onnx"),
        fusion=manifest["fusion"]["method"],
        t_audio=manifest["audio"]["temperature"],
        t_text=manifest["text"]["temperature"],
        t_fusion=manifest["fusion"]["temperature"],
        table="\n".join(table),
    )
