"""Write down what a bundle is made of, in CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/)."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from archive import bundle_files, sha256
from components import Component
from licence_facts import SPDX_IDS

NAMESPACE = uuid.UUID("5a2f6f0e-5f0c-5b57-9d0e-6c2a4a0b8a11")


def make_sbom(
    main: Component,
    components: Iterable[Component],
    hashes: Mapping[str, str],
    *,
    mtime: int,
    properties: Mapping[str, str],
) -> dict[str, Any]:
    """The bill of materials of a bundle; the same for the same contents.

    Args:
        main: The application itself.
        components: All that is in it.
        hashes: SHA-256 by path inside the bundle, of every file that a component names and of the program.
        mtime: Seconds since 1970; the time of the source, for nothing else is the same in two builds.
        properties: Facts about the build, by name.
    """
    listed = [_component(one, hashes) for one in components]
    digest = "".join(f"{name}{value}" for name, value in sorted(hashes.items()))
    when = datetime.datetime.fromtimestamp(mtime, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, digest)}",
        "version": 1,
        "metadata": {
            "timestamp": when,
            "component": _component(main, hashes),
            "properties": [{"name": f"edgerag:{name}", "value": value} for name, value in sorted(properties.items())],
        },
        "components": listed,
        "dependencies": [
            {"ref": _reference(main), "dependsOn": [entry["bom-ref"] for entry in listed]},
            *({"ref": entry["bom-ref"]} for entry in listed),
        ],
    }


def hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a bundle by its path, but for the bill of materials itself."""
    named = ((path.relative_to(folder).as_posix(), path) for path in bundle_files(folder))
    return {name: sha256(path) for name, path in named if name != "sbom.cdx.json"}


def _reference(component: Component) -> str:
    return f"{component.purl}#{component.name}" if component.inside else component.purl


def _component(component: Component, hashes: Mapping[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": component.kind,
        "bom-ref": _reference(component),
        "name": component.name,
        "version": component.version,
        "licenses": [_licence(component.licence)],
        "purl": component.purl,
    }
    if component.inside:
        entry["properties"] = [{"name": "edgerag:part-of", "value": component.inside}]
    files = [name for name in component.files if name in hashes]
    if files:
        entry["components"] = [
            {
                "type": "file",
                "bom-ref": f"{_reference(component)}:{name}",
                "name": name,
                "hashes": [{"alg": "SHA-256", "content": hashes[name]}],
            }
            for name in files
        ]
    return entry


def _licence(words: str) -> dict[str, Any]:
    if any(joint in words for joint in (" AND ", " OR ", " WITH ")):
        return {"expression": words}
    known = {name.lower(): name for name in SPDX_IDS}
    return {"license": {"id": known[words.lower()]} if words.lower() in known else {"name": words}}
