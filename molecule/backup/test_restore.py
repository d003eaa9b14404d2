"""What was lost comes back, what fails leaves what was there, and a host can be made anew from its backups elsewhere."""

from __future__ import annotations

import re
import subprocess
import time
from datetime import UTC, datetime

import pytest

PROGRAM = "/usr/local/lib/slipway/shop/backup"
UPLOADS = "/srv/shop/shared/uploads"


@pytest.fixture(scope="module")
def saved(backup, contents, sql, host):
    """A backup, and what was in it."""
    sql(
        "INSERT INTO items (id, name, quantity) SELECT gen_random_uuid(), md5(g::text), g FROM generate_series(1, 5000) g"
    )
    host.check_output(f"echo hello >{UPLOADS}/letter; chown shop: {UPLOADS}/letter")
    return backup("backup")["run"], contents()


@pytest.fixture
def lost(saved, sql, host):
    """Somebody has deleted things since."""
    sql("DELETE FROM items WHERE quantity % 2 = 0")
    host.check_output(f"rm -f {UPLOADS}/letter; echo new >{UPLOADS}/later; chown shop: {UPLOADS}/later")


@pytest.mark.for_long
def test_it_is_not_done_without_the_name(play, said, lost, contents):
    before = contents()
    done = play("slipway.stack.restore", check=False)
    assert done.returncode != 0
    assert "say so by -e restore_confirm=shop" in said(done)
    assert contents() == before


@pytest.mark.for_long
def test_a_check_says_what_would_come_back_and_changes_nothing(play, said, saved, lost, contents, sql):
    before = contents()
    done = said(play("slipway.stack.restore", "--check", "-e", "restore_confirm=shop"))
    assert f"{saved[0]} would go into the database shop" in done
    assert UPLOADS in done
    assert contents() == before
    assert "shop_restore" not in sql("SELECT datname FROM pg_database", "postgres")


@pytest.mark.for_long
def test_it_goes_into_a_database_beside(play, said, saved, sql):
    play("slipway.stack.restore", "-e", "restore_database=shop_copy")
    query = "SELECT count(*), sum(hashtext(i::text)::bigint) FROM items i"
    assert sql(query, "shop_copy") == saved[1][0]
    again = play("slipway.stack.restore", "-e", "restore_database=shop_copy", check=False)
    assert "is there already" in said(again)
    assert sql(query, "shop_copy") == saved[1][0]
    sql("DROP DATABASE shop_copy", "postgres")


@pytest.mark.for_long
@pytest.mark.parametrize("repository", ["offsite", "bucket"])
def test_it_comes_from_a_repository_elsewhere(play, saved, sql, repository):
    play(
        "slipway.stack.restore",
        "-e",
        "restore_database=shop_elsewhere",
        "-e",
        f"restore_run={saved[0]}",
        "-e",
        f"restore_from={repository}",
    )
    assert sql("SELECT count(*), sum(hashtext(i::text)::bigint) FROM items i", "shop_elsewhere") == saved[1][0]
    sql("DROP DATABASE shop_elsewhere", "postgres")


