"""Where somebody speaks: Silero's voice activity detection, frame by frame, in constant memory.

The model is Silero VAD by the Silero Team (MIT), in the form that takes any number of frames at once;
`NOTICE` says where it is from. It is run by ONNX Runtime and needs neither torch nor a network.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from emojudge.audio.decode import Samples
from emojudge.errors import BundleError

FRAME = 512  # samples, 32 ms: Silero gives one probability for each
CONTEXT = 64  # samples before a frame that it sees as well
BLOCK = 8  # frames that are run together, 0.26 s: always as many, so that it does not matter how samples come
MODEL = Path(__file__).with_name("silero_vad_16k.onnx")
SHA256 = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"

Probabilities = NDArray[np.float32]


class VoiceActivity:
    """The probability that somebody speaks, for each frame of FRAME samples of one recording.

    >>> voice = VoiceActivity()
    >>> [len(voice.push(np.zeros(10_000, np.float32))), len(voice.finish())]
    [16, 4]
    """

    def __init__(self) -> None:
        self._session = _session()
        self._state = np.zeros((2, 1, 1, 128), np.float32)  # of the recurrent layer: hidden, cell
        self._before = np.zeros(CONTEXT, np.float32)
        self._held = np.empty(0, np.float32)

    def push(self, samples: Samples) -> Probabilities:
        """Take the next samples `(samples,)`, mono at 16 kHz; probabilities `(frames,)` of the frames that
        are complete, BLOCK at a time."""
        held = np.concatenate([self._held, samples])
        size = BLOCK * FRAME
        whole = len(held) - len(held) % size
        self._held = held[whole:]
        blocks = [self._run(held[start : start + size]) for start in range(0, whole, size)]
        return np.concatenate([np.empty(0, np.float32), *blocks])

    def finish(self) -> Probabilities:
        """Probabilities `(frames,)` of what is left; the last frame is filled up with silence."""
        rest, self._held = self._held, np.empty(0, np.float32)
        return self._run(np.pad(rest, (0, -len(rest) % FRAME))) if len(rest) else rest

    def _run(self, samples: Samples) -> Probabilities:
        frames = samples.reshape(-1, FRAME)
        before = np.vstack([self._before, frames[:-1, -CONTEXT:]])
        hidden, cell = self._state
        inputs = {"input": np.hstack([before, frames]), "h": hidden, "c": cell}
        probabilities, hidden, cell = self._session.run(["speech_probs", "hn", "cn"], inputs)
        self._state, self._before = np.stack([hidden, cell]), frames[-1, -CONTEXT:]
        return np.asarray(probabilities, np.float32)


@lru_cache(maxsize=1)
def _session() -> Any:
    """The model, once for all recordings: their states are their own, and a session may run in any thread."""
    content = MODEL.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise BundleError(MODEL, found=f"SHA-256 {found}", expected=SHA256, advice="Install emojudge again.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # frames are small: threads cost more
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
