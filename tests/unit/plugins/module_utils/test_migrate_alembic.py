# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which revisions a state of Alembic's means."""

from __future__ import annotations

import configparser
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._migrate_alembic import (
    Revisions,
    alembic_config,
    own_sql,
    wanted,
)
from ansible_collections.slipway.stack.plugins.module_utils._migrate_trouble import Trouble


def history(*links: tuple[str, Any]) -> Revisions:
    """Without Alembic: each revision and what it stands on, the oldest first."""
    found = Revisions.__new__(Revisions)
    found.all = [
        SimpleNamespace(revision=name, down_revision=down, dependencies=None) for name, down in reversed(links)
    ]
    found.by_id = {step.revision: step for step in found.all}
    found.heads = found.tips(set(found.by_id))
    return found


LINE = history(("a1", None), ("b2", "a1"), ("c3", "b2"))
FORK = history(("a1", None), ("b2", "a1"), ("x9", "a1"))
MERGED = history(("a1", None), ("b2", "a1"), ("x9", "a1"), ("m5", ("b2", "x9")))


@pytest.mark.parametrize(
    ("state", "applied", "meant"),
    [
        ("head", set(), {"a1", "b2", "c3"}),
        ("b2", set(), {"a1", "b2"}),
        ("b", {"a1"}, {"a1", "b2"}),
        ("+1", {"a1"}, {"a1", "b2"}),
        ("-1", {"a1", "b2", "c3"}, {"a1", "b2"}),
        ("-2", {"a1", "b2", "c3"}, {"a1"}),
        ("a1", {"a1", "b2", "c3"}, {"a1"}),
        ("base", {"a1", "b2"}, set()),
    ],
)
def test_a_state_means_revisions(state: str, applied: set[str], meant: set[str]) -> None:
    assert wanted(LINE, state, applied) == meant


# As Alembic prints b, which follows on a1 and depends on a2.
PRINTED = """BEGIN;

-- Running upgrade a1 -> a2

alter table t drop column c;

-- Running upgrade a1, x9 -> b

select 'b';

COMMIT;
"""


def test_what_a_revision_depends_on_is_not_its_own_sql() -> None:
    assert own_sql(PRINTED, "b", False) == PRINTED[PRINTED.index("-- Running upgrade a1, x9") :]
    taken_back = PRINTED.replace("upgrade a1, x9 -> b", "downgrade b -> a1").replace(
        "upgrade a1 -> a2", "downgrade a2 -> a1"
    )
    assert own_sql(taken_back, "b", True).startswith("-- Running downgrade b -> a1")
    alone = PRINTED[: PRINTED.index("-- Running upgrade a1, x9")]
    assert own_sql(alone, "a2", False) == alone


def test_two_heads_are_named() -> None:
    with pytest.raises(Trouble, match="b2, x9") as caught:
        wanted(FORK, "head", set())
    assert caught.value.kind == "heads"
    assert wanted(FORK, "heads", set()) == {"a1", "b2", "x9"}
    assert wanted(FORK, "b2,x9", set()) == {"a1", "b2", "x9"}
    assert wanted(MERGED, "head", set()) == {"a1", "b2", "x9", "m5"}


def test_an_unknown_or_ambiguous_revision_is_named() -> None:
    for name in ("nothing", ""):
        with pytest.raises(Trouble):
            LINE.resolved(name)


def test_what_is_left_after_a_merge_was_taken_back_has_two_tips() -> None:
    left = wanted(MERGED, "-1", {"a1", "b2", "x9", "m5"})
    assert MERGED.tips(left) == ["b2", "x9"]


def label(revisions: Revisions, **labels: Any) -> Revisions:
    for step in revisions.all:
        step.module = SimpleNamespace(branch_labels=labels.get(step.revision))
    return revisions


@pytest.mark.parametrize("how", ["contract", ("contract",), ["else", "contract"]])
def test_a_branch_bears_the_label_from_where_it_is_given(how: Any) -> None:
    forked = label(history(("a1", None), ("b2", "a1"), ("x9", "a1"), ("y10", "x9"), ("m5", ("b2", "y10"))), x9=how)
    marked = [step.revision for step in reversed(forked.all) if forked.is_labelled(step, "contract")]
    assert marked == ["x9", "y10"]


class Config:
    """What of Alembic's is used."""

    def __init__(self, file_: str, ini_section: str) -> None:
        self.section, self.file_config = ini_section, configparser.ConfigParser()
        self.file_config.read(file_)

    def get_main_option(self, name: str) -> str | None:
        return self.file_config.get(self.section, name, fallback=None)


class NewConfig(Config):
    """From 1.16 on."""

    def __init__(self, file_: str, toml_file: str, ini_section: str) -> None:
        super().__init__(file_, ini_section)
        self.toml = Path(toml_file).read_text() if Path(toml_file).exists() else ""

    def get_alembic_option(self, name: str) -> str | None:
        return self.get_main_option(name) or ("moved" if f"{name} =" in self.toml else None)


def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: type[Config], path: str = "") -> Config:
    module = ModuleType("alembic.config")
    module.Config = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "alembic", ModuleType("alembic"))
    monkeypatch.setitem(sys.modules, "alembic.config", module)
    monkeypatch.chdir(tmp_path)
    for folder in ("usual", "moved"):
        (tmp_path / folder).mkdir(exist_ok=True)
    found: Config = alembic_config({"config": path, "section": ""})
    return found


@pytest.mark.parametrize("kind", [Config, NewConfig])
def test_its_own_file_says_where_the_revisions_are(
    kind: type[Config], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = usual\n")
    assert configured(monkeypatch, tmp_path, kind).get_main_option("script_location") == "usual"
    (tmp_path / "alembic.ini").write_text("[other]\nscript_location = usual\n")
    with pytest.raises(Trouble, match="alembic") as caught:
        configured(monkeypatch, tmp_path, kind)
    assert caught.value.kind == "section"


@pytest.mark.parametrize("path", ["", "pyproject.toml"])
@pytest.mark.parametrize("ini", ["", "[loggers]\nkeys = root\n"])
def test_pyproject_says_it_too(path: str, ini: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.alembic]\nscript_location = 'moved'\n")
    if ini:
        (tmp_path / "alembic.ini").write_text(ini)
    found = configured(monkeypatch, tmp_path, NewConfig, path)
    assert isinstance(found, NewConfig)
    assert found.get_alembic_option("script_location") == "moved"
    with pytest.raises(Trouble):
        configured(monkeypatch, tmp_path, Config, path)


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=r"^alembic\.ini$"):
        configured(monkeypatch, tmp_path, NewConfig)
    (tmp_path / "pyproject.toml").write_text("[tool.alembic]\nscript_location = 'moved'\n")
    with pytest.raises(Trouble, match=r"^nowhere\.ini$") as caught:
        configured(monkeypatch, tmp_path, NewConfig, "nowhere.ini")
    assert caught.value.kind == "config"
