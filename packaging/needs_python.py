"""Ends a script in one sentence where Python is too old for it: imported before what such a Python cannot even load."""

from __future__ import annotations

import sys

OLDEST = (3, 11)

if sys.version_info < OLDEST:
    sys.exit(f"edgerag needs Python 3.11 or newer; this is {sys.version.split()[0]}, {sys.executable}.")
