"""Settings of the site: ``make site``, or ``python -m sphinx -c docs . site``.

The root of the repository is where Sphinx reads, so that the chapters, README.md, RESULTS.md and
the others are pages where they lie, and the links between them lead where they lead elsewhere.
"""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "extensions"), str(ROOT)]
# Explorers are drawn while the site is built, and no window is opened for it.
os.environ.setdefault("MPLBACKEND", "Agg")
# Fixed by the content, not by the clock, so that equal sources make equal pages.
os.environ.setdefault("SOURCE_DATE_EPOCH", "0")

import toposeg_lite  # noqa: E402

# The one place that names the public repository; empty: no buttons that lead nowhere.
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "toposeg_lite"
]["repository"]

project = "toposeg_lite"
author = "The toposeg_lite authors"
release = version = toposeg_lite.__version__
html_title = "toposeg_lite"
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
    "formulas",
    "chapters",
    "docstrings",
    "weight",
]
root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "notebooks/*.ipynb",
    "notebooks/README.md",
    "notebooks/solutions/*.ipynb",
    "README.md",
    "RESULTS.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "RELEASING.md",
    "SECURITY.md",
]
exclude_patterns = ["docs/extensions", "docs/front", "docs/static"]
default_role = "py:obj"  # of `names` in docstrings: a link to what they mean, if it is here

# What the notebooks store is what is shown.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # nothing is fetched from elsewhere
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_dmath_double_inline = True
html_math_renderer = "mathml"

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections say the types, with shapes and units
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "sphinx_book_theme"
html_favicon = "static/icon.svg"
html_context = {"default_mode": "auto"}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["front"]
html_copy_source = True  # the notebook behind a chapter is what its button downloads
html_domain_indices = False  # the reference has its own list of rooms
html_show_copyright = False
html_last_updated_fmt = None
html_theme_options: dict[str, object] = {
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "home_page_in_toc": False,
    "use_download_button": True,
    "use_fullscreen_button": False,
    "navbar_persistent": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
if REPOSITORY:
    html_theme_options |= {
        "repository_url": REPOSITORY,
        "repository_branch": "main",
        "path_to_docs": "",
        "use_repository_button": True,
        "use_issues_button": True,
        "launch_buttons": {
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
            "notebook_interface": "jupyterlab",
        },
    }
