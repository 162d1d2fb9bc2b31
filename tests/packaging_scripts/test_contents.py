"""What is in a bundle: everything of edgerag's own, one copy of each library, and none of what is forbidden."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.packaging_scripts.loading import SCRIPTS, load

contents = load("contents")
ROOT = SCRIPTS.parent


@pytest.mark.parametrize(
    "name",
    [
        "torch",
        "torch.nn",
        "transformers",
        "matplotlib",
        "pip",
        "requests",
        "urllib3",
        "httpx",
        "edgerag_export",
        "PIL",
        "readline",
    ],
)
def test_a_forbidden_module_is_found_with_all_below_it(name: str) -> None:
    assert contents.forbidden_in(["edgerag.cli", name], "llm") == [name]


def test_names_that_only_begin_alike_are_not_forbidden() -> None:
    assert contents.forbidden_in(["pipeline", "httpx2", "onnxruntime", "edgerag.ask.pipeline", "testing"], "llm") == []


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("python3.11/lib-dynload/readline.cpython-311-x86_64-linux-gnu.so", "readline"),
        ("python3.13/lib-dynload/_tkinter.cpython-313-aarch64-linux-gnu.so", "_tkinter"),
        ("readline.so", "readline"),
        ("_tkinter.pyd", "_tkinter"),
        ("PIL\\_imaging.cp311-win_amd64.pyd", "PIL._imaging"),
        ("torch/_C.cpython-311-x86_64-linux-gnu.so", "torch._C"),
        ("numpy.libs/libscipy_openblas64_-8fb3d286.so", "numpy.libs.libscipy_openblas64_-8fb3d286"),
        ("onnx-1.20.dist-info/METADATA", "onnx-1.20.dist-info.METADATA"),
        ("lib-dynload/readline.so", "lib-dynload.readline"),
    ],
)
def test_a_module_in_machine_code_is_known_by_the_name_it_is_imported_by(file: str, module: str) -> None:
    assert contents.module_of(file) == module


def test_only_the_variant_with_a_generator_has_llama_cpp() -> None:
    assert contents.forbidden_in(["llama_cpp.llama_cpp"], "core") == ["llama_cpp.llama_cpp"]
    assert contents.forbidden_in(["llama_cpp.llama_cpp"], "llm") == []
    assert "llama_cpp" in contents.excluded_modules("core")
    assert "llama_cpp" not in contents.excluded_modules("llm")
    with pytest.raises(ValueError, match="no variant 'small'"):
        contents.excluded_modules("small")


def test_nothing_that_edgerag_imports_is_excluded() -> None:
    imported = set()
    for package in (ROOT / "edgerag", ROOT / "tui/edgerag_tui"):
        for file in package.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    looked_for = {"pip", "tkinter"}  # the first is only asked for where there is one
    assert imported & set(contents.excluded_modules("llm")) - looked_for == set()


def test_every_module_and_every_file_of_a_package_is_named(tmp_path: Path) -> None:
    package = tmp_path / "thing"
    for name in (
        "__init__.py",
        "__main__.py",
        "a.py",
        "sub/__init__.py",
        "sub/b.py",
        "data/x.toml",
        "__pycache__/a.pyc",
    ):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("")
    assert contents.package_modules(package) == ["thing", "thing.a", "thing.sub", "thing.sub.b"]
    assert contents.package_data(package) == [(str(package / "data/x.toml"), "thing/data")]


def test_an_entry_point_stays_where_its_module_is() -> None:
    groups = {
        "edgerag.commands": {"tui": "edgerag_tui.cli:tui", "export": "edgerag_export.cli:export"},
        "other": {"x": "y:z"},
    }
    assert contents.entry_points_text(groups, ["edgerag_tui.cli"]) == "[edgerag.commands]\ntui = edgerag_tui.cli:tui\n"


def test_a_library_is_kept_once_under_the_names_it_is_opened_with(tmp_path: Path) -> None:
    for name in ("libggml.so", "libggml.so.0", "libggml.so.0.25", "libllama.so", "libllama.so.0", "other.so"):
        (tmp_path / name).write_text("llama" if "llama" in name else "ggml" if "ggml" in name else "other")

    def entry(name: str, kind: str = "BINARY") -> tuple[str, str, str]:
        return (f"llama_cpp/lib/{name}", str(tmp_path / name), kind)

    binaries = [entry(path.name) for path in sorted(tmp_path.iterdir())]
    binaries += [
        ("libggml.so.0", "llama_cpp/lib/libggml.so.0", "SYMLINK"),
        ("llama_cpp/lib/ext.py", "ext", "EXTENSION"),
    ]
    kept = contents.without_copies(binaries, {"libggml.so.0", "libc.so.6"})
    names = sorted(name.rpartition("/")[2] for name, _, _ in kept)
    assert names == ["ext.py", "libggml.so", "libggml.so.0", "libllama.so", "other.so"]


@pytest.mark.parametrize(
    ("name", "is_unused"),
    [
        ("onnxruntime/capi/libonnxruntime.so.1.31.1", True),
        ("onnxruntime/capi/libonnxruntime_providers_shared.so", False),
        ("onnxruntime/capi/onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so", False),
        ("textual/tree-sitter/highlights/python.scm", True),
        ("tokenizers\\__init__.pyi", True),
        ("tqdm-4.70.1.dist-info/RECORD", True),
        ("edgerag-0.1.0.dist-info/entry_points.txt", False),
        ("edgerag/bundled/all-MiniLM-L6-v2/LICENSE", False),
    ],
)
def test_files_that_nothing_opens_are_left_out(name: str, is_unused: bool) -> None:
    assert contents.is_unused_file(name) is is_unused


def test_the_safe_sqlite_stands_in_for_pythons() -> None:
    pytest.importorskip("pysqlite3")
    texts = contents.replaced_modules("llm", "0.3.36")
    assert texts["sqlite3.dbapi2"] == "from pysqlite3.dbapi2 import *\n"
    assert "__version__ = '0.3.36'" in texts["llama_cpp"]
    assert "llama_cpp" not in contents.replaced_modules("core", "")
    assert "_sqlite3" in contents.excluded_modules("core")
