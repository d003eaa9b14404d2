# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build runs, in which order, with which environment; uv and systemd are not asked."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._release import Layout
from ansible_collections.slipway.stack.plugins.module_utils._release_build import Build, Recipe
from ansible_collections.slipway.stack.plugins.module_utils._release_index import index_environment
from ansible_collections.slipway.stack.plugins.module_utils._release_run import Worker, failure, service_command

Reaction = Callable[[Sequence[str], Path], str]


class Recorder(Worker):
    """Notes each command in place of running it."""

    def __init__(self, tmp_path: Path, react: Reaction) -> None:
        super().__init__("shop", getpass.getuser(), tmp_path, 0, time.monotonic() + 60)
        object.__setattr__(self, "calls", [])
        object.__setattr__(self, "react", react)

    def run(self, words: Sequence[str], folder: Path, extra: Mapping[str, str], stdin: str = "") -> str:
        self.calls.append((list(words), folder, dict(extra), stdin))  # type: ignore[attr-defined]
        return self.react(words, folder)  # type: ignore[attr-defined,no-any-return]

    def installs(self) -> list[list[str]]:
        return [words[5:] for words, *_rest in self.calls if words[1:3] == ["pip", "install"]]  # type: ignore[attr-defined]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout("shop", tmp_path / "srv", tmp_path / "etc", tmp_path / "state")
    found.releases.mkdir(parents=True)
    return found


def run_build(layout: Layout, tmp_path: Path, recipe: Recipe, files: Mapping[str, str] | None = None) -> Recorder:
    def react(words: Sequence[str], folder: Path) -> str:
        if words[0] == "tar":
            for name, content in (files or {}).items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        return "fastapi==1.0\n" if "freeze" in words else ""

    worker = Recorder(tmp_path, react)
    Build(layout, worker, recipe, Path("/uv")).run()
    return worker


RECIPE = Recipe(release_id="1", tarball="/x.tar.gz", requirements=["requirements.txt"])


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"requirements.txt": "", "pyproject.toml": ""}, ["--requirement", "SOURCE/requirements.txt"]),
        ({"pyproject.toml": ""}, ["SOURCE"]),
        ({"uv.lock": "", "requirements.txt": "", "pyproject.toml": ""}, ["--requirement", "RELEASE/requirements.lock"]),
    ],
)
def test_the_best_description_of_dependencies_is_taken(
    layout: Layout, tmp_path: Path, files: dict[str, str], expected: list[str]
) -> None:
    worker = run_build(layout, tmp_path, RECIPE, files)
    paths = {"SOURCE": str(layout.release("1") / "source"), "RELEASE": str(layout.release("1"))}
    wanted = [word.replace("SOURCE", paths["SOURCE"]).replace("RELEASE", paths["RELEASE"]) for word in expected]
    assert worker.installs() == [wanted]


def test_a_locked_project_that_is_a_package_is_installed_itself(layout: Layout, tmp_path: Path) -> None:
    worker = run_build(layout, tmp_path, RECIPE, {"uv.lock": "", "pyproject.toml": "[build-system]\n"})
    assert worker.installs()[1] == ["--no-deps", "--editable", str(layout.release("1") / "source")]


def test_without_dependencies_nothing_is_installed(layout: Layout, tmp_path: Path) -> None:
    assert run_build(layout, tmp_path, replace(RECIPE, constraints=["x<2"])).installs() == []


def test_a_package_comes_with_what_is_beside_it_and_its_constraints(layout: Layout, tmp_path: Path) -> None:
    recipe = Recipe(release_id="1", package="shop==1", extra_packages=["psycopg"], constraints=["x<2", "y<3"])
    worker = run_build(layout, tmp_path, recipe)
    limits = layout.release("1") / "constraints.txt"
    assert worker.installs() == [["shop==1", "psycopg", *(["--constraint", str(limits)] * 2)]]
    assert limits.read_text() == "x<2\ny<3\n"


def test_servers_are_added_where_they_are_missing(layout: Layout, tmp_path: Path) -> None:
    recipe = replace(RECIPE, servers=["gunicorn", "uvicorn-worker"])
    assert run_build(layout, tmp_path, recipe).installs() == [["gunicorn", "uvicorn-worker"]]


def test_a_file_that_is_not_there_is_named(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"release 1 can't be built: the source has no uv.lock: set app_install"):
        run_build(layout, tmp_path, replace(RECIPE, install="lock"))
    with pytest.raises(StackError, match=r"the source has no folder server: set app_subdirectory"):
        run_build(layout, tmp_path, replace(RECIPE, release_id="2", subdirectory="server"))
    assert not layout.manifest("1").exists()


