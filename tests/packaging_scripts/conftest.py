"""What several tests of the self-test share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.packaging_scripts.fake_program import make_session


@pytest.fixture
def session_of(tmp_path: Path) -> Callable[..., Any]:
    """Makes a session with a fake program, out of a shell script and changes to its place."""
    return lambda body, **changes: make_session(tmp_path, body, **changes)
