"""What a model is built of, in JSON: its kind, its encoder's configuration, the sizes of what follows.

It comes with a bundle, from anywhere. So a kind is one of those named here, a configuration has the fields
that `transformers` has for it and plain values in them, and nothing is asked of the Hub or run by it.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, field_validator
from transformers import CONFIG_MAPPING, AutoModel, PreTrainedConfig

from emojudge.bundle.format import Part
from emojudge.models.acoustic import AcousticModel
from emojudge.models.ecapa import EcapaBackbone, EcapaEncoder
from emojudge.models.linguistic import LinguisticModel
from emojudge.models.wav2vec2 import Wav2Vec2Backbone
from emojudge.models.whisper import WhisperBackbone
from emojudge.recipe import AcousticSettings, BackboneSettings

MOST_LAYERS, MOST = 256, 1 << 20  # the latter of everything else

Size = Annotated[int, Field(ge=1, le=MOST)]
Plain = (  # no path, no name on the Hub, nothing nested
    StrictBool
    | Annotated[StrictInt, Field(ge=-MOST, le=MOST)]
    | Annotated[StrictFloat, Field(ge=-MOST, le=MOST)]
    | Annotated[StrictStr, Field(pattern=r"^[\w|-]{0,40}$")]
)
Config = dict[str, Plain | Annotated[tuple[Plain, ...], Field(max_length=64)]]


class _Architecture(Part):
    kind: str
    encoder: Config  # what differs from the defaults of the kind's configuration
    outputs: Size

    @field_validator("encoder")
    @classmethod
    def _few_layers(cls, config: Config) -> Config:
        for name, value in config.items():
            if "layers" in name and not isinstance(value, tuple | str) and value > MOST_LAYERS:
                raise ValueError(f"{name} = {value}, more than {MOST_LAYERS}")
        return config


class AcousticArchitecture(_Architecture):
    """Of an `AcousticModel`."""

    kind: Literal["ecapa", "hubert", "wav2vec2", "wavlm", "whisper"]
    last: int = Field(default=1, ge=1, le=MOST_LAYERS)
    layer_weights: bool = False
    normalisation: Literal["corpus", "utterance"]
    dynamic_range_db: float | None = Field(default=None, gt=0)  # Whisper's
    head_width: Size = 1
    head_layers: int = Field(ge=0, le=MOST_LAYERS)

    @classmethod
    def of(cls, model: AcousticModel) -> "AcousticArchitecture":
        """Of a model whose adapters are merged.

        Raises:
            ValidationError: an encoder of another kind, or a configuration that is not plain.
        """
        backbone: Any = model.backbone
        encoder: Any = backbone.encoder
        if isinstance(backbone, EcapaBackbone):
            config = encoder.sizes
        elif isinstance(backbone, WhisperBackbone):
            config = _changes(encoder.config, max_source_positions=len(encoder.embed_positions.weight))
        else:
            config = _changes(encoder.config, num_hidden_layers=len(encoder.encoder.layers))
        head: Any = model.head
        return cls(
            kind=backbone.kind,
            encoder=config,
            last=getattr(backbone, "last", 1),
            layer_weights=model.layers is not None,
            normalisation=model.normalisation,
            dynamic_range_db=backbone.spectrogram.dynamic_range_db if backbone.kind == "whisper" else None,
            head_width=head.blocks[0][0].out_features if head.blocks else 1,
            head_layers=len(head.blocks),
            outputs=head.output.out_features,
        )

    def build(self) -> AcousticModel:
        """The model with weights that mean nothing.

        Raises:
            Exception: of any kind, for sizes that do not go together.
        """
        backbone: Any
        if self.kind == "ecapa":
            backbone = EcapaBackbone(EcapaEncoder(**self.encoder))  # type: ignore[arg-type]
        elif self.kind == "whisper":
            config = _configuration(self.kind, self.encoder)
            backbone = WhisperBackbone(config, None, self.last, self.dynamic_range_db)
        else:
            backbone = Wav2Vec2Backbone.from_config(_configuration(self.kind, self.encoder), None, self.last)
        settings = AcousticSettings(
            backbone=BackboneSettings(kind=self.kind, weights="", last=self.last),
            normalisation=self.normalisation,
            layer_weights=self.layer_weights,
            head_width=self.head_width,
            head_layers=self.head_layers,
        )
        return AcousticModel(backbone, self.outputs, settings)


class LinguisticArchitecture(_Architecture):
    """Of a `LinguisticModel`."""

    kind: Literal["bert", "camembert", "deberta", "deberta-v2", "electra", "roberta", "xlm-roberta"]

    @classmethod
    def of(cls, model: LinguisticModel) -> "LinguisticArchitecture":
        """Of a model whose adapters are merged.

        Raises:
            ValidationError: an encoder of another kind, or a configuration that is not plain.
        """
        encoder = model.encoder
        layers = getattr(getattr(encoder, "encoder", None), "layer", ())
        return cls(
            kind=encoder.config.model_type,
            encoder=_changes(encoder.config, num_hidden_layers=len(layers)),
            outputs=model.head.out_features,
        )

    def build(self) -> LinguisticModel:
        """The model with weights that mean nothing.

        Raises:
            Exception: of any kind, for sizes that do not go together.
        """
        auto: Any = AutoModel
        encoder = auto.from_config(_configuration(self.kind, self.encoder))
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None
        return LinguisticModel(encoder, self.outputs)


def _fields(kind: str) -> dict[str, Any]:
    """Those of a kind's own configuration, with their defaults; those that all kinds share do not build."""
    shared = PreTrainedConfig().to_dict()
    known = CONFIG_MAPPING[kind]().to_dict()
    return {name: value for name, value in known.items() if name not in shared or name == "pad_token_id"}


def _changes(config: Any, **cut: int) -> Config:
    """What a configuration has that its kind's defaults do not, with the layers that were kept."""
    defaults = _fields(config.model_type)
    found = {**config.to_dict(), **cut}
    return {name: found[name] for name, default in defaults.items() if found.get(name, default) != default}


def _configuration(kind: str, changes: Config) -> Any:
    if unknown := sorted(changes.keys() - _fields(kind).keys()):
        raise ValueError(f"{unknown[0]!r} in the configuration of {kind!r}, which transformers does not know")
    configuration: Any = CONFIG_MAPPING[kind]
    return configuration(**changes)