def test_commands_run_where_and_with_what_they_were_told(layout: Layout, tmp_path: Path) -> None:
    command = {"command": "npm ci", "directory": "front", "environment": {"A": 1}}
    recipe = replace(RECIPE, commands=[command], environment={"B": "2"})
    worker = run_build(layout, tmp_path, recipe, {"front/package.json": ""})
    words, folder, environment, _stdin = next(call for call in worker.calls if call[0][-1] == "npm ci")  # type: ignore[attr-defined]
    assert words[:2] == ["/bin/sh", "-c"]
    assert folder == layout.release("1") / "source" / "front"
    assert (environment["A"], environment["B"]) == ("1", "2")
    assert environment["PATH"].startswith(f"{layout.release('1')}/venv/bin:")


def test_a_file_of_configuration_is_not_on_a_command_line(layout: Layout, tmp_path: Path) -> None:
    recipe = replace(RECIPE, files=[{"path": "settings.ini", "content": "password", "mode": "0600"}])
    worker = run_build(layout, tmp_path, recipe)
    words, _folder, _environment, stdin = next(call for call in worker.calls if "write" in call[0])  # type: ignore[attr-defined]
    assert stdin == "password"
    assert "password" not in words
    assert "0600" in words


def test_the_manifest_is_written_last(layout: Layout, tmp_path: Path) -> None:
    run_build(layout, tmp_path, replace(RECIPE, manifest={"version": "v1"}))
    manifest = json.loads(layout.manifest("1").read_text())
    assert (manifest["id"], manifest["version"], manifest["packages"]) == ("1", "v1", ["fastapi==1.0"])


def test_what_was_half_built_is_built_anew(layout: Layout, tmp_path: Path) -> None:
    (layout.release("1") / "source").mkdir(parents=True)
    (layout.release("1") / "source" / "old").touch()
    run_build(layout, tmp_path, RECIPE)
    assert not (layout.release("1") / "source" / "old").exists()


# --- the host's index


def test_uv_is_told_what_pip_was_told(tmp_path: Path) -> None:
    pip = tmp_path / "pip.conf"
    pip.write_text(
        "[global]\nindex-url = https://a.example/simple\nextra-index-url =\n  https://b.example\n  https://c.example\n"
    )
    found = index_environment({"PIP_CERT": "/ca.pem"}, [pip], [])
    assert found == {
        "UV_SYSTEM_CERTS": "1",
        "UV_DEFAULT_INDEX": "https://a.example/simple",
        "UV_INDEX": "https://b.example https://c.example",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_what_uv_was_told_itself_wins(tmp_path: Path) -> None:
    pip, uv = tmp_path / "pip.conf", tmp_path / "uv.toml"
    pip.write_text("[global]\nindex-url = https://a.example/simple\n")
    uv.touch()
    assert index_environment({}, [pip], [uv]) == {"UV_SYSTEM_CERTS": "1"}
    assert "UV_DEFAULT_INDEX" not in index_environment({"UV_DEFAULT_INDEX": "https://mine.example"}, [pip], [])


# --- commands


def test_variables_are_left_to_the_shell() -> None:
    words = service_command("x", "echo $HOME", {"User": "shop"}, ["/etc/x.env"], {"A": "b"})
    assert words[-4:] == ["--", "/bin/sh", "-c", "echo $$HOME"]
    assert "--property=EnvironmentFile=/etc/x.env" in words


def test_a_failure_shows_the_command_and_the_end_of_its_output() -> None:
    error = failure(
        ["/bin/sh", "-c", "npm ci"], "failed with exit status 1", "\n".join(str(n) for n in range(100)) + "\x1b[31m!"
    )
    assert str(error).startswith("`npm ci` failed with exit status 1: 99!\n60\n")
    assert error.details["output"].endswith("99!")


def test_static_files_must_be_there_after_the_build(layout: Layout, tmp_path: Path) -> None:
    recipe = Recipe("r1", tarball="/source.tar.gz", install="none", static=["front/dist"])
    with pytest.raises(StackError, match="no folder front/dist after the build: set directory of that app_static"):
        run_build(layout, tmp_path, recipe)
    run_build(layout, tmp_path, recipe, {"front/dist/index.html": "page"})
    assert layout.manifest("r1").exists()


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("Traceback:\n  it broke\nError: no such revision\n\n", "`x` took too long: Error: no such revision."),
        ("", "`x` took too long."),
    ],
)
def test_the_first_line_of_a_failure_has_the_last_words_of_the_command(output: str, sentence: str) -> None:
    assert str(failure(["x"], "took too long", output)).splitlines()[0] == sentence
