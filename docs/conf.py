"""The documentation as a site: `make docs` builds it into build/site, to be opened without a server or a network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bridgebnn

project = "bridgebnn"
copyright = "the bridgebnn maintainers, Apache-2.0"
release = version = bridgebnn.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["schemas"]

myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]

napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": False}
autodoc_preserve_defaults = True
add_module_names = False
default_role = "py:obj"  # single backquotes in docstrings: a link where there is one, else code
suppress_warnings = ["ref.python"]  # n_in of a shape may be that of several classes

html_theme = "furo"
html_title = f"bridgebnn {release}"
html_copy_source = False
html_show_sphinx = False
