from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import check_conventions

CLEAN = {
    "roles/web/tasks/main.yml": "---\n- name: Look\n  ansible.builtin.command: 'true'\n  register: __web_seen\n",
    "roles/web/defaults/main.yml": "---\nweb_port: 80\n",
    "roles/web/templates/web.conf.j2": "{{ ansible_managed | comment }}\nlisten {{ web_port }}\n",
    "roles/web/templates/state.json.j2": '{"port": {{ web_port }}}\n',
    "roles/web/templates/_part.j2": "listen\n",
    "roles/data/tasks/main.yml": "---\n- name: Group\n  block:\n    - name: Look\n      ansible.builtin.ping:\n",
    "roles/data/defaults/main.yml": "---\ndata_path: /srv\n",
    "playbooks/site.yml": "---\n- name: Run\n  hosts: web\n",
    "playbooks/tasks/look.yml": "---\n- name: Look\n  ansible.builtin.ping:\n",
    "playbooks/group_vars/all/wiring.yml": "---\nweb_port: \"{{ groups['web'] | length }}\"\n",
}


def make_project(project: Path, **changes: str) -> Path:
    for name, content in {**CLEAN, **{path.replace("__", "/"): text for path, text in changes.items()}}.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    return project


def test_a_clean_project_has_no_problems(tmp_path: Path) -> None:
    assert list(check_conventions.all_problems(make_project(tmp_path))) == []


TASK = "---\n- name: Do it\n  ansible.builtin.ping:\n"


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("docs/x.yaml", "---\n", "name it .yml"),
        ("playbooks/tasks/site.yml", TASK, "playbooks/tasks/site.yml: a playbook has this name"),
        ("roles/web/tasks/a.yml", TASK + "  ignore_" + "errors: true\n", "a.yml:4: ignore_errors hides a failure"),
        ("roles/web/tasks/a.yml", TASK + "  failed_when: " + "false\n", "hides a failure"),
        ("plugins/a.py", "import os  # no" + "qa: F401\n", "a.py:1: noqa hides a failure"),
        (".config/ansible-lint.yml", "skip_" + "list:\n  - name\n", "hides a failure"),
        ("tests/test_a.py", "@pytest.mark." + "skip\n", "a skipped test hides a failure"),
        ("roles/web/tasks/a.yml", TASK + "  when: groups['db'] | length\n", "a role mentions no group"),
        ("roles/web/templates/_a.j2", "{{ hostvars | map('extract', groups.db) }}\n", "a role mentions no group"),
        ("roles/web/vars/main.yml", "---\n__web_on: \"{{ 'db' in group_names }}\"\n", "a role mentions no group"),
        ("roles/web/tasks/a.yml", TASK + "  when: data_path\n", "data_path belongs to the role data"),
        ("roles/web/templates/a.conf.j2", "listen 80\n", "begin it with {{ ansible_managed | comment }}"),
        ("roles/web/tasks/a.yml", "---\n- ansible.builtin.ping:\n", "a task has no name: ansible.builtin.ping"),
        ("roles/web/tasks/a.yml", "---\n- name: B\n  block:\n    - ansible.builtin.ping:\n", "a task has no name"),
        ("roles/web/tasks/a.yml", TASK + "  register: seen\n", "seen is registered: name it __web_"),
        ("roles/web/handlers/main.yml", TASK + "  register: seen\n", "seen is registered: name it __web_"),
        (
            "roles/web/tasks/a.yml",
            "---\n- name: Keep\n  ansible.builtin.set_fact:\n    web_port: 1\n",
            "web_port is set as a fact: name it __web_",
        ),
        ("playbooks/group_vars/all/wiring.yml", "---\nweb_port: 81\n", "web_port holds a value"),
    ],
)
def test_each_breach_is_said(tmp_path: Path, path: str, content: str, said: str) -> None:
    project = make_project(tmp_path)
    target = project / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content)
    found = list(check_conventions.all_problems(project))
    assert len(found) == 1
    assert said in found[0]
    assert check_conventions.main([str(project)]) == 1


def test_comments_may_name_anything(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    Path(project / "roles/web/tasks/a.yml").write_text(TASK + "  # not groups['db'] nor data_path\n")
    assert list(check_conventions.all_problems(project)) == []


def test_what_git_ignores_is_not_read(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    (project / ".gitignore").write_text("secret.yaml\n")
    (project / "secret.yaml").write_text("a: b\n")
    assert list(check_conventions.all_problems(project)) == []
