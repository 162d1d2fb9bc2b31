"""A built bundle, named in EDGERAG_TEST_BUNDLE: what must not be in it is not, and what was cut down still works.

    make bundle
    EDGERAG_TEST_BUNDLE=dist/edgerag-0.1.0-linux-x86_64-llm make test PYTEST_ARGS="-k built_bundle"

`packaging/self_test.py` drives it as a user would, without network; here is what needs a server, or a look inside.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.hub_case import COMMIT, GGUF, REPOSITORY, write_catalogue
from tests.models.loopback import LoopbackServer
from tests.packaging_scripts.loading import load

contents = load("contents")
NAMED = os.environ.get("EDGERAG_TEST_BUNDLE", "")


@pytest.fixture
def bundle() -> Path:
    if not NAMED:
        pytest.skip("EDGERAG_TEST_BUNDLE names no folder of a bundle: `make bundle` makes one in dist/")
    return Path(NAMED).resolve()


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    running = LoopbackServer()
    yield running
    running.close()


def run(bundle: Path, home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (home / "config").mkdir(parents=True, exist_ok=True)
    environment = {
        "HOME": str(home),
        "PATH": "/nowhere",
        "EDGERAG_CONFIG": str(home / "config"),
        "EDGERAG_MODELS": str(home / "models"),
        **variables,
    }
    command = [str(bundle / "edgerag"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def variant_of(bundle: Path) -> str:
    """By its name, which may end in that of a generator."""
    return "llm" if "-llm" in bundle.name else "core"


def test_no_file_of_a_built_bundle_is_a_forbidden_module_or_a_link(bundle: Path) -> None:
    paths = list((bundle / "_internal").rglob("*"))
    modules = {contents.module_of(path.relative_to(bundle / "_internal").as_posix()) for path in paths}
    assert contents.forbidden_in(modules, variant_of(bundle)) == []
    assert modules & {"_sqlite3", "pysqlite3._sqlite3"}
    assert [path for path in bundle.rglob("*") if path.is_symlink()] == []


def test_no_module_inside_the_program_of_a_built_bundle_is_forbidden(bundle: Path) -> None:
    # The build does the same; of `make test`'s environment PyInstaller is no part.
    pytest.importorskip("PyInstaller")
    modules = load("compare").frozen_modules(bundle / "edgerag")
    assert contents.forbidden_in(modules, variant_of(bundle)) == []
    assert {"edgerag.cli.root", "edgerag_tui.cli", "edgerag.ingest.parse_worker"} <= set(modules)


@pytest.mark.parametrize(
    ("name", "variant"),
    [("edgerag-1.0-linux-x86_64", "core"), ("edgerag-1.0-linux-x86_64-llm-tiny.Q4_0", "llm")],
)
def test_the_name_of_a_built_bundle_tells_its_variant(name: str, variant: str) -> None:
    assert variant_of(Path(name)) == variant


def test_a_built_bundle_has_the_words_of_every_licence_it_names(bundle: Path) -> None:
    words = json.loads((bundle / "sbom.cdx.json").read_text(encoding="utf-8"))
    wholes = [one for one in words["components"] if "properties" not in one]  # the others are part of another
    texts: dict[str, list[Path]] = {}
    for file in (bundle / "LICENSES").glob("*/*"):
        if file.stat().st_size > 100:
            texts.setdefault(file.parent.name, []).append(file)
    assert [one["name"] for one in wholes if not texts.get(one["name"])] == []
    assert all(one["version"] and one["purl"].startswith("pkg:") and one["licenses"] for one in words["components"])


def test_no_library_of_a_built_bundle_looks_into_the_folders_of_the_build_machine(bundle: Path) -> None:
    native_files = load("native_files")
    libraries = [path for path in bundle.rglob("*.so*") if native_files.is_elf(path)]
    assert libraries or platform.system() != "Linux"
    foreign = {
        path.name: paths
        for path in libraries
        if (paths := [part for part in native_files.read_dynamic(path).search_paths if not part.startswith("$ORIGIN")])
    }
    assert foreign == {}


def test_a_built_bundle_pulls_from_a_hub(bundle: Path, server: LoopbackServer, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    write_catalogue(tmp_path)
    server.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", GGUF, commit=COMMIT)
    done = run(bundle, tmp_path, "models", "pull", "tiny", HF_ENDPOINT=server.url)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "models/tiny/tiny.gguf").read_bytes() == GGUF


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("RepoNotFound", 401, "There is no hub repository"),
        ("EntryNotFound", 404, "has no file tiny.gguf"),
        ("GatedRepo", 403, "accepted its licence"),
        ("", 500, "refuses tiny.gguf"),
    ],
)
def test_a_built_bundle_explains_what_a_hub_refuses(
    bundle: Path, server: LoopbackServer, tmp_path: Path, code: str, status: int, message: str
) -> None:
    (tmp_path / "config").mkdir()
    write_catalogue(tmp_path)
    where = f"/{REPOSITORY}/resolve/{COMMIT}/tiny.gguf"
    server.add(where, b"", status=status, etag=None, headers={"X-Error-Code": code} if code else {})
    done = run(bundle, tmp_path, "models", "pull", "tiny", HF_ENDPOINT=server.url)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_built_bundle_starts_other_programs_without_its_own_libraries(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    pip = folder / "pip3"
    pip.write_text('#!/bin/sh\necho "library path: $LD_LIBRARY_PATH" > "$HOME/seen"\nexit 1\n')
    pip.chmod(0o755)
    for path, seen in (("", "library path: \n"), ("/opt/mine", "library path: /opt/mine\n")):
        given = {"LD_LIBRARY_PATH": path} if path else {}
        run(
            bundle,
            tmp_path,
            "models",
            "pull",
            "smollm2-135m",
            HF_ENDPOINT="http://127.0.0.1:9",
            PATH=f"{folder}:/bin",
            **given,
        )
        assert (tmp_path / "seen").read_text() == seen
