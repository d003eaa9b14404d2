"""From MLflow 2 to 3 while visitors come: another schema, another server, the same data."""

from __future__ import annotations

import re

import pytest

HOST, OLD, NEW = "mlflow1", "2.22.2", "3.17.0"
# Every process of the application's user, with the release that it was started for.
RELEASES = "for pid in $(pgrep -u mlflow); do tr '\\0' '\\n' </proc/$pid/environ | sed -n s/^APP_RELEASE=//p; done"


@pytest.fixture(scope="module")
def steps_of(api):
    """steps_of(TRIAL): of the metric that visitors log."""

    def read(trial):
        history = api(f"mlflow/metrics/get-history?run_id={trial.run_id}&metric_key=depth&max_results=10000")
        return sorted(int(metric["step"]) for metric in history["metrics"])

    return read


@pytest.fixture(scope="module")
def upgraded(play, visitors, trial, version):
    """What visitors met while it was upgraded."""
    assert version() == OLD
    with visitors(trial) as met:
        play("slipway.stack.upgrade", "-e", f"app_version={NEW}", "-e", "app_warm_minutes=0")
        assert version() == NEW
    return met


def test_no_visitor_notices_the_upgrade_and_each_metric_is_stored_once(upgraded, trial, steps_of):
    assert upgraded["failures"] == []
    assert upgraded["requests"] > 100
    assert steps_of(trial) == upgraded["logged"]


def test_what_was_stored_before_is_there_and_more_can_be_stored(upgraded, trial, make_trial, read_back):
    read_back(trial)
    read_back(make_trial("second sea trial"))


@pytest.mark.usefixtures("upgraded")
def test_the_database_was_upgraded_before_the_release_started(machine):
    journal = machine(HOST).check_output("journalctl --quiet --no-pager -u mlflow-web@green.service")
    assert "Uvicorn running" in journal or "Application startup complete" in journal
    assert "Updating database tables" not in journal


@pytest.mark.usefixtures("upgraded")
def test_no_process_of_the_old_release_is_left_when_the_warm_time_is_over(machine, wait_until, version):
    host = machine(HOST)

    def the_old_slot_has_ended():
        state = host.check_output("systemctl show --property=ActiveState --value mlflow-web@blue.service")
        return state in ("inactive", "failed")

    wait_until(the_old_slot_has_ended, seconds=180)
    releases = set(host.check_output(RELEASES).split())
    assert len(releases) == 1
    assert host.file("/srv/mlflow/current").linked_to.endswith(releases.pop())
    assert host.run("grep -l mlflow-web@blue /proc/[0-9]*/cgroup").stdout == ""
    assert host.check_output("ss -Hltn 'sport = :8000'") == ""
    assert version() == NEW


@pytest.mark.usefixtures("upgraded")
def test_the_old_release_which_does_not_know_the_schema_is_not_gone_back_to(play, trial, version, read_back):
    told = play("slipway.stack.rollback", check=False)
    assert told.returncode != 0
    assert re.search(rf"{NEW} \(\w+\) serves as before", " ".join((told.stdout + told.stderr).split()))
    assert version() == NEW
    read_back(trial)
