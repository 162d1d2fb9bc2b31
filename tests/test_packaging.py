"""What is built is complete, and the wheel alone gives offline search and extractive answers."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from edgerag import __version__

USER_ENVIRONMENT = dict(os.environ)
"""As it was before `conftest.py` gave the tests a home folder of their own: uv's cache and settings are found by it."""
BUNDLED = "edgerag/bundled/all-MiniLM-L6-v2/"
BUNDLED_LIMIT_BYTES = 36_000_000


def _build(checkout: Path, kind: str, folder: Path) -> Path:
    for module in ("build", "hatchling"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: `make test` installs it")
    if not (checkout / "README.md").is_file():
        pytest.skip("the checkout has no README.md, which the package's metadata is made from")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(folder), str(checkout)],
        check=True,
        timeout=120,
        stdout=subprocess.DEVNULL,
    )
    return next(folder.iterdir())


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(checkout, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(checkout, "sdist", tmp_path_factory.mktemp("sdist"))


def test_the_wheel_holds_both_packages_the_model_the_catalogue_and_the_licences(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    info = f"edgerag-{__version__}.dist-info"
    wanted = {
        "edgerag/engine.py",
        "edgerag/cli/root.py",
        "edgerag/models/catalogue.toml",
        "edgerag_export/cli.py",
        f"{BUNDLED}manifest.json",
        f"{BUNDLED}model.onnx",
        f"{BUNDLED}tokenizer.json",
        f"{info}/licenses/LICENSE",
        f"{info}/licenses/{BUNDLED}LICENSE",
        f"{info}/entry_points.txt",
        "edgerag_tui/languages/zh.toml",
        f"edgerag-{__version__}.data/data/share/man/man1/edgerag.1",
    }
    assert wanted - set(sizes) == set()
    bundled_bytes = sum(size for name, size in sizes.items() if name.startswith(BUNDLED))
    assert bundled_bytes <= BUNDLED_LIMIT_BYTES


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    parts = {f"edgerag-{__version__}.dist-info", f"edgerag-{__version__}.data"}
    known = {"edgerag", "edgerag_export", "edgerag_tui"} | parts
    assert {name.split("/")[0] for name in names} <= known
    assert [name for name in names if name.endswith((".pyc", ".pyo")) or "/tests/" in name] == []


def test_every_file_under_version_control_of_the_packages_is_in_the_wheel(checkout: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    sources = {
        file.relative_to(root).as_posix()
        for root in (checkout, checkout / "export", checkout / "tui")
        for package in ("edgerag", "edgerag_export", "edgerag_tui")
        for file in (root / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert sources - packed == set()


def test_the_sdist_holds_what_a_build_and_the_tests_need_and_no_environment(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        "LICENSE",
        "Makefile",
        "README.md",
        "pyproject.toml",
        "edgerag/__init__.py",
        f"{BUNDLED}model.onnx",
        "export/edgerag_export/cli.py",
        "examples/maintenance.pdf",
        "packaging/edgerag.1",
        "requirements/runtime.txt",
        "tests/conftest.py",
        "tui/edgerag_tui/styles/app.tcss",
    }
    assert wanted - names == set()
    assert [name for name in names if name.startswith((".venv", ".demo", ".git/", ".mypy", "dist", "build/"))] == []


def test_the_wheel_made_from_the_sdist_is_the_wheel_made_from_the_checkout(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    again = _build(next((tmp_path / "source").iterdir()), "wheel", tmp_path / "dist")
    assert again.read_bytes() == wheel.read_bytes()


@pytest.fixture(scope="module")
def program(checkout: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`edgerag` in an environment that holds the wheel and what it declares, without any extra."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{USER_ENVIRONMENT.get('PATH', '')}")
    if uv is None:
        pytest.skip("uv is not installed: `make test` installs it")
    folder = tmp_path_factory.mktemp("environment")
    binaries = folder / ("Scripts" if sys.platform == "win32" else "bin")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [uv, *arguments], env=USER_ENVIRONMENT, capture_output=True, encoding="utf-8", timeout=300
        )

    assert run("venv", "--quiet", "--python", sys.executable, str(folder)).returncode == 0
    target = ("--python", str(binaries / "python"))
    # From the cache that `make test` filled: no test touches the network.
    needed = run(
        "pip", "install", *target, "--offline", "--no-deps", "--require-hashes",
        "-r", str(checkout / "requirements" / "runtime.txt"),
    )  # fmt: skip
    if needed.returncode != 0:
        pytest.skip(f"uv's cache does not hold all of requirements/runtime.txt: {needed.stderr.strip()[-300:]}")
    installed = run("pip", "install", *target, "--offline", "--no-deps", str(wheel))
    assert installed.returncode == 0, installed.stderr
    checked = run("pip", "check", *target)
    assert checked.returncode == 0, f"requirements/runtime.txt is not what pyproject.toml asks for: {checked.stderr}"
    return binaries / "edgerag"


@pytest.mark.slow
@pytest.mark.models
def test_the_wheel_alone_searches_and_answers_offline(program: Path, checkout: Path, tmp_path: Path) -> None:
    assert not list(program.parents[1].rglob("llama_cpp")), "the extra `llm` is installed; this proves nothing"
    library = tmp_path / "library"

    def edgerag(*arguments: str) -> str:
        # Neither the checkout nor its settings: from another folder, with nothing on the path of imports.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        result = subprocess.run(
            [str(program), "--library", str(library), *arguments],
            cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=120,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert edgerag("--version").strip() == f"edgerag, version {__version__}"
    added = json.loads(edgerag("--json", "add", str(checkout / "examples")))
    assert (added["added"], added["failed"]) == (6, [])

    hits = json.loads(edgerag("--json", "search", "How much can one mule carry?"))["hits"]
    assert Path(hits[0]["document"]["path"]).name == "contract.docx"
    assert "up to 85 kilograms" in hits[0]["text"]

    for arguments in (["ask", "--extractive"], ["ask"]):
        answer = json.loads(edgerag("--json", *arguments, "How much can one mule carry?"))
        assert answer["model"] is None
        assert "One mule carries up to 85 kilograms" in answer["citations"][0]["quote"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "extra"),
    [(("tui",), "tui"), (("export", "build", "all-minilm-l6-v2.toml"), "export")],
)
def test_the_wheel_alone_says_which_extra_a_command_needs(
    program: Path, checkout: Path, tmp_path: Path, arguments: tuple[str, ...], extra: str
) -> None:
    shutil.copytree(checkout / "export" / "recipes", tmp_path, dirs_exist_ok=True)
    result = subprocess.run(
        [str(program), *arguments], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=120
    )
    assert result.returncode == 2
    assert f"[{extra}]" in result.stderr
    assert "Traceback" not in result.stderr
