"""Unpacks the collections of a requirements file, and those that they need, out of an `ansible` wheel."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import yaml


def manifest_of(wheel: zipfile.ZipFile, name: str) -> dict[str, object]:
    path = f"ansible_collections/{name.replace('.', '/')}/MANIFEST.json"
    info: dict[str, object] = json.loads(wheel.read(path))["collection_info"]
    return info


def with_dependencies(wheel: zipfile.ZipFile, names: list[str]) -> set[str]:
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        dependencies = manifest_of(wheel, name).get("dependencies") or {}
        pending += dependencies
    return found


def main(requirements: str, folder: str, target: str) -> None:
    (wheel_path,) = Path(folder).glob("ansible-*.whl")
    wanted = [entry["name"] for entry in yaml.safe_load(Path(requirements).read_text())["collections"]]
    with zipfile.ZipFile(wheel_path) as wheel:
        roots = tuple(f"ansible_collections/{name.replace('.', '/')}/" for name in with_dependencies(wheel, wanted))
        wheel.extractall(target, [member for member in wheel.namelist() if member.startswith(roots)])


if __name__ == "__main__":
    main(*sys.argv[1:])
