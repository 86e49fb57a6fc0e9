"""Sphinx configuration."""

project = "pyvirt_trio"
author = "the pyvirt_trio founders"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "pyvirt_trio"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Events", "Cancellation"]
default_role = "code"
