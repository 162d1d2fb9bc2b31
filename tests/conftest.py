"""What every test gets: folders of its own in place of the user's, and real weights where there are any."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from edgerag import paths
from edgerag.inference.embedder import OnnxEmbedder

CHECKOUT = Path(__file__).parents[1]
MODELS_VARIABLE = "EDGERAG_TEST_MODELS"
USER_FOLDERS = {
    "HOME": "",
    "USERPROFILE": "",
    "XDG_DATA_HOME": "data",
    "XDG_CONFIG_HOME": "config",
    "XDG_CACHE_HOME": "cache",
    "XDG_STATE_HOME": "state",
    "APPDATA": "roaming",
    "LOCALAPPDATA": "local",
}
"""Where Linux, macOS and Windows look for a user's folders, and where a test finds them instead."""

# A shell starts what it puts into the background with SIGINT ignored, and everything below inherits that: the programs
# that tests interrupt would not notice.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Deadlines measure the machine, not the code. In CI a failure must not depend on the draw.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


def _isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    for name in [name for name in os.environ if name.startswith("EDGERAG_") and not name.startswith("EDGERAG_TEST_")]:
        patch.delenv(name)
    for name, folder in USER_FOLDERS.items():
        patch.setenv(name, str(home / folder))
    patch.setenv("EDGERAG_LIBRARY", str(home / "edgerag-library"))
    patch.setenv("EDGERAG_MODELS", str(home / "edgerag-models"))
    patch.setenv("EDGERAG_CONFIG", str(home / "edgerag-config"))


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Path]]:
    """Fresh home folders; the first serves the fixtures that are made before any test has its own."""
    root = tmp_path_factory.mktemp("homes")
    patch = pytest.MonkeyPatch()
    _isolate(patch, root / "session")
    yield (root / str(number) for number in itertools.count())
    patch.undo()


@pytest.fixture(autouse=True)
def isolated_home(_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or changes the user's library, models, settings or home folder."""
    home = next(_homes)
    _isolate(monkeypatch, home)
    return home


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder of the checkout; skips where the tests run without one."""
    if not (CHECKOUT / "pyproject.toml").is_file():
        pytest.skip(f"{CHECKOUT} is no checkout")
    return CHECKOUT


@pytest.fixture(scope="session")
def shared_data(checkout: Path) -> Path:
    """SciFact, XQuAD and real documents, in the folder `shared/data` beside the checkout."""
    folder = checkout.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder ../shared/data with SciFact and XQuAD is not beside the checkout")
    return folder


@pytest.fixture(scope="session")
def bundled_embedder(_homes: Iterator[Path]) -> Iterator[OnnxEmbedder]:
    """The embedder that comes inside the package."""
    folder = paths.BUNDLED_MODELS / "all-MiniLM-L6-v2"
    if not (folder / "manifest.json").is_file():
        pytest.skip(f"the bundled embedder is absent from {folder}")
    embedder = OnnxEmbedder.open(folder)
    yield embedder
    embedder.close()


@pytest.fixture(scope="session")
def installed_models() -> Path:
    """A models folder that holds the default generator: EDGERAG_TEST_MODELS, or what `make models` made."""
    folder = Path(os.environ.get(MODELS_VARIABLE) or CHECKOUT / ".demo" / "models").expanduser().resolve()
    if not (folder / "smollm2-135m" / "manifest.json").is_file():
        pytest.skip(f"no generator in {folder}: `make models` fetches it")
    return folder


@pytest.fixture(scope="session")
def installed_gguf(installed_models: Path) -> Path:
    """The file of the default generator."""
    return sorted((installed_models / "smollm2-135m").glob("*.gguf"))[0]
