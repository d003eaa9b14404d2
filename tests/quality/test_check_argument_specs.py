from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

import check_argument_specs

if TYPE_CHECKING:
    from pathlib import Path


def make_role(
    roles: Path,
    *,
    defaults: str = "",
    options: dict[str, Any] | None = None,
    readme: str | None = None,
) -> Path:
    options = options or {}
    role = roles / "web"
    for folder in ("tasks", "defaults", "meta"):
        (role / folder).mkdir(parents=True)
    (role / "defaults/main.yml").write_text(f"---\n{defaults}\n")
    (role / "meta/argument_specs.yml").write_text(yaml.safe_dump({"argument_specs": {"main": {"options": options}}}))
    if readme is None:
        readme = "".join(f"- `{name}`\n" for name in options)
    (role / "README.md").write_text(readme)
    return role


def option(kind: str = "str", **more: Any) -> dict[str, Any]:
    return {"type": kind, "description": "What it is for.", **more}


def problems(role: Path) -> list[str]:
    return list(check_argument_specs.role_problems(role))


def test_a_role_that_agrees_has_no_problems(tmp_path: Path) -> None:
    role = make_role(
        tmp_path,
        defaults="web_port: 80\nweb_hosts: []\nweb_root: >-\n  {{ web_base\n  ~ '/x' }}\n__web_internal: 1",
        options={
            "web_port": option("int", default=80),
            "web_hosts": option("list", elements="str", default=[]),
            "web_root": option("path", default="{{ web_base ~ '/x' }}"),
            "web_name": option(required=True),
            "web_user": option(description=["A user.", "Unset: the web server's own."]),
        },
    )
    assert problems(role) == []


@pytest.mark.parametrize(
    ("defaults", "spec", "said"),
    [
        ("web_port: 80", {}, "web_port is in defaults/main.yml and not in the argument spec"),
        ("", {"web_port": option("int", default=80)}, "has a default in the argument spec and none in defaults"),
        ("web_port: 80", {"web_port": option("int")}, "has a default in defaults/main.yml and none in the argument"),
        ("web_port: 81", {"web_port": option("int", default=80)}, "is 81 in defaults/main.yml and 80 in the argument"),
        ("web_port: '80'", {"web_port": option("raw", default=80)}, "is '80' in defaults/main.yml and 80 in"),
        ("web_on: 1", {"web_on": option("raw", default=True)}, "is 1 in defaults/main.yml and True in"),
        ("web_l: [{a: 1}]", {"web_l": option("list", elements="dict", default=[{"a": 2}])}, "[{'a': 1}] in defaults"),
        ("web_x: '{{ a }}'", {"web_x": option(default="{{ b }}")}, "is '{{ a }}' in defaults/main.yml"),
        ("web_port: 80", {"web_port": option("int", required=True)}, "is required by the argument spec and yet has"),
        ("", {"web_user": option()}, "web_user is optional and has no default"),
        ("web_port: a", {"web_port": option("int", default="a")}, "has the default 'a', which is no int"),
        ("web_port: true", {"web_port": option("int", default=True)}, "has the default True, which is no int"),
        ("web_l: []", {"web_l": option("list", default=[])}, "web_l is a list and has no elements"),
        ("web_m: c", {"web_m": option(default="c", choices=["a", "b"])}, "'c', which is none of its choices"),
        ("web_m: a", {"web_m": {"type": "str", "default": "a"}}, "web_m has no description"),
        ("web_m: a", {"web_m": {"description": "x", "default": "a"}}, "web_m has no type"),
        ("web_m: a", {"web_m": option("text", default="a")}, "web_m has the unknown type text"),
        (
            "web_l: []",
            {"web_l": option("list", elements="dict", default=[], options={"name": {"type": "str"}})},
            "web_l.name has no description",
        ),
    ],
)
def test_each_difference_is_said(tmp_path: Path, defaults: str, spec: dict[str, Any], said: str) -> None:
    found = problems(make_role(tmp_path, defaults=defaults, options=spec))
    assert len(found) == 1
    assert said in found[0]


def test_the_readme_lists_each_variable_and_no_other(tmp_path: Path) -> None:
    role = make_role(
        tmp_path,
        defaults="web_port: 80",
        options={"web_port": option("int", default=80)},
        readme="Set `web_prot` and `nginx_routes`.\n",
    )
    assert problems(role) == [
        "web_port is not in README.md",
        "README.md tells of web_prot, which the argument spec doesn't have",
    ]


def test_a_role_without_spec_or_readme_is_refused(tmp_path: Path) -> None:
    role = make_role(tmp_path)
    (role / "README.md").unlink()
    assert problems(role) == ["has no README.md"]
    (role / "meta/argument_specs.yml").unlink()
    assert problems(role) == ["has no meta/argument_specs.yml"]


def test_main_fails_on_a_problem_and_where_no_role_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_argument_specs.main([str(tmp_path)]) == 1
    make_role(tmp_path, defaults="web_port: 80")
    assert check_argument_specs.main([str(tmp_path)]) == 1
    assert "roles/web: web_port is in defaults/main.yml" in capsys.readouterr().out
