"""Settings of the documentation site: Sphinx with pages in Markdown; build: python -m sphinx -W docs OUT."""

import fastapi  # noqa: F401  autodoc sets TYPE_CHECKING, with which its first import fails

import emojudge

project = "emojudge"
author = copyright = "The emojudge developers"  # noqa: A001  Sphinx's name
release = version = emojudge.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["deflist"]
html_theme = "furo"
html_title = f"emojudge {release}"

# Docstrings write `(batch, samples)` and `name` in single backticks, as in Markdown.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "undoc-members": True, "exclude-members": "model_config"}
