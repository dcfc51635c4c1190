"""Typed recipes read from YAML: what to train, on what, and how. Unknown keys are refused."""

import difflib
import reprlib
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from emojudge.emotions import EMOTIONS, Emotion
from emojudge.errors import RecipeError
from emojudge.records import Modality

Task = Literal["emotion", "attributes"]
Parallel = Literal["ddp", "fsdp"]

SHORT = reprlib.Repr()  # of values in errors: a few lines of YAML can stand for lists without end
SHORT.maxlevel = 2


class Section(BaseModel):
    """A part of a recipe: frozen, and without keys that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(Section):
    """One corpus. Its folder is `folder` under the data folder that the command names."""

    corpus: str
    folder: str
    train: tuple[str, ...] = ("train",)  # names of its splits
    validation: tuple[str, ...] = ("dev",)
    # For corpora without splits: these fractions of the speakers, drawn with this seed, are held out.
    holdout: dict[str, float] = {}
    holdout_seed: int = Field(default=0, ge=0)
    # What is learnt from where a corpus has both: its raters' votes, also those without a majority, or the
    # consensus alone (the paper). Validation is against the consensus either way.
    labels: Literal["votes", "consensus"] = "votes"
    columns: dict[str, str] = {}  # for `table`: our name → the file's name
    # 0.25: every epoch reads another random quarter; 4: every epoch reads all of it four times.
    repeat: float = Field(default=1.0, gt=0)
    # With `acoustic.cache_frames`: times each clip is encoded, once as it is and then augmented.
    views: int = Field(default=1, ge=1)


class LoraSettings(Section):
    """Low-rank adapters, in the place of training the encoder itself."""

    rank: int = Field(default=8, ge=1)
    alpha: int = Field(default=16, ge=1)  # the adapters' product counts alpha / rank
    dropout: float = Field(default=0.0, ge=0, lt=1)
    # Projections by their last name; queries and values, as the encoders here call them.
    targets: tuple[str, ...] = Field(default=("q_proj", "v_proj", "query", "value"), min_length=1)


class BackboneSettings(Section):
    """The encoder: a registered kind, and the folder or Hub name of its weights."""

    kind: str
    weights: str
    layers: int | None = Field(default=None, ge=1)  # keep this many transformer layers; None: all
    frozen_layers: int = Field(default=0, ge=0)  # front-end and this many layers are not trained
    last: int = Field(default=1, ge=1)  # hidden states of this many last layers, side by side
    lora: LoraSettings | None = None  # train adapters above the frozen layers, and nothing else of it
    # Whisper alone: dB under the spectrogram's loudest bin that are kept; None: 80, as it was trained.
    dynamic_range_db: float | None = Field(default=None, gt=0)


class AcousticSettings(Section):
    """The acoustic model of the paper, section 2.1."""

    backbone: BackboneSettings
    # "corpus": one mean and deviation over the training split (the paper); "utterance": each its own.
    normalisation: Literal["corpus", "utterance"] = "corpus"
    # Sum the hidden states of the backbone's `last` layers by learnt weights instead of side by side.
    layer_weights: bool = False
    attention_penalty: float = Field(default=1e-4, ge=0)
    head_width: int = Field(default=1024, ge=1)
    head_layers: int = Field(default=2, ge=0)  # before the output; 0: a linear classifier
    dropout: float = Field(default=0.5, ge=0, lt=1)
    # Longer clips are cropped, at random in training. Under 30 s with the rest of under 1 s that may join a
    # window in prediction: Whisper's encoder has no positions beyond, nor has the exported model.
    max_seconds: float = Field(default=12.0, ge=1, le=29)
    trim_db: float | None = Field(
        default=None, gt=0
    )  # cut the ends that are this far under the loudest frame
    augment: bool = False
    # Give the head features of mean 0 and deviation 1, as measured on the training split before training.
    standardise: bool = False
    # Encode all clips ahead of training, for a backbone that is frozen as a whole; see `Source.views`.
    cache_frames: bool = False
    # Keep the samples on disk, 16 bits each, as they are decoded first: later epochs read no codec.
    cache_audio: bool = False


class LinguisticSettings(Section):
    """The linguistic model of the paper, section 2.2."""

    backbone: BackboneSettings
    max_tokens: int = Field(default=128, ge=4, le=512)
    dropout: float = Field(default=0.3, ge=0, lt=1)


class LearningRates(Section):
    encoder: float = Field(default=1e-5, ge=0)
    pooling: float = Field(default=1e-5, ge=0)
    head: float = Field(default=1e-5, ge=0)


class MixupSettings(Section):
    """Mixtures of two items' features before the head, and of their targets."""

    p: float = Field(default=0.3, gt=0, le=1)  # probability that a batch is mixed
    beta: float = Field(default=0.2, gt=0)  # shares are drawn from Beta(beta, beta): small is near to 0 or 1


