"""Everything in a bundle is named with its licence, the words of it are there, and the bill of materials says so."""

from __future__ import annotations

import json
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.packaging_scripts.loading import SCRIPTS, load

components = load("components")
sbom = load("sbom")
bundled_text = load("bundled_text")
Component = components.Component


def collected_from(names: dict[str, str]) -> dict[str, list[list[str]]]:
    return {"modules": [[name, path, "PYMODULE"] for name, path in names.items()], "scripts": [], "files": []}


def file_of(name: str, ending: str) -> str:
    found = distribution(name)
    return next(str(found.locate_file(file)) for file in found.files or () if str(file).endswith(ending))


def test_a_module_is_traced_to_its_distribution_with_licence_and_text() -> None:
    found = components.find_components(collected_from({"click": file_of("click", "click/__init__.py")}), starter="")
    click = next(one for one in found if one.name == "click")
    version = distribution("click").version
    assert (click.licence, click.purl) == ("BSD-3-Clause", f"pkg:pypi/click@{version}")
    assert "Redistribution and use" in click.texts[0].read_text(encoding="utf-8")
    assert [one.name for one in found if one.kind == "platform"] == ["CPython"]


def test_libraries_inside_a_distribution_are_named_too() -> None:
    pytest.importorskip("pysqlite3")
    found = components.find_components(
        collected_from({"pysqlite3": file_of("pysqlite3", "pysqlite3/dbapi2.py")}), starter=""
    )
    sqlite = next(one for one in found if one.name == "SQLite")
    assert sqlite.version.startswith("3.")
    assert (sqlite.licence, sqlite.inside) == ("blessing", "pysqlite3")
    assert "May you do good and not evil" in sqlite.texts[0].read_text(encoding="utf-8")


def test_a_wheel_without_a_licence_text_borrows_the_named_one() -> None:
    found = components.find_components(
        collected_from({"tokenizers": file_of("tokenizers", "tokenizers/__init__.py")}), starter=""
    )
    tokenizers = next(one for one in found if one.name == "tokenizers")
    assert tokenizers.licence == "Apache-2.0"
    assert "Apache License" in tokenizers.texts[0].read_text(encoding="utf-8")


def test_a_file_of_unknown_origin_ends_the_build(tmp_path: Path) -> None:
    stray = tmp_path / "libstray.so.1"
    stray.write_bytes(b"")
    collected = {"modules": [], "scripts": [], "files": [["libstray.so.1", str(stray), "BINARY"]]}
    with pytest.raises(components.LicenceMissingError, match=r"Nobody knows whose .* libstray\.so\.1"):
        components.find_components(collected, starter="")


@pytest.mark.parametrize(("licence", "text"), [("", "LICENSE"), ("MIT", ""), ("MIT", "missing")])
def test_what_has_no_licence_or_no_text_ends_the_build(tmp_path: Path, licence: str, text: str) -> None:
    (tmp_path / "LICENSE").write_text("words")
    texts = (tmp_path / text,) if text else ()
    thing = Component("thing", "1.0", "library", licence, "pkg:pypi/thing@1.0", texts)
    with pytest.raises(components.LicenceMissingError, match="No licence text for thing"):
        components.require_texts([thing])


def test_texts_of_one_name_stand_side_by_side_and_parts_share_those_of_the_whole(tmp_path: Path) -> None:
    for folder, words in (("a", "first"), ("b", "second")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "LICENSE").write_text(words)
    texts = (tmp_path / "a/LICENSE", tmp_path / "b/LICENSE")
    whole = Component("whole thing", "1", "library", "MIT", "pkg:pypi/whole@1", texts)
    part = Component("part", "1", "library", "MIT", "pkg:generic/part@1", texts, inside="whole thing")
    components.write_texts([whole, part], tmp_path / "LICENSES")
    written = {
        path.relative_to(tmp_path / "LICENSES").as_posix(): path.read_text()
        for path in (tmp_path / "LICENSES").rglob("*L*E")
    }
    assert written == {"whole_thing/LICENSE": "first", "whole_thing/1-LICENSE": "second"}


def bill(hashes: dict[str, str]) -> dict[str, object]:
    main = Component("edgerag", "1.0", "application", "Apache-2.0", "pkg:pypi/edgerag@1.0", ())
    numpy = Component(
        "numpy", "2.0", "library", "BSD-3-Clause AND MIT", "pkg:pypi/numpy@2.0", (), ("_internal/numpy.so",)
    )
    blas = Component("BLAS", "0.3", "library", "some words", "pkg:generic/blas@0.3", (), inside="numpy")
    made: dict[str, object] = sbom.make_sbom(
        main, [numpy, blas], hashes, mtime=1_700_000_000, properties={"variant": "llm"}
    )
    return made


