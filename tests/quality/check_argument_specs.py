"""Checks that each role's defaults, argument spec and README tell the same, in names and in values.

check_argument_specs.py ROLES_DIRECTORY
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "dict": (dict,),
    "float": (float, int),
    "int": (int,),
    "list": (list,),
    "path": (str,),
    "raw": (object,),
    "str": (str,),
}
SAYS_UNSET = re.compile(r"\b(unset|absent|left out|omitted)\b", re.IGNORECASE)


class _Loader(yaml.SafeLoader):
    """Keeps what Ansible's own tags hold."""


def _tagged_scalar(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_Loader.add_multi_constructor("!", _tagged_scalar)


def load(path: Path) -> Any:
    if not path.exists():
        return {}
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader) or {}


def role_problems(role: Path) -> Iterator[str]:
    spec_path = role / "meta/argument_specs.yml"
    if not spec_path.exists():
        yield "has no meta/argument_specs.yml"
        return
    options = _main_options(load(spec_path))
    defaults = load(role / "defaults/main.yml")
    yield from _difference_problems(options, defaults)
    for name, option in options.items():
        yield from _option_problems(name, option)
    yield from _readme_problems(role, options)


def _main_options(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    options: dict[str, dict[str, Any]] = spec.get("argument_specs", {}).get("main", {}).get("options", {})
    return options


def _difference_problems(options: dict[str, dict[str, Any]], defaults: dict[str, Any]) -> Iterator[str]:
    for name in sorted(defaults.keys() - options.keys()):
        if not name.startswith("__"):
            yield f"{name} is in defaults/main.yml and not in the argument spec"
    for name, option in options.items():
        required = option.get("required", False)
        if name not in defaults:
            if "default" in option:
                yield f"{name} has a default in the argument spec and none in defaults/main.yml"
            elif not required and not SAYS_UNSET.search(_text(option.get("description"))):
                yield f"{name} is optional and has no default: its description must say what happens while it is unset"
        elif required:
            yield f"{name} is required by the argument spec and yet has a default in defaults/main.yml"
        elif "default" not in option:
            yield f"{name} has a default in defaults/main.yml and none in the argument spec"
        elif not _same(option["default"], defaults[name]):
            yield (
                f"{name} is {_shown(defaults[name])} in defaults/main.yml "
                f"and {_shown(option['default'])} in the argument spec"
            )


def _option_problems(name: str, option: dict[str, Any]) -> Iterator[str]:
    declared = option.get("type")
    if not option.get("description"):
        yield f"{name} has no description"
    if declared not in PYTHON_TYPES:
        yield f"{name} has no type" if declared is None else f"{name} has the unknown type {declared}"
    elif not _fits(declared, option.get("default")):
        yield f"{name} has the default {_shown(option['default'])}, which is no {declared}"
    if declared == "list" and "elements" not in option:
        yield f"{name} is a list and has no elements"
    choices = option.get("choices")
    default = option.get("default")
    if choices and default is not None and not _is_template(default):
        for value in default if isinstance(default, list) else [default]:
            if value not in choices:
                yield f"{name} has the default {_shown(value)}, which is none of its choices"
    for inner, suboption in option.get("options", {}).items():
        yield from _option_problems(f"{name}.{inner}", suboption)


def _readme_problems(role: Path, options: dict[str, Any]) -> Iterator[str]:
    readme = role / "README.md"
    if not readme.exists():
        yield "has no README.md"
        return
    told = set(re.findall(r"`([a-z_][a-z0-9_]*)`", readme.read_text(encoding="utf-8")))
    for name in options:
        if name not in told:
            yield f"{name} is not in README.md"
    for name in sorted(told - options.keys()):
        if name.startswith(f"{role.name}_"):
            yield f"README.md tells of {name}, which the argument spec doesn't have"


def _fits(declared: str, default: Any) -> bool:
    if default is None or _is_template(default):
        return True
    if isinstance(default, bool) and declared not in {"bool", "raw"}:
        return False
    return isinstance(default, PYTHON_TYPES[declared])


def _is_template(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def _same(left: Any, right: Any) -> bool:
    """Whether both are equal: 1, "1" and true differ; a folded expression is the same as one on a line."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if _is_template(left) and _is_template(right):
        return " ".join(left.split()) == " ".join(right.split())
    return type(left) is type(right) and bool(left == right)


def _text(description: Any) -> str:
    return " ".join(description) if isinstance(description, list) else str(description or "")


def _shown(value: Any) -> str:
    return repr(value) if value not in (None, "") else "empty"


def main(arguments: list[str]) -> int:
    roles = sorted(path for path in Path(arguments[0]).iterdir() if (path / "tasks").is_dir())
    if not roles:
        print(f"{arguments[0]} has no roles")
        return 1
    problems = [f"roles/{role.name}: {problem}" for role in roles for problem in role_problems(role)]
    print("\n".join(problems) or f"{len(roles)} roles agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
