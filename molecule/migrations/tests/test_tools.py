"""Django and Flask-Migrate do as Alembic does, on whichever host, and say what is wrong with their database."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Kind:
    """What the projects differ in."""

    zero: str
    first: str
    expanded: str
    table: str
    module: dict[str, str]


KINDS = {
    "django": Kind("shop.zero", "shop.0001_initial", "shop.0003_index", "shop_item", {"config": "manage.py"}),
    "flask": Kind("base", "0001", "0002", "items", {"config": "app"}),
}
pytestmark = pytest.mark.usefixtures("_databases")


@pytest.fixture(scope="module")
def _databases(play):
    play("plays/databases.yml")


@pytest.fixture(scope="session")
def begin_project(begin_module, address):
    """begin_project(PROJECT, at=HOSTS, **ARGUMENTS)"""

    def begin(project, at="one", **arguments):
        wanted = {
            "name": project,
            "user": "tester",
            "tool": project,
            "lint": "fail",
            "directory": f"/opt/projects/{project}",
            "path": ["/opt/projects/venv/bin"],
            "database_url": f"postgresql://tester:tester-password@{address('one')}/{project}",
            **KINDS[project].module,
        }
        return begin_module(at, **{**wanted, **arguments})

    return begin


@pytest.fixture(scope="session")
def migrate(begin_project):
    return lambda project, **arguments: begin_project(project, **arguments).result()


@pytest.fixture(params=["django", pytest.param("flask", marks=pytest.mark.for_long)])
def tool(request, migrate):
    """The tool, with its database at the beginning."""
    migrate(request.param, state=KINDS[request.param].zero)
    return request.param


def test_each_phase_runs_its_revisions_once(tool, migrate):
    expanded = migrate(tool, phase="expand")
    assert (expanded["after"].split(",")[-1], expanded["kind"]) == (KINDS[tool].expanded, "expand")
    again = migrate(tool, phase="expand")
    assert (again["changed"], again["kind"], len(again["waiting"])) == (False, "none", 1)
    contracted = migrate(tool, phase="contract")
    assert (contracted["changed"], contracted["kind"]) == (True, "contract")
    assert not migrate(tool)["changed"]
    assert migrate(tool, state="-1")["after"] == expanded["after"]
    assert "has no revision shop.nonsense" in migrate(tool, state="shop.nonsense")["msg"]


@pytest.mark.for_long
def test_a_revision_that_fails_or_waits_changes_nothing(tool, migrate, sql, long_transaction, passing_transaction):
    table, first = KINDS[tool].table, KINDS[tool].first
    assert migrate(tool, state=first)["after"].split(",")[-1] == first
    sql(f"ALTER TABLE {table} ADD COLUMN note text", database=tool)
    failed = migrate(tool, phase="expand")
    assert f'the database said: column "note" of relation "{table}" already exists' in failed["msg"]
    assert f"The database is still at {failed['before']}" in failed["msg"]
    sql(f"ALTER TABLE {table} DROP COLUMN note", database=tool)

    with long_transaction(tool, table):
        blocked = migrate(tool, phase="expand", retries=1)
    assert "in use for longer than the lock_timeout, 2 times" in blocked["msg"]
    with passing_transaction(tool, table):
        waited = migrate(tool, phase="expand")
    assert (waited["after"].split(",")[-1], waited["attempts"] > 1) == (KINDS[tool].expanded, True)


def test_one_migration_of_three_runs_and_the_others_find_nothing_to_do(
    migrate, begin_project, sql, long_transaction, wait_until
):
    migrate("flask", state="base")
    migrate("flask", state="0001")

    def the_three_are_there():
        names = sql("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'slipway migrate %'")
        return {name.removeprefix("slipway migrate ").partition(":")[0] for name in names.split("\n")} == {
            "one",
            "two",
            "three",
        }

    with long_transaction("flask", "items"):
        begun = begin_project("flask", at="projects", phase="expand", retries=20)
        wait_until(the_three_are_there, seconds=120, interval=0.2)
    told = begun.results()
    assert sorted(told) == ["one", "three", "two"]
    assert sorted(each["changed"] for each in told.values()) == [False, False, True], told
    assert {each["after"] for each in told.values()} == {"0002"}
    assert [each["waited"] > 0 for each in told.values() if not each["changed"]] == [True, True]


@pytest.mark.for_long
@pytest.mark.parametrize(
    ("project", "arguments", "sentence"),
    [
        ("django", {"config": "bin/manage.py"}, "the release has no bin/manage.py"),
        ("flask", {"config": "nothing"}, "Flask finds no application"),
        ("flask", {"migrations": "elsewhere"}, "the release has no folder elsewhere for its migrations"),
        ("django", {"tool": "alembic", "config": ""}, "the release has no alembic.ini"),
        (
            "django",
            {"database_url": "postgresql://tester:guessed@127.0.0.1/django"},
            "the database refuses user tester: set the password",
        ),
        (
            "django",
            {"database_url": "postgresql://tester:tester-password@127.0.0.1/nothing"},
            "the database lets nobody in as tester from 127.0.0.1: add that address",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(migrate, project, arguments, sentence):
    told = migrate(project, **arguments)
    assert sentence in told["msg"]
    assert len(told["msg"]) < 350


def test_a_database_that_is_down_is_waited_for(migrate, begin_project, machine):
    machine("one").check_output("systemctl stop postgresql@17-main")
    assert "can't be reached, after 2 s of waiting" in migrate("django", wait=2)["msg"]
    begun = begin_project("django", wait=120)
    machine("one").check_output("sleep 5; systemctl start postgresql@17-main")
    assert "msg" not in begun.result()
