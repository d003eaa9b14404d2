"""MLflow through nginx: what is stored is read back, before and after a reboot of the host."""

from __future__ import annotations

HOST = "mlflow1"


def test_what_is_stored_is_read_back(trial, read_back):
    read_back(trial)


def test_it_is_there_after_a_reboot(trial, read_back, reboot, serves):
    reboot(HOST)
    serves()
    read_back(trial)


def test_the_metadata_lies_in_postgresql_and_the_artifact_in_the_shared_directory(machine, trial):
    count = "runuser -u postgres -- psql -qAt mlflow -c 'SELECT count(*) FROM metrics'"
    assert int(machine(HOST).check_output(count)) == 1
    assert machine(HOST).file(f"/srv/mlflow/shared/artifacts/{trial.artifact}").exists


def test_stopping_the_unit_leaves_no_child_on_the_port(machine, serves):
    unit = "mlflow-web@blue.service"
    assert machine(HOST).service(unit).is_running
    machine(HOST).check_output(f"systemctl stop {unit}")
    assert machine(HOST).check_output("ss -Hltn 'sport = :8000'") == ""
    assert machine(HOST).run("pgrep -u mlflow").rc == 1
    machine(HOST).check_output(f"systemctl start {unit}")
    serves()