class VectorScaling(Section):
    """The VS loss: margins for rare emotions. gamma 0, tau 1 is the logit-adjusted loss."""

    gamma: float = Field(default=0.3, ge=0)
    tau: float = Field(default=1.0, ge=0)


class AuxiliarySettings(Section):
    """Heads that are trained beside the tasks' and given up afterwards: how much their losses count."""

    gender: float = Field(default=0.0, ge=0)  # the speaker's, where it is known
    secondary: float = Field(default=0.0, ge=0)  # what raters ticked beside the emotion, where it is known

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not self.gender + self.secondary:
            raise ValueError("a weight above 0 for gender, for secondary, or for both")
        return self


class TrainingSettings(Section):
    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=32, ge=1)  # items per optimiser step
    accumulation: int = Field(default=1, ge=1)  # micro-batches per step
    learning_rates: LearningRates = LearningRates()
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.0, ge=0, lt=1)  # fraction of all steps, linear
    decay: Literal["constant", "linear", "cosine"] = "constant"
    max_gradient_norm: float | None = Field(default=1.0, gt=0)
    focal_gamma: float = Field(default=2.0, ge=0)
    class_weights: float = Field(default=1.0, ge=0, le=1)  # (N / (classes · count)) to this power
    vector_scaling: VectorScaling | None = None
    # How common the emotions are where the model will be used; its logits are then for that. A test set that
    # was balanced by construction is "uniform".
    known_prior: Literal["uniform"] | dict[Emotion, float] | None = None
    # An epoch takes of every emotion as many items as the rarest has, others each time.
    balanced: bool = False
    # Share of the items whose votes for the commonest emotion are dropped, where they have votes for others.
    annotation_dropout: float = Field(default=0.0, ge=0, lt=1)
    mixup: MixupSettings | None = None
    auxiliary: AuxiliarySettings | None = None
    attributes_weight: float = Field(default=1.0, ge=0)
    whole_batch_ccc: bool = True  # CCC over the whole batch also when it is accumulated
    # The validation figure whose best epoch is kept: "mean" is of the two others, for models of both tasks;
    # "last" keeps the last epoch, for when nothing can be spared for validation.
    select: Literal["macro_f1", "ccc", "mean", "last"] = "macro_f1"
    patience: int | None = Field(default=None, ge=1)  # epochs without a better validation
    # Validate and keep an exponential moving average of the weights over the steps; 0.99 averages about 100.
    weight_average: float | None = Field(default=None, gt=0, lt=1)
    # Of the forward pass. float16 scales the loss, and leaves out steps whose gradients overflow even so.
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    # Keep no hidden states for the backward pass but one per layer; the others are computed again.
    gradient_checkpointing: bool = False
    # What each of torchrun's processes holds: "ddp", the whole model; "fsdp", a slice of every parameter, of
    # its gradient and its moments. What comes out is the same, and one process has the whole either way.
    parallel: Parallel = "ddp"
    checkpoint_every: int = Field(default=200, ge=1)  # steps
    seed: int = Field(default=7, ge=0)


