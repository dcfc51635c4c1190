"""Makes two_voices.flac and two_voices.srt beside this file. Needs espeak-ng (apt-get install espeak-ng).

The voices are synthetic: they show the way through the program, not how well it hears people.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE = 16_000  # Hz
PAUSE = 0.45  # seconds between sentences
PEAK = 0.25  # of full scale, of each sentence

VOICES = {  # espeak-ng's voice, speed in words a minute, pitch and its range on 0..99
    "caller": ("en-gb+f3", 185, 75, 90),
    "agent": ("en-us", 145, 35, 40),
}
LINES = [
    ("agent", "Thank you for calling. How can I help you?"),
    ("caller", "My parcel is lost again, and this is the third time!"),
    ("agent", "I am very sorry about that. Let me find it for you right now."),
    ("caller", "No! I want my money back, and I want it now."),
    ("agent", "Yes, you will have it this afternoon."),
    ("caller", "Oh! Thank you. I did not expect that."),
]


def speak(speaker: str, text: str) -> NDArray[np.float32]:
    """A sentence in a speaker's voice as samples `(samples,)` at RATE, without silence around it."""
    voice, speed, pitch, spread = VOICES[speaker]
    sentence = f'<speak><prosody range="{spread}">{text}</prosody></speak>'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sentence.wav")
        options = ["-m", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", str(path)]
        subprocess.run(["espeak-ng", *options, sentence], check=True)
        samples, rate = soundfile.read(path, dtype="float32")
    samples = soxr.resample(samples, rate, RATE)
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1]
    return np.asarray(PEAK / np.abs(samples).max() * samples, dtype=np.float32)


def timestamp(seconds: float) -> str:
    """Seconds as SubRip writes them: 00:01:02,345."""
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02},{rest % 1000:03}"


def main() -> None:
    pause = np.zeros(round(PAUSE * RATE), dtype=np.float32)
    pieces, cues, length = [pause], [], len(pause)
    for number, (speaker, text) in enumerate(LINES, start=1):
        sentence = speak(speaker, text)
        start, end = length / RATE, (length + len(sentence)) / RATE
        cues.append(f"{number}\n{timestamp(start)} --> {timestamp(end)}\n[{speaker}]: {text}\n")
        pieces += [sentence, pause]
        length += len(sentence) + len(pause)
    target = Path(__file__).with_name("two_voices.flac")
    soundfile.write(target, np.concatenate(pieces), RATE, subtype="PCM_16")
    target.with_suffix(".srt").write_text("\n".join(cues), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
