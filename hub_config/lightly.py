"""Leaves out of JupyterHub and JupyterLab what takes long to import and nobody uses; to be imported before them.

The rule: nothing behaves differently without it.
"""

from __future__ import annotations

import sys

# jsonschema has this package build grammars for 1.7 s at its import, for a format check that Jupyter does not ask for.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
