"""Small recipes over the tables of the fixture `home`."""

from pathlib import Path

import yaml

from emojudge.recipe import Recipe


def recipe(home: Path, *sources: dict, modality: str = "text", **options) -> Recipe:
    content = {
        "name": "small",
        "modality": modality,
        "data": [{"corpus": "table", **source} for source in sources],
        "training": {"epochs": 1, "batch_size": 4},
    }
    if modality == "text":
        content["linguistic"] = {"backbone": {"kind": "bert", "weights": "words"}, **options}
    else:
        content["acoustic"] = {
            "backbone": {"kind": "whisper", "weights": "voice"},
            "head_width": 8,
            **options,
        }
    path = home / "recipe.yaml"
    path.write_text(yaml.safe_dump(content))
    return Recipe.read(path)
