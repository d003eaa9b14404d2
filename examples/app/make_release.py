#!/usr/bin/env python3
"""Write a release of this application, sound or broken on purpose, as a directory or as a tagged git commit."""

from __future__ import annotations

import argparse
import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
MIGRATIONS = SOURCE / "misbehave" / "migrations"
VERSIONS = Path("migrations") / "versions"
LEFT_OUT = (".git", ".venv", ".*_cache", "__pycache__", "node_modules", ".next", "dist", "misbehave", "make_release.py")
NOT_SOURCE = shutil.ignore_patterns(*LEFT_OUT)


class UsageError(Exception):
    """What was asked for makes no sense; the message is for the one who asked."""


def known_defects() -> list[str]:
    """The fields of the class that reads `misbehave.toml`, found without its dependencies."""
    tree = ast.parse((SOURCE / "app" / "misbehaviour.py").read_text(encoding="utf-8"))
    model = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Misbehaviour")
    return [n.target.id for n in model.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]


def known_migrations() -> list[str]:
    return sorted(path.stem for path in MIGRATIONS.glob("*.py"))


def assigned(name: str, source: str) -> str:
    match = re.search(rf'^{name} = "(.+)"$', source, re.MULTILINE)
    if match is None:
        raise UsageError(f"A migration doesn't assign {name}.")
    return match[1]


def toml_value(value: str) -> str:
    if value in {"true", "false"} or re.fullmatch(r"-?\d+(\.\d+)?", value):
        return value
    return json.dumps(value)


def clear(directory: Path) -> None:
    """Empties what an earlier run wrote; anything else isn't ours to delete."""
    if not directory.exists():
        return
    entries = [entry for entry in directory.iterdir() if entry.name != ".git"]
    if entries and not (directory / "app" / "misbehaviour.py").is_file():
        raise UsageError(f"{directory} is not empty and holds no release of this application.")
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def write_migrations(directory: Path, names: list[str]) -> None:
    """Puts them one after the other on top of the head; those that start elsewhere on purpose stay where they are."""
    head = max(SOURCE.joinpath(VERSIONS).glob("*.py")).name.partition("_")[0]
    parent = head
    for name in names:
        source = (MIGRATIONS / f"{name}.py").read_text(encoding="utf-8")
        if assigned("down_revision", source) == head:
            source = source.replace(f'down_revision = "{head}"', f'down_revision = "{parent}"')
            parent = assigned("revision", source)
        (directory / VERSIONS / f"{assigned('revision', source)}.py").write_text(source, encoding="utf-8")


def write_release(directory: Path, version: str, wishes: list[str]) -> None:
    if directory == SOURCE or SOURCE in directory.parents or directory in SOURCE.parents:
        raise UsageError(f"{directory} and the source overlap.")
    defects: dict[str, str] = {}
    migrations: list[str] = []
    for wish in wishes:
        name, _, value = wish.partition("=")
        if name in known_migrations() and not value:
            migrations.append(name)
        elif name in known_defects():
            defects[name] = value or "true"
        else:
            raise UsageError(f"{wish} is neither a defect nor a migration: see --help.")
    clear(directory)
    shutil.copytree(SOURCE, directory, ignore=NOT_SOURCE, dirs_exist_ok=True)
    (directory / "VERSION").write_text(f"{version}\n", encoding="utf-8")
    write_migrations(directory, migrations)
    if defects:
        lines = [f"{name} = {toml_value(value)}\n" for name, value in defects.items()]
        (directory / "misbehave.toml").write_text("".join(lines), encoding="utf-8")


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Dinghy", "-c", "user.email=dinghy@example.com", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(directory), *identity, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def commit(directory: Path, version: str, wishes: list[str]) -> str:
    git(directory, "add", "--all", "--force")
    git(directory, "commit", "--quiet", "--allow-empty", "--message", " ".join([f"Release {version}", *wishes]))
    git(directory, "tag", "--force", version)
    return git(directory, "rev-parse", "HEAD")


def main() -> int:
    epilog = f"defects: {', '.join(known_defects())}\nmigrations: {', '.join(known_migrations())}"
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("destination", type=Path)
    parser.add_argument("--version", required=True, help="what VERSION says, and the name of the tag")
    parser.add_argument("--with", dest="wishes", action="append", default=[], metavar="NAME[=VALUE]")
    parser.add_argument("--git", action="store_true", help="commit to the repository there, made if need be, and tag")
    arguments = parser.parse_args()
    directory = arguments.destination.resolve()
    try:
        if arguments.git and not (directory / ".git").exists():
            directory.mkdir(parents=True, exist_ok=True)
            git(directory, "init", "--quiet", "--initial-branch", "main")
        write_release(directory, arguments.version, arguments.wishes)
    except UsageError as error:
        parser.error(str(error))
    print(commit(directory, arguments.version, arguments.wishes) if arguments.git else directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