class Recipe(Section):
    """One model: its data, its parts, its training."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    modality: Modality
    tasks: tuple[Task, ...] = Field(default=("emotion",), min_length=1)
    data: tuple[Source, ...] = Field(min_length=1)
    acoustic: AcousticSettings | None = None
    linguistic: LinguisticSettings | None = None
    training: TrainingSettings = TrainingSettings()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a YAML recipe.

        Its key `base` names another recipe, relative to this one, that it differs from: what stands here goes
        before what stands there, section by section; a list takes the place of the whole list.

        Raises:
            RecipeError: unreadable YAML, a key that is there twice, an unknown key (with the nearest known
                one), a value out of range, a recipe that is its own base.
        """
        try:
            return cls.model_validate(_content(path))
        except ValidationError as error:
            raise _explain(path, error) from error

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        wanted = "acoustic" if self.modality == "audio" else "linguistic"
        if getattr(self, wanted) is None:
            raise ValueError(f"a section {wanted!r}, for the modality {self.modality!r}")
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"each task once, not {list(self.tasks)}")
        acoustic = self.acoustic if self.modality == "audio" else None
        self._levers_act(acoustic)
        needed = {"macro_f1": {"emotion"}, "ccc": {"attributes"}, "mean": {"emotion", "attributes"}}
        missing = needed.get(self.training.select, set()) - set(self.tasks)
        if missing:
            raise ValueError(f"the task {min(missing)!r}, to select by {self.training.select!r}")
        return self

    def _levers_act(self, acoustic: AcousticSettings | None) -> None:
        """Refuse what would be written for nothing."""
        training = self.training
        if acoustic and acoustic.layer_weights and acoustic.backbone.last < 2:
            raise ValueError("backbone.last of at least 2, to have layers to weigh")
        frames = acoustic is not None and acoustic.cache_frames
        if acoustic and frames and acoustic.cache_audio:
            raise ValueError(
                "acoustic.cache_frames or acoustic.cache_audio: with frames, no audio is read again"
            )
        if frames and training.gradient_checkpointing:
            raise ValueError("no training.gradient_checkpointing with acoustic.cache_frames: no encoder runs")
        if not frames and any(source.views > 1 for source in self.data):
            raise ValueError("acoustic.cache_frames, for several views of a clip")
        prior = training.known_prior
        if isinstance(prior, dict) and (set(prior) != set(EMOTIONS) or min(prior.values()) <= 0):
            raise ValueError(
                "a share above 0 of each emotion in training.known_prior: " + ", ".join(EMOTIONS)
            )
        of_emotion = ("vector_scaling", "known_prior", "balanced", "annotation_dropout")
        idle = [name for name in of_emotion if getattr(training, name)]
        if idle and "emotion" not in self.tasks:
            raise ValueError(f"the task 'emotion', for training.{idle[0]}")
        if training.annotation_dropout and all(source.labels == "consensus" for source in self.data):
            raise ValueError("a source with labels: votes, for training.annotation_dropout")
        if training.mixup and training.batch_size < 2 * training.accumulation:
            raise ValueError("micro-batches of at least 2 items, for training.mixup")


def _content(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The keys of a recipe over those of its bases."""
    if path.resolve() in above:
        raise RecipeError(path, found="a recipe that is its own base", expected="bases that end")
    try:
        with path.open(encoding="utf-8") as file:
            content = yaml.load(file, _Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise RecipeError(path, found=str(error), expected="a YAML recipe") from error
    if not isinstance(content, dict):
        raise RecipeError(path, found=type(content).__name__, expected="a mapping of recipe keys")
    base = content.pop("base", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise RecipeError(path, found=f"base = {SHORT.repr(base)}", expected="the name of another recipe")
    return _merged(_content(path.parent / base, (*above, path.resolve())), content)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {k: _merged(base[k], v) if isinstance(v, dict) and isinstance(base.get(k), dict) else v
            for k, v in over.items()}  # fmt: skip
    return {**base, **both}


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a repeated key, of which PyYAML would keep the last without a word."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Here and not where mappings are made: a key that another mapping was merged in with may come again.
        node = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            line = key.start_mark.line + 1
            if key.value in lines:
                raise RecipeError(
                    f"{self.name}, line {line}",
                    found=f"the key {key.value!r}, which is in line {lines[key.value]} already",
                    expected="each key of a mapping once",
                )
            lines[key.value] = line
        return node


def _explain(path: Path, error: ValidationError) -> RecipeError:
    """The first fault of a recipe in words; an unknown key with the known key that is nearest."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    if not place:
        return RecipeError(path, found="parts that do not go together", expected=str(fault["ctx"]["error"]))
    if fault["type"] != "extra_forbidden":
        return RecipeError(path, found=f"{place} = {SHORT.repr(fault['input'])}", expected=fault["msg"])
    known = sorted({name for section in Section.__subclasses__() for name in section.model_fields})
    near = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
    advice = f"Did you mean {near[0]!r}?" if near else ""
    return RecipeError(path, found=f"unknown key {place!r}", expected="a recipe key", advice=advice)
