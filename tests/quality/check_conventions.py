"""Checks what this project asks of its files and no linter knows.

check_conventions.py PROJECT_DIRECTORY
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import check_argument_specs

if TYPE_CHECKING:
    from collections.abc import Iterator

EVASIONS = {
    "ignore_errors": re.compile(r"^\s*-?\s*ignore_errors:\s*(true|yes)", re.IGNORECASE),
    "failed_when": re.compile(r"^\s*-?\s*failed_when:\s*false"),
    "noqa": re.compile(r"#\s*noqa"),
    "a list of rules not to apply": re.compile(r"^\s*(skip|warn)_list:"),
    "a skipped test": re.compile(r"pytest\.mark\.(skip|xfail)|pytest\.skip\("),
}
PUBLISHED_FACTS = r"(?m)^Facts that the role sets for later plays:(.*)$"
MENTIONS_GROUPS = re.compile(r"""\bgroups\s*[\[.|]|\bgroup_names\b|["']groups["']""")
IDENTIFIER = re.compile(r"(?<![\w.])_*[a-z][a-z0-9_]*\b")
MANAGED_FIRST = re.compile(r"(#!.*\n)?\{\{\s*ansible_managed\s*\|\s*comment")
# A role's own files, where it would mention what it may not know.
ROLE_FILES = ("defaults", "vars", "handlers", "tasks", "templates")
BLOCKS = ("block", "rescue", "always")


def yaml_suffix_problems(files: list[Path]) -> Iterator[str]:
    for path in files:
        # antsibull-changelog knows its own files by this name only.
        if path.suffix == ".yaml" and path.parts[0] != "changelogs":
            yield f"{path}: name it .yml, like every other file"


def evasion_problems(project: Path, files: list[Path]) -> Iterator[str]:
    for path in files:
        if path.suffix not in {".yml", ".py", ".j2", ".sh", ".toml", ".cfg"}:
            continue
        for number, line in enumerate(_lines(project / path), 1):
            for name, pattern in EVASIONS.items():
                if pattern.search(line):
                    yield f"{path}:{number}: {name} hides a failure: mend its cause"


def stranger_problems(project: Path) -> Iterator[str]:
    """Roles know neither groups nor each other's variables."""
    roles = _roles(project)
    public = {role.name: _public_variables(role) for role in roles}
    for role in roles:
        own = public[role.name]
        foreign = {name: other for other, names in public.items() if other != role.name for name in names - own}
        for path in _role_files(role):
            where = path.relative_to(project)
            for number, line in enumerate(_lines(path), 1):
                if line.lstrip().startswith("#"):
                    continue
                if MENTIONS_GROUPS.search(line):
                    yield f"{where}:{number}: a role mentions no group: let the wiring give it a variable"
                for name in dict.fromkeys(IDENTIFIER.findall(line)):
                    if name in foreign:
                        yield f"{where}:{number}: {name} belongs to the role {foreign[name]}: let the wiring pass it"


def template_problems(project: Path) -> Iterator[str]:
    for role in _roles(project):
        for path in sorted((role / "templates").rglob("*.j2")):
            # JSON has no comments; what begins with an underscore is included by another template.
            if path.name.endswith(".json.j2") or path.name.startswith("_"):
                continue
            if not MANAGED_FIRST.match(path.read_text(encoding="utf-8")):
                yield f"{path.relative_to(project)}: begin it with {{{{ ansible_managed | comment }}}}"


def task_problems(project: Path) -> Iterator[str]:
    for role in _roles(project):
        prefix = f"__{role.name}_"
        published = _published_facts(role)
        for folder in ("tasks", "handlers"):
            for path in sorted((role / folder).rglob("*.yml")):
                for task in _tasks(check_argument_specs.load(path)):
                    for problem in _one_task_problems(task, prefix, published):
                        yield f"{path.relative_to(project)}: {problem}"


def _published_facts(role: Path) -> set[str]:
    """The facts that a role's README says it sets for later plays."""
    readme = role / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    return {name for line in re.findall(PUBLISHED_FACTS, text) for name in IDENTIFIER.findall(line)}


def _one_task_problems(task: dict[str, Any], prefix: str, published: set[str]) -> Iterator[str]:
    if not task.get("name"):
        yield f"a task has no name: {_shown(task)}"
    registered = task.get("register")
    if registered and not registered.startswith(prefix):
        yield f"{registered} is registered: name it {prefix}…"
    facts = task.get("ansible.builtin.set_fact", {})
    for fact in facts if isinstance(facts, dict) else ():
        if fact != "cacheable" and not fact.startswith(prefix) and fact not in published:
            yield f"{fact} is set as a fact: name it {prefix}…, or list it in the README as set for later plays"


def wiring_problems(project: Path) -> Iterator[str]:
    """A literal there could not be overridden from an inventory's group_vars/all."""
    path = Path("playbooks/group_vars/all/wiring.yml")
    for name, value in check_argument_specs.load(project / path).items():
        if "{{" not in repr(value):
            yield f"{path}: {name} holds a value: the wiring holds relations only"


def include_problems(project: Path) -> Iterator[str]:
    """Ansible looks for what is included beside the playbook too, which it may find first."""
    playbooks = {path.name for path in (project / "playbooks").glob("*.yml")}
    for path in sorted((project / "playbooks" / "tasks").glob("*.yml")):
        if path.name in playbooks:
            yield f"{path.relative_to(project)}: a playbook has this name, and may be included in its place: give it another"


def _tasks(entries: Any) -> Iterator[dict[str, Any]]:
    for entry in entries if isinstance(entries, list) else ():
        yield entry
        for block in BLOCKS:
            yield from _tasks(entry.get(block))


def _roles(project: Path) -> list[Path]:
    return sorted(path.parent for path in (project / "roles").glob("*/tasks"))


def _role_files(role: Path) -> list[Path]:
    return sorted(path for folder in ROLE_FILES for path in (role / folder).rglob("*") if path.is_file())


def _public_variables(role: Path) -> set[str]:
    names = set(check_argument_specs.load(role / "defaults/main.yml"))
    spec = check_argument_specs.load(role / "meta/argument_specs.yml").get("argument_specs", {})
    for entry_point in spec.values():
        names |= set(entry_point.get("options", {}))
    return names


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _shown(task: dict[str, Any]) -> str:
    return ", ".join(sorted(task))


def tracked_files(project: Path) -> list[Path]:
    """What git would commit, so that nobody's caches and secrets are read."""
    listed = subprocess.run(
        ["git", "-C", str(project), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(Path(name) for name in listed.split("\0") if name and (project / name).is_file())


def all_problems(project: Path) -> Iterator[str]:
    files = tracked_files(project)
    yield from yaml_suffix_problems(files)
    yield from evasion_problems(project, files)
    yield from stranger_problems(project)
    yield from template_problems(project)
    yield from task_problems(project)
    yield from wiring_problems(project)
    yield from include_problems(project)


def main(arguments: list[str]) -> int:
    problems = list(all_problems(Path(arguments[0])))
    print("\n".join(problems) or "all conventions hold")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
