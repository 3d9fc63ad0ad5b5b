"""The documentation site: the pages of `docs/`, and references made from the sources. `tox -e docs` builds it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

import plugsvc

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "plugsvc"
author = "the plugsvc authors"
release = plugsvc.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click", "requirement_pages"]
html_theme = "furo"
html_title = f"plugsvc {release}"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["attrs_block"]
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
nitpicky = False

# The pages mark messages and bytes by words of their own, which their tests read.
lexers.update(wire=TextLexer(), bytes=TextLexer())

# The pages stand in `docs/`, where links between them and to the sources work on a code host as well.
PAGES = HERE / "pages"
shutil.rmtree(PAGES, ignore_errors=True)
PAGES.mkdir()
for page in sorted(HERE.parent.glob("*.*")):
    if page.suffix in (".md", ".svg", ".c"):
        shutil.copy(page, PAGES)
suppress_warnings = ["myst.xref_missing"]  # links to files of the repository that are no pages
