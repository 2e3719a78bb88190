"""The manual: Sphinx, with pages that are notebooks in Markdown (MyST-NB), executed when built."""

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

# Examples find the command line of this checkout.
ROOT = Path(__file__).resolve().parents[2]
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
os.environ["COLUMNS"] = "100"
# No colours in what commands print, whatever a kernel says: of rich, and of typer's help.
os.environ["TTY_COMPATIBLE"] = "0"
os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"

project = "cosim"
version = release = version_of("cosim")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_title = f"cosim {version}"
html_theme = "alabaster"
html_theme_options = {"description": "ngspice in lockstep with torch", "page_width": "1080px"}

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 2
nb_execution_mode = "force"  # an example that fails is an error, never an old output
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_in_temp = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "description"
