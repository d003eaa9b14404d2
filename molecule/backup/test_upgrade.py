"""An upgrade backs up before the schema moves, and the way back leads through that backup."""

from __future__ import annotations

import pytest

PASSPHRASE = "/etc/slipway/shop/backup/passphrase"
COLUMNS = "SELECT string_agg(column_name, ' ') FROM information_schema.columns WHERE table_name = 'items'"


@pytest.fixture(scope="module")
def version(curl):
    return lambda: curl("https://shop.example/version", at="one").json()["version"]


@pytest.fixture(scope="module")
def kinds(backup):
    """kinds(): what each backup was made for, by its run."""
    return lambda: {run["run"]: run["kind"] for run in backup("list")["runs"]}


@pytest.fixture(scope="module")
def older(backup, sql):
    sql("INSERT INTO items (id, name, quantity) VALUES (gen_random_uuid(), 'early', 1)")
    return backup("backup")["run"]


@pytest.mark.for_long
def test_an_upgrade_that_can_not_be_backed_up_migrates_nothing(play, said, host, sql, older, version):
    host.check_output("mv %s /root/away", PASSPHRASE)
    done = play("slipway.stack.upgrade", "-e", "app_version=v1.1.0", check=False)
    host.check_output("mv /root/away %s", PASSPHRASE)
    assert done.returncode != 0
    assert "So nothing was migrated: mend it, or go without a backup by -e app_backup_before_upgrade=false." in said(
        done
    )
    assert version() == "v1.0.0"
    assert "note" not in sql(COLUMNS).split()


@pytest.mark.for_long
def test_the_ledger_names_the_backup_from_before(play, host, sql, kinds, ledger, version):
    options = ["-e", "app_warm_minutes=0", "-e", "app_prove_backup=true"]
    play("slipway.stack.upgrade", "-e", "app_version=v1.1.0", *options)
    assert version() == "v1.1.0"
    migrated = ledger()[-2]
    assert (migrated["outcome"], kinds()[migrated["backup"]]) == ("migrated", "upgrade")
    assert "note" in sql(COLUMNS).split()
    play("slipway.stack.contract", "-e", "app_version=v1.1.0", "-e", "app_contract_wait=120")
    assert ledger()[-1]["outcome"] == "contracted"
    assert kinds()[ledger()[-1]["backup"]] == "upgrade"
    assert "legacy_code" not in sql(COLUMNS).split()
    assert ledger()[-1]["backup"] != migrated["backup"]


@pytest.mark.for_long
def test_the_way_back_names_it_and_leads_through_it(play, said, sql, ledger, version, curl):
    backup = ledger()[-1]["backup"]
    sql("UPDATE items SET name = 'late'")
    refused = play("slipway.stack.rollback", check=False)
    assert f"-e app_database=restore brings the database of backup {backup} back" in said(refused)
    done = said(play("slipway.stack.rollback", "-e", "app_database=restore"))
    assert f"Database: that of backup {backup} again" in done
    assert version() == "v1.0.0"
    assert ledger()[-1]["outcome"] == "rolled back"
    assert "legacy_code" in sql(COLUMNS).split()
    assert sql("SELECT count(*) FROM items WHERE name = 'late'") == "0"
    assert curl("https://shop.example/health", at="one").json()["status"] == "healthy"


@pytest.mark.for_long
def test_an_older_backup_gets_the_schema_of_the_live_release(play, sql, older, ledger, version):
    play("slipway.stack.upgrade", "-e", "app_version=v1.1.0", "-e", "app_backup_before_upgrade=false")
    assert "note" in sql(COLUMNS).split()
    play("slipway.stack.restore", "-e", "restore_confirm=shop", "-e", f"restore_run={older}")
    assert "note" in sql(COLUMNS).split()
    assert (ledger()[-1]["outcome"], ledger()[-1]["backup"]) == ("restored", older)
    assert version() == "v1.1.0"