@pytest.mark.for_long
def test_a_moment_names_the_backup_from_before_it(play, said, saved, backup, sql):
    made = next(run["time"] for run in backup("list")["runs"] if run["run"] == saved[0])
    moment = datetime.fromtimestamp(made + 1, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    play("slipway.stack.backup")
    done = play("slipway.stack.restore", "-e", "restore_database=shop_then", "-e", f"restore_run={moment}")
    assert f"The database shop_then holds {saved[0]}." in said(done)
    sql("DROP DATABASE shop_then", "postgres")
    # Ansible cuts it at the space.
    cut = play(
        "slipway.stack.restore", "-e", "restore_database=shop_then", "-e", "restore_run=2026-11-20 03:00", check=False
    )
    assert "give the time too" in said(cut)


@pytest.mark.for_long
@pytest.mark.parametrize("dump", ["pg_dump shop | gzip", "pg_dump -Fc shop"])
def test_somebodys_own_dump_is_imported(play, host, sql, tmp_path, dump):
    host.check_output("cd / && runuser -u postgres -- sh -c %s", f"{dump} >/tmp/own.dump")
    path = tmp_path / ("own.sql.gz" if "gzip" in dump else "own.dump")
    with path.open("wb") as file:
        subprocess.run(["docker", "exec", "slipway-backup-one", "cat", "/tmp/own.dump"], check=True, stdout=file)
    play("slipway.stack.restore", "-e", "restore_database=shop_own", "-e", f"file={path}")
    query = "SELECT count(*), sum(hashtext(i::text)::bigint) FROM items i"
    assert sql(query, "shop_own") == sql(query)
    assert sql("SELECT has_table_privilege('shop', 'items', 'INSERT')", "shop_own") == "t"
    assert not host.file("/var/lib/slipway/shop/backup/import.dump").exists
    sql("DROP DATABASE shop_own", "postgres")


@pytest.mark.for_long
def test_a_dump_that_was_cut_off_is_refused(play, said, sql, host, tmp_path):
    path = tmp_path / "cut.sql"
    whole = host.check_output("cd / && runuser -u postgres -- pg_dump shop")
    rows = whole.index("COPY public.items ")
    path.write_text(whole[: rows + (whole.index("\\.", rows) - rows) // 2])
    done = play("slipway.stack.restore", "-e", "restore_database=shop_cut", "-e", f"file={path}", check=False)
    assert done.returncode != 0
    assert "the dump isn't whole" in said(done)
    assert "shop_cut" not in sql("SELECT datname FROM pg_database", "postgres")


def test_a_restore_that_fails_half_way_leaves_what_was_there(play, said, lost, contents, curl, sql, tmp_path):
    before = contents()
    dump = tmp_path / "broken.sql"
    dump.write_text("CREATE TABLE items (id int);\nINSERT INTO items VALUES (1);\nINSERT INTO nowhere VALUES (1);\n")
    done = play("slipway.stack.restore", "-e", "restore_confirm=shop", "-e", f"file={dump}", check=False)
    assert done.returncode != 0
    assert "shop has the data that it had before" in said(done)
    assert contents() == before
    assert "shop_restore" not in sql("SELECT datname FROM pg_database", "postgres")
    assert curl("https://shop.example/health", at="one").status == 200


@pytest.mark.for_long
def test_a_restore_that_fails_after_the_swap_leaves_what_was_there(play, said, lost, contents, curl, sql, tmp_path):
    """The live release's migrations find a table where they want to create it."""
    before = contents()
    dump = tmp_path / "odd.sql"
    dump.write_text("CREATE TABLE items (id int);\nINSERT INTO items VALUES (1);\n")
    done = play("slipway.stack.restore", "-e", "restore_confirm=shop", "-e", f"file={dump}", check=False)
    assert done.returncode != 0
    assert "Swap the databases back" in done.stdout
    assert "shop has the data that it had before" in said(done)
    assert contents() == before
    assert "shop_restore" not in sql("SELECT datname FROM pg_database", "postgres")
    assert curl("https://shop.example/health", at="one").json()["status"] == "healthy"


@pytest.mark.for_long
def test_it_comes_back_in_place_and_can_be_undone(play, said, saved, lost, contents, curl, host):
    before = contents()
    done = said(play("slipway.stack.restore", "-e", "restore_confirm=shop", "-e", f"restore_run={saved[0]}"))
    assert contents() == saved[1]
    assert curl("https://shop.example/health", at="one").json()["status"] == "healthy"
    undo = re.search(r"restore_run=(\S+?),", done)
    assert undo, done[-2000:]
    play("slipway.stack.restore", "-e", "restore_confirm=shop", "-e", f"restore_run={undo[1]}")
    assert contents() == before
    # All uploads are lost, which is what a restore is for.
    host.check_output(f"rm -rf {UPLOADS}")
    play("slipway.stack.restore", "-e", "restore_confirm=shop", "-e", f"restore_run={saved[0]}")
    assert contents() == saved[1]
    play(
        "slipway.stack.restore",
        "-e",
        "restore_confirm=shop",
        "-e",
        f"restore_run={undo[1]}",
        "-e",
        "restore_safety=false",
    )
    assert contents() == before
    assert host.check_output(f"{PROGRAM} list").count('"safety"') >= 2


@pytest.mark.for_long
def test_a_host_that_is_gone_is_made_anew_from_elsewhere(play, said, saved, machine, contents, curl):
    """On a newer distribution, whose PostgreSQL is newer too."""
    spare = "ansible_host=slipway-backup-spare"
    began = time.monotonic()
    play("slipway.stack.site", "-e", spare)
    done = play(
        "slipway.stack.restore",
        "-e",
        spare,
        "-e",
        "restore_confirm=shop",
        "-e",
        "restore_from=offsite",
        "-e",
        f"restore_run={saved[0]}",
    )
    assert re.search(r"has the data of \S+ again, after \d+ s", said(done))
    print(f"RTO of a host that is gone: {time.monotonic() - began:.0f} s")
    assert contents(machine("spare")) == saved[1]
    assert curl("https://shop.example/health", at="spare").json()["status"] == "healthy"
