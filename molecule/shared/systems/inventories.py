"""Write the inventory of each system for a scenario's hosts: inventories.py FOLDER CONTAINER_PREFIX HOST,HOST SYSTEM...

The inventory is the one in inventories/SYSTEM. A host that the scenario hasn't got is its first one. overlays/SYSTEM.yml
has the secrets, and the sizes and ports with which five systems fit on one small host.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

INVENTORIES = Path(__file__).resolve().parents[3] / "inventories"
OVERLAYS = Path(__file__).resolve().parent / "overlays"


def laid_over(value: Any, over: Any) -> Any:
    """Mappings key by key, and lists whose entries have names by these."""
    if isinstance(value, list) and isinstance(over, dict):
        return [laid_over(entry, over.get(entry["name"], {})) for entry in value]
    if isinstance(value, dict) and isinstance(over, dict):
        return {key: laid_over(value.get(key), over[key]) if key in over else value[key] for key in value | over}
    return over


def inventory_of(system: str, hosts: list[str], prefix: str, folder: Path) -> dict[str, Any]:
    inventory = yaml.safe_load((INVENTORIES / system / "hosts.yml").read_text())["all"]
    overlay = yaml.safe_load((OVERLAYS / f"{system}.yml").read_text())
    reached = {
        "ansible_connection": "community.docker.docker",
        "ansible_user": "root",
        "app_directory": str(folder / "source"),
    }
    children = {}
    for group, members in inventory["children"].items():
        names = dict.fromkeys(host if host in hosts else hosts[0] for host in members["hosts"])
        children[group] = members | {"hosts": {name: {"ansible_host": f"{prefix}{name}"} for name in names}}
    return {"all": {"vars": laid_over(inventory["vars"], overlay) | reached, "children": children}}


def main() -> None:
    folder, prefix, hosts, *systems = sys.argv[1:]
    for system in systems:
        target = Path(folder) / "systems" / system / "hosts.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(inventory_of(system, hosts.split(","), prefix, Path(folder)), indent=2))


if __name__ == "__main__":
    main()
