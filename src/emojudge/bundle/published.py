"""A published model of emotions as a bundle, so that `predict` hears with it."""

from pathlib import Path

from emojudge.bundle.format import AcousticPart, Bundle
from emojudge.bundle.make import make_bundle
from emojudge.errors import BundleError
from emojudge.models.published import load_published

LICENCES = {"3loi/SER-Odyssey-Baseline-WavLM-Categorical": "MIT"}
UNKNOWN = "not stated: that of the model it was made of"
CARD = """# {name}

Made by `emojudge bundle import` of the published model `{source}`. Nothing was trained and nothing measured:
its scores are not calibrated, and `--adapt` cannot be used, as statistics of its training are not published.
"""


def import_published(
    source: str, folder: Path, *, name: str, small: bool = True, torch_weights: bool = False
) -> Bundle:
    """Write the bundle of a published model, whole or not at all, and open it.

    Args:
        source: a folder or a name on the Hub, see `models.published`.
        name: what predictions call it.
        small: float16 weights.
        torch_weights: keep float32 weights for the engine torch beside these.

    Raises:
        RecipeError: no such model, or one that cannot be read.
        BundleError: a model that gives attributes and no emotions, of which a bundle's predictions are made.
    """
    found = load_published(source)
    if found.task != "emotion":
        raise BundleError(
            source,
            found="a model of attributes",
            expected="one of emotions",
            advice="'emojudge reproduce' scores it on a corpus.",
        )
    part = AcousticPart(temperature=1.0, window_seconds=found.settings.max_seconds)
    return make_bundle(
        folder,
        name,
        acoustic=(found.model, part),
        small=small,
        torch_weights=torch_weights,
        licence=LICENCES.get(source, UNKNOWN),
        provenance={"audio": {"published": source, "calibrated": False}},
        card=CARD.format(name=name, source=source),
    )
