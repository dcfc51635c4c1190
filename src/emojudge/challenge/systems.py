"""The systems of the paper's tables: what each is made of, and the figures that the paper gives for it."""

from dataclasses import dataclass, field
from pathlib import Path

from emojudge.errors import ChallengeError
from emojudge.recipe import Recipe, Task

FOLDER = Path(__file__).with_name("systems")
FIGURES: dict[Task, tuple[str, ...]] = {
    "emotion": ("macro_f1", "accuracy"),
    "attributes": ("valence", "arousal", "dominance", "ccc"),  # each attribute's CCC, and their mean
}
Figures = tuple[float, ...]
FIRST_STAGES = {"best": ("best-first",)}


@dataclass(frozen=True)
class System:
    """A row of one of the paper's tables, or a system that the paper compares with in its text.

    `audio`, `text` and `more` name recipes, see `recipe`; several have their outputs fused. `paper` has the
    figures by split, in the order of FIGURES: `dev` is the paper's validation, `test3` the challenge's test
    set. `published` names a model that is not trained here, on the Hub or under the folder of weights.
    """

    name: str
    title: str
    task: Task
    audio: str | None
    text: str | None = None
    refined: bool = False
    paper: dict[str, Figures] = field(default_factory=dict)
    published: str | None = None
    more: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """The recipes that it needs."""
        return tuple(name for name in (self.audio, self.text, *self.more) if name)


def recipe(name: str) -> Recipe:
    """The recipe of one of the systems' models, such as `emotion-wavlm-large`."""
    return Recipe.read(FOLDER / f"{name}.yaml")


def stages(name: str) -> tuple[str, ...]:
    """The recipes that a model is trained by, one after the other, each from what the one before came to."""
    return (*FIRST_STAGES.get(name, ()), name)


def select(names: list[str] | None) -> list[System]:
    """The systems of these names, in the tables' order; without names all but those beyond the paper.

    Raises:
        ChallengeError: a name that none has.
    """
    if not names:
        return [system for system in SYSTEMS if not system.more]
    known = {system.name for system in SYSTEMS}
    for name in names:
        if name not in known:
            raise ChallengeError(
                "rows", found=repr(name), expected="some of " + ", ".join(s.name for s in SYSTEMS)
            )
    return [system for system in SYSTEMS if system.name in names]


def _emotion(name: str, title: str, audio: str, text: str | None = None, *, refined: bool = False,
             dev: Figures = (), test3: Figures = ()) -> System:  # fmt: skip
    return _system("emotion", name, title, audio, text, refined, _paper(dev, test3))


def _attributes(name: str, title: str, audio: str, text: str | None = None, *,
                dev: Figures = (), test3: Figures = ()) -> System:  # fmt: skip
    return _system("attributes", name, title, audio, text, False, _paper(dev, test3))


def _system(task: Task, name: str, title: str, audio: str, text: str | None, refined: bool,
            paper: dict[str, Figures]) -> System:  # fmt: skip
    read = text and f"{task}-{text}"
    return System(f"{task}-{name}", title, task, f"{task}-{audio}", read, refined, paper)


def _published(task: Task, name: str, title: str, where: str) -> System:
    return System(f"{task}-{name}", title, task, None, published=where)


def _paper(dev: Figures, test3: Figures) -> dict[str, Figures]:
    return {split: figures for split, figures in (("dev", dev), ("test3", test3)) if figures}


SYSTEMS: tuple[System, ...] = (
    _emotion(
        "roberta-refined", "WavLM-L + RoBERTa-L, refined", "wavlm-large", "roberta-large", refined=True,
        dev=(0.4292, 0.4666), test3=(0.3388, 0.3631),
    ),
    _emotion(
        "deberta-refined", "WavLM-L + DeBERTa-L, refined", "wavlm-large", "deberta-large", refined=True,
        dev=(0.3822, 0.4353), test3=(0.3345, 0.3603),
    ),
    _emotion("roberta", "WavLM-L + RoBERTa-L", "wavlm-large", "roberta-large", dev=(0.3695, 0.427)),
    _emotion("deberta", "WavLM-L + DeBERTa-L", "wavlm-large", "deberta-large"),
    _emotion(
        "base", "WavLM base + RoBERTa base", "wavlm-base", "roberta-base",
        dev=(0.3224, 0.415), test3=(0.2631, 0.2984),
    ),
    _emotion("whisper", "Whisper small + RoBERTa-L", "whisper-small", "roberta-large", dev=(0.3144, 0.3939)),
    _emotion(
        "ecapa", "ECAPA-TDNN + RoBERTa-L", "ecapa", "roberta-large",
        dev=(0.2138, 0.2968), test3=(0.1083, 0.1325),
    ),
    _emotion("hubert", "HuBERT-L, audio only", "hubert-large"),
    _emotion("wav2vec2", "wav2vec 2.0-L, audio only", "wav2vec2-large"),
    _emotion(
        "baseline", "official baseline (WavLM-L)", "baseline", dev=(0.307, 0.409), test3=(0.3293, 0.3556)
    ),
    _published(
        "emotion", "baseline-published", "baseline of Odyssey 2024, as published",
        "3loi/SER-Odyssey-Baseline-WavLM-Categorical",
    ),
    _attributes(
        "roberta", "WavLM-L + RoBERTa-L", "wavlm-large", "roberta-large",
        dev=(0.6891, 0.6109, 0.6679, 0.6560), test3=(0.6441, 0.6229, 0.4769, 0.5813),
    ),
    _attributes(
        "deberta", "WavLM-L + DeBERTa-L", "wavlm-large", "deberta-large", dev=(0.6611, 0.6102, 0.6566, 0.6426)
    ),
    _attributes(
        "whisper", "Whisper small + RoBERTa-L", "whisper-small", "roberta-large",
        dev=(0.6597, 0.6032, 0.6093, 0.6241), test3=(0.5435, 0.5693, 0.4153, 0.5094),
    ),
    _attributes(
        "audio", "WavLM-L, audio only", "wavlm-large",
        dev=(0.6641, 0.595, 0.6101, 0.6231), test3=(0.6441, 0.615, 0.4527, 0.5706),
    ),
    _attributes(
        "ecapa", "ECAPA-TDNN + RoBERTa-L", "ecapa", "roberta-large",
        dev=(0.598, 0.550, 0.5970, 0.5817),
    ),
    _attributes("hubert", "HuBERT-L, audio only", "hubert-large"),
    _attributes("wav2vec2", "wav2vec 2.0-L, audio only", "wav2vec2-large"),
    _attributes(
        "baseline", "official baseline (WavLM-L)", "baseline",
        dev=(0.652, 0.579, 0.688, 0.6396), test3=(0.6385, 0.6232, 0.4775, 0.5797),
    ),
    _published(
        "attributes", "baseline-published", "baseline of Odyssey 2024, as published",
        "3loi/SER-Odyssey-Baseline-WavLM-Multi-Attributes",
    ),
    _published(
        "attributes", "audeering-published", "audEERING's wav2vec 2.0, as published",
        "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim",
    ),
    # Beyond the paper: its recipes with what lifted macro-F1 since, and all kinds of models side by side.
    System(
        "emotion-best", "levers, meta-classifier", "emotion", "best", "best-text",
        more=("emotion-whisper-small", "emotion-deberta-large"),
    ),
    System(
        "attributes-best", "levers, meta-classifier", "attributes", "best", "best-text",
        more=("attributes-whisper-small", "attributes-deberta-large"),
    ),
)  # fmt: skip
