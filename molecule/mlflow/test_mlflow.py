"""MLflow through nginx: what is stored is read back, before and after a reboot of the host."""

from __future__ import annotations

import json

import pytest

HOST, URL = "mlflow1", "https://mlflow.example.com"


@pytest.fixture(scope="session")
def api(curl):
    """api(PATH, BODY): calls MLflow's REST API; a GET without a body."""

    def call(path, body=None):
        options = ["--json", json.dumps(body)] if body is not None else []
        answer = curl(f"{URL}/api/2.0/{path}", *options, at=HOST)
        assert answer.status == 200, answer.body
        return answer.json() if answer.body else {}

    return call


@pytest.fixture(scope="session")
def run(api, curl):
    """A run with a metric and an artifact."""
    experiment = api("mlflow/experiments/create", {"name": "sea trial"})["experiment_id"]
    run_id = api("mlflow/runs/create", {"experiment_id": experiment, "start_time": 1})["run"]["info"]["run_id"]
    api("mlflow/runs/log-metric", {"run_id": run_id, "key": "knots", "value": 12.5, "timestamp": 1, "step": 1})
    path = f"{experiment}/{run_id}/artifacts/log.txt"
    answer = curl(f"{URL}/api/2.0/mlflow-artifacts/artifacts/{path}", "-T", "/etc/hostname", at=HOST)
    assert answer.status == 200, answer.body
    return run_id, path


def read_back(api, curl, run):
    run_id, path = run
    info = api(f"mlflow/runs/get?run_id={run_id}")["run"]
    assert info["data"]["metrics"][0]["value"] == 12.5
    artifact = curl(f"{URL}/api/2.0/mlflow-artifacts/artifacts/{path}", at=HOST)
    assert (artifact.status, artifact.body.strip()) == (200, "client")


def test_what_is_stored_is_read_back(api, curl, run):
    read_back(api, curl, run)


def test_it_is_there_after_a_reboot(api, curl, run, reboot, wait_until):
    reboot(HOST)

    def up():
        return curl(f"{URL}/health", at=HOST).status == 200

    wait_until(up, seconds=120)
    read_back(api, curl, run)


def test_the_metadata_lies_in_postgresql_and_the_artifact_in_the_shared_directory(machine, run):
    count = "runuser -u postgres -- psql -qAt mlflow -c 'SELECT count(*) FROM metrics'"
    assert int(machine(HOST).check_output(count)) == 1
    assert machine(HOST).file(f"/srv/mlflow/shared/artifacts/{run[1]}").exists


def test_stopping_the_unit_leaves_no_child_on_the_port(machine):
    unit = "mlflow-web@blue.service"
    assert machine(HOST).service(unit).is_running
    machine(HOST).check_output(f"systemctl stop {unit}")
    assert machine(HOST).check_output("ss -Hltn 'sport = :8000'") == ""
    assert machine(HOST).run("pgrep -u mlflow").rc == 1
    machine(HOST).check_output(f"systemctl start {unit}")