def test_the_bill_of_materials_is_cyclonedx_and_the_same_every_time() -> None:
    made = bill({"_internal/numpy.so": "ab" * 32})
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    assert made == bill({"_internal/numpy.so": "ab" * 32})
    assert made["serialNumber"] != bill({"_internal/numpy.so": "cd" * 32})["serialNumber"]
    text = json.loads(json.dumps(made))
    assert text["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    assert text["metadata"]["component"]["name"] == "edgerag"
    numpy, blas = text["components"]
    assert numpy["licenses"] == [{"expression": "BSD-3-Clause AND MIT"}]
    assert blas["licenses"] == [{"license": {"name": "some words"}}]
    assert numpy["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert blas["properties"] == [{"name": "edgerag:part-of", "value": "numpy"}]
    references = [entry["bom-ref"] for entry in (numpy, blas)]
    assert text["dependencies"][0] == {"ref": "pkg:pypi/edgerag@1.0", "dependsOn": references}


@pytest.mark.parametrize(
    ("words", "entry"),
    [
        ("apache-2.0", {"license": {"id": "Apache-2.0"}}),
        ("gemma", {"license": {"name": "gemma"}}),
        ("MPL-2.0 AND MIT", {"expression": "MPL-2.0 AND MIT"}),
    ],
)
def test_only_what_spdx_knows_is_given_as_its_identifier(words: str, entry: dict[str, object]) -> None:
    model = Component("model", "1", "machine-learning-model", words, "pkg:generic/model@1", ())
    assert sbom.make_sbom(model, [], {}, mtime=0, properties={})["metadata"]["component"]["licenses"] == [entry]


def test_the_readme_lists_what_is_bundled_and_what_is_needed() -> None:
    main = Component("edgerag", "1.0", "application", "Apache-2.0", "pkg:pypi/edgerag@1.0", ())
    numpy = Component("numpy", "2.0", "library", "BSD-3-Clause", "pkg:pypi/numpy@2.0", ())
    text = bundled_text.readme_text(main, [numpy], needs_glibc="2.36")
    assert "edgerag 1.0" in text
    assert "glibc 2.36 or newer" in text
    assert "    numpy 2.0  BSD-3-Clause" in text
    assert "glibc" not in bundled_text.readme_text(main, [numpy], needs_glibc="")
    assert max(map(len, text.splitlines())) <= 120


def test_every_text_that_is_kept_here_is_used_and_there() -> None:
    facts = load("licence_facts")
    named = {entry.text for group in facts.EMBEDDED.values() for entry in group if entry.text}
    kept = {f"packaging/licences/{path.name}" for path in (SCRIPTS / "licences").iterdir()}
    assert named == kept
    assert all((SCRIPTS.parent / entry.text).is_file() for entry in facts.BORROWED_TEXTS.values() if entry.text)
    assert all(entry.reason for entry in facts.BORROWED_TEXTS.values())


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_a_system_library_is_traced_to_its_debian_package() -> None:
    library = Path("/usr/lib/x86_64-linux-gnu/libssl.so.3")
    if not library.exists() or not Path("/usr/bin/dpkg").exists():
        pytest.skip("no Debian with libssl3 for x86-64")
    collected = {"modules": [], "scripts": [], "files": [["libssl.so.3", str(library), "BINARY"]]}
    found = components.find_components(collected, starter="")
    ssl = next(one for one in found if one.name == "libssl3")
    assert (ssl.licence, ssl.files) == ("Apache-2.0", ("_internal/libssl.so.3",))
    assert ssl.purl.startswith("pkg:deb/debian/libssl3@3.")


def system_file(name: str) -> dict[str, list[list[str]]]:
    return {"modules": [], "scripts": [], "files": [[name, f"/usr/local/lib/of-a-system/{name}", "BINARY"]]}


def test_a_library_beside_a_systems_own_python_is_not_taken_for_a_part_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(sys, "base_exec_prefix", "/usr")
    monkeypatch.setattr(components, "_system_package", lambda path: "libgomp1 12.2.0-14 arm64")
    monkeypatch.setattr(components, "PACKAGE_TEXTS", tmp_path)
    (tmp_path / "libgomp1").mkdir()
    (tmp_path / "libgomp1/copyright").write_text("GPL with the exception")
    found = components.find_components(system_file("libgomp.so.1"), starter="")
    gomp = next(one for one in found if one.name == "libgomp1")
    assert gomp.licence == "GPL-3.0-or-later WITH GCC-exception-3.1"
    assert gomp.files == ("_internal/libgomp.so.1",)
    assert [text.read_text() for text in gomp.texts] == ["GPL with the exception"]
    assert next(one for one in found if one.name == "CPython").files == ()


@pytest.mark.parametrize("prefix", ["/usr", "/usr/local"])
def test_a_library_that_no_package_owns_ends_the_build_beside_a_systems_own_python_too(
    monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setattr(sys, "base_prefix", prefix)
    monkeypatch.setattr(sys, "base_exec_prefix", prefix)
    monkeypatch.setattr(components, "_system_package", lambda path: "")
    with pytest.raises(components.LicenceMissingError, match=r"Nobody knows whose .* libstray\.so\.1"):
        components.find_components(system_file("libstray.so.1"), starter="")


def test_pythons_own_modules_and_library_are_pythons_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "python"))
    monkeypatch.setattr(sys, "base_exec_prefix", "/usr/local")
    monkeypatch.setattr(components, "_system_package", lambda path: "")
    monkeypatch.setattr(components.sysconfig, "get_config_var", {"INSTSONAME": "libpython3.99.so"}.get)
    files = [
        ["json.py", json.__file__, "PYMODULE"],
        ["libpython3.99.so", "/usr/local/lib/libpython3.99.so", "BINARY"],
        ["libtk.dylib", str(tmp_path / "python/lib/libtk.dylib"), "BINARY"],
    ]
    found = components.find_components({"modules": [], "scripts": [], "files": files}, starter="")
    named = ("_internal/json.py", "_internal/libpython3.99.so", "_internal/libtk.dylib")
    assert [(one.name, one.files) for one in found] == [("CPython", named)]
