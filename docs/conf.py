"""Configuration of the documentation site. Build it with `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from manyheads.version import __version__

sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(Path(__file__).parents[1])]

project = "manyheads"
author = "the manyheads developers"
copyright = author  # noqa: A001 (the name is Sphinx's)
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "generated",
    "notebooks",
    "outside",
]
exclude_patterns = ["_build"]
nitpicky = True
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"manyheads {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"footer_icons": []}
html_copy_source = False
html_show_sourcelink = False
# The copy button leaves prompts out.
copybutton_exclude = ".linenos, .gp"

# References without a page of their own.
nitpick_ignore = [
    ("py:exc", "LabelError"),  # on the page, under its full name
    ("py:class", "manyheads.recipe.schema.Recipe"),  # every key is on the page of recipes
    ("py:class", "manyheads.options.Options"),  # the base of all option types, whose keys are on the page of recipes
    ("py:class", "manyheads.model.losses.options.LossOptions"),
    ("py:class", "LossOptions"),
    ("py:class", "manyheads.plugins.AnyMember"),  # a type variable
    ("py:class", "manyheads.data.reading.text_format.TextFormat"),  # the keys are on the page of recipes
    ("py:class", "manyheads.data.examples.Examples"),  # internal: the rows of a task, their tokens, and both together
    ("py:class", "manyheads.data.texts.TextStore"),
    ("py:class", "manyheads.data.dataset.Split"),
    ("py:class", "manyheads.data.tokenizer.Tokenizer"),
    ("py:class", "manyheads.model.multitask.MultitaskModel"),
    ("py:class", "manyheads.ragged.Ragged"),
    ("py:class", "manyheads.tasks.tags.TagTable"),
    ("py:class", "manyheads.data.given.GivenTable"),  # internal: what tables and frames are read by
    ("py:class", "manyheads.api.values.Frame"),
    ("py:class", "manyheads.api.values.ArrowTable"),
    ("py:class", "manyheads.api.keys.StudyKeys"),
    ("py:class", "manyheads.api.server.Application"),
    ("py:class", "manyheads.recipe.load.Change"),
    ("py:class", "manyheads.inference.engine.Engine"),  # internal: what runs a model
    ("py:class", "manyheads.inference.predictor.Origin"),  # internal: the path in a pickled predictor
    ("py:class", "manyheads.inference.load.HasFolder"),  # internal: anything with a `folder`, such as Run
]
# Types of other libraries: the site is built without a network, so it cannot read their inventories.
nitpick_ignore_regex = [("py:.*", r"(annotated_types|collections|numpy|os|pathlib|sklearn|torch)\..*")]
