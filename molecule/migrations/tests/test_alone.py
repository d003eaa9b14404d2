"""The module alone, on a million rows while visitors come: whatever becomes of a migration, none of them notices."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest

# lock_timeout of the role, and what a busy server needs to act on it.
LONGEST_WAIT_MS = 3000 + 1500
TOOL = "pgrep -f '[s]tart.py'"
MEND = 'DROP INDEX CONCURRENTLY "public"."items_created_at_idx"'


class Crowd:
    """Visitors who come while all of these tests run."""

    def __init__(self, visitors):
        self._stay = ExitStack()
        self._seen = self._stay.enter_context(visitors())

    def leave(self):
        self._stay.close()
        return self._seen


@pytest.fixture(scope="module", autouse=True)
def crowd(visitors):
    crowd = Crowd(visitors)
    yield crowd
    crowd.leave()


@pytest.fixture
def hanging(begin_shop, sql, wait_until):
    """hanging(**ARGUMENTS): a migration that hangs in its second revision."""

    def begin(**arguments):
        begun = begin_shop("v2.0.0-hangs", **arguments)
        hangs = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_migrate' AND query LIKE 'SELECT pg_sleep%'"
        wait_until(lambda: sql(hangs) == "1", seconds=60)
        return begun

    return begin


@pytest.fixture
def is_as_before(serving, revision, nothing_is_left, migrate_shop, sql):
    """is_as_before(): once the first revision of two is taken back, which was one of its own and went well."""

    def look(now="0004"):
        nothing_is_left()
        assert (serving(), revision()) == ({"v1.0.0"}, now)
        if now != "0004":
            migrate_shop("v1.1.0", state="0004")
        assert revision() == "0004"

    return look


def test_what_the_lint_forbids_is_refused_before_anything_runs(migrate_shop, is_as_before):
    told = migrate_shop("v2.0.0-drops", lint="fail")
    assert "would block or break the running release: drop_name: ban-drop-column" in told["msg"]
    is_as_before()


def test_check_mode_shows_the_sql_and_what_the_lint_says_of_it(migrate_shop, is_as_before):
    # The test before has brought squawk to the host, which a check doesn't.
    told = migrate_shop("v2.0.0-drops", "--check", "--diff")
    assert (told["changed"], told["before"]) == (True, "0004")
    assert [step["revision"] for step in told["pending"]] == ["add_note", "drop_name"]
    assert "ALTER TABLE items ADD COLUMN note" in told["printed"]
    assert "drop_name: ban-drop-column: `ALTER TABLE items DROP COLUMN name;`" in " ".join(told["printed"].split())
    is_as_before()


def test_a_finding_can_be_accepted_for_a_reason(migrate_shop, is_as_before):
    told = migrate_shop("v2.0.0-accepts", "--check", lint="fail")
    reasons = {finding["rule"]: finding["accepted"] for finding in told["findings"]}
    assert reasons["require-concurrent-index-creation"] == "it is done in the night"
    assert told["changed"]
    assert "require-concurrent-index-creation" in migrate_shop("v2.0.0-blocks", "--check", lint="fail")["msg"]
    is_as_before()


def test_what_fails_half_way_leaves_nothing(migrate_shop, is_as_before, sql):
    assert migrate_shop("v1.1.0")["after"] == "add_note"
    told = migrate_shop("v2.0.0-fails")
    assert 'the database said: column "owner" of relation "items" contains null values' in told["msg"]
    assert "The database is still at add_note" in told["msg"]
    assert sql("SELECT to_regclass('half_way')") == ""
    is_as_before("add_note")


def test_what_hangs_is_ended(migrate_shop, is_as_before):
    told = migrate_shop("v2.0.0-hangs", timeout=20)
    assert re.search(r"took longer than \d+ s and was ended", told["msg"])
    assert "What went on in the database was ended: SELECT pg_sleep(86400)" in told["msg"]
    is_as_before("add_note")


def test_whoever_waits_for_another_learns_who_it_is(hanging, migrate_shop, is_as_before, machine):
    begun = hanging()
    told = migrate_shop("v1.1.0", at="two", lock_wait=1)["msg"]
    assert re.search(
        r"another migration of shop runs: process \d+ on one \(from [\d.]+, backend \d+\) holds its", told
    ), told
    machine("one").check_output(f"kill -9 $({TOOL})")
    assert "its process was killed" in begun.result()["msg"]
    is_as_before("add_note")


def test_a_module_that_is_killed_leaves_nothing_running(hanging, is_as_before, machine):
    begun = hanging()
    machine("one").check_output("kill -9 $(ps -o ppid= -p $(pgrep -f '[s]ystemd-run.*slipway-migrate-shop'))")
    assert "after" not in begun.result()
    is_as_before("add_note")


def test_a_transaction_that_never_ends_is_given_way_to(migrate_shop, is_as_before, long_transaction):
    with long_transaction():
        told = migrate_shop("v1.1.0", retries=1)
    assert told["attempts"] == 2
    assert "A table that it alters was in use for longer than the lock_timeout, 2 times" in told["msg"]
    is_as_before()


@pytest.mark.for_long
def test_a_transaction_that_ends_is_waited_for(migrate_shop, is_as_before, passing_transaction):
    with passing_transaction():
        told = migrate_shop("v1.1.0")
    assert (told["after"], told["attempts"] > 1) == ("add_note", True), told
    is_as_before("add_note")


def test_an_index_that_was_cut_off_is_never_taken_for_success(migrate_shop, is_as_before, sql, long_transaction):
    assert migrate_shop("v1.1.0")["after"] == "add_note"
    with long_transaction():
        told = migrate_shop("v2.0.0-indexes")
    assert "isn't tried again" in told["msg"]
    assert MEND in told["msg"]
    again = migrate_shop("v2.0.0-indexes")
    assert "The index items_created_at_idx of items is invalid" in again["msg"]
    sql(MEND)
    assert migrate_shop("v2.0.0-indexes")["after"] == "index_created_at"
    migrate_shop("v2.0.0-indexes", state="-1")
    is_as_before("add_note")


IN_SHORT = ("two heads", "no such configuration", "wrong password")
WRONG = {
    "two heads": (
        ("v2.0.0-branches",),
        {},
        "the migrations have more than one head (add_note, second_head): merge them",
    ),
    "no such configuration": (("v1.1.0",), {"config": "etc/alembic.ini"}, "the release has no etc/alembic.ini"),
    "no such section": (("v1.1.0",), {"section": "shop"}, "names no script_location in a section [shop]"),
    "no such revision": (("v1.1.0",), {"state": "0815"}, "has no revision 0815"),
    "wrong order": (("v2.0.0-disorders",), {"phase": "expand"}, "put drop_legacy_code last"),
    "wrong password": (
        ("v1.1.0",),
        {"database_url": "postgresql://shop_migrate:guessed@127.0.0.1/shop"},
        "the database refuses user shop_migrate: set the password",
    ),
    "no such host": (
        ("v1.1.0",),
        {"database_url": "postgresql://shop_migrate:guessed@nowhere.invalid/shop"},
        "nowhere.invalid:5432 isn't known to this host",
    ),
    "nobody listens": (
        ("v1.1.0",),
        {"database_url": "postgresql://shop_migrate:guessed@127.0.0.1:5999/shop", "wait": 2},
        "can't be reached, after 2 s of waiting",
    ),
}


@pytest.mark.parametrize(
    "what", [each if each in IN_SHORT else pytest.param(each, marks=pytest.mark.for_long) for each in WRONG]
)
def test_what_is_wrong_is_one_sentence(what, migrate_shop):
    given, arguments, sentence = WRONG[what]
    told = migrate_shop(*given, **arguments)
    assert sentence in told["msg"]
    assert len(told["msg"]) < 350, told["msg"]
    assert "guessed" not in str(told), told


def test_no_visitor_has_noticed_or_waited_for_longer_than_the_lock_timeout(crowd, longest_wait_ms, report):
    seen = crowd.leave()
    seen.assert_nothing_failed()
    waited = longest_wait_ms()
    report(
        f"{seen.result['requests']} requests in {seen.result['seconds']:.0f} s beside migrations of the module alone, "
        f"{seen.result['failed']} failed, latency in ms {seen.result['latency_ms']}; the longest wait of a query for a lock "
        f"took {waited:.0f} ms"
    )
    # A wait of less than a second isn't told.
    assert 1000 < waited < LONGEST_WAIT_MS
