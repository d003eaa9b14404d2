"""MLflow as its visitors meet it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

HOST, NAME = "mlflow1", "mlflow.example.com"
URL = f"https://{NAME}"

# Reads a run and logs metrics to it, each with a step of its own, until the file appears.
VISITORS = """
import http.client, itertools, json, os, ssl, sys, threading, time
name, run_id, stop = sys.argv[1:]
steps, logged, failures, requests = itertools.count(100), [], [], itertools.count()

def ask(method, path, body=None):
    next(requests)
    connection = http.client.HTTPSConnection(name, timeout=70, context=ssl._create_unverified_context())
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, "/api/2.0/mlflow/" + path, body and json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status == 200:
            return True
        failures.append([path, answer.status, text[:200]])
    except OSError as error:
        failures.append([path, 0, repr(error)])
    finally:
        connection.close()

def visit():
    while not os.path.exists(stop):
        step = next(steps)
        metric = {"run_id": run_id, "key": "depth", "value": step, "timestamp": step, "step": step}
        if ask("POST", "runs/log-metric", metric):
            logged.append(step)
        ask("GET", "runs/get?run_id=" + run_id)
        ask("GET", "experiments/search?max_results=1")
        time.sleep(0.5)

visitors = [threading.Thread(target=visit) for _ in range(4)]
for each in visitors:
    each.start()
for each in visitors:
    each.join()
print(json.dumps({"requests": next(requests), "failures": failures, "logged": sorted(logged)}))
"""


@pytest.fixture(scope="session")
def api(curl):
    """api(PATH, BODY): calls MLflow's REST API; a GET without a body."""

    def call(path, body=None):
        options = ["--json", json.dumps(body)] if body is not None else []
        answer = curl(f"{URL}/api/2.0/{path}", *options, at=HOST)
        assert answer.status == 200, answer.body
        return answer.json() if answer.body else {}

    return call


@dataclass(frozen=True)
class Trial:
    """A run of an experiment, with a metric and an artifact."""

    run_id: str
    artifact: str


@pytest.fixture(scope="session")
def make_trial(api, curl):
    """make_trial(NAME): stores one."""

    def make(name):
        experiment = api("mlflow/experiments/create", {"name": name})["experiment_id"]
        run_id = api("mlflow/runs/create", {"experiment_id": experiment, "start_time": 1})["run"]["info"]["run_id"]
        api("mlflow/runs/log-metric", {"run_id": run_id, "key": "knots", "value": 12.5, "timestamp": 1, "step": 1})
        path = f"{experiment}/{run_id}/artifacts/log.txt"
        answer = curl(f"{URL}/api/2.0/mlflow-artifacts/artifacts/{path}", "-T", "/etc/hostname", at=HOST)
        assert answer.status == 200, answer.body
        return Trial(run_id, path)

    return make


@pytest.fixture(scope="session")
def trial(make_trial):
    return make_trial("sea trial")


@pytest.fixture(scope="session")
def read_back(api, curl):
    """read_back(TRIAL): all of it is there."""

    def check(trial):
        metrics = api(f"mlflow/runs/get?run_id={trial.run_id}")["run"]["data"]["metrics"]
        assert [metric["value"] for metric in metrics if metric["key"] == "knots"] == [12.5]
        artifact = curl(f"{URL}/api/2.0/mlflow-artifacts/artifacts/{trial.artifact}", at=HOST)
        assert (artifact.status, artifact.body.strip()) == (200, "client")

    return check


@pytest.fixture(scope="session")
def version(curl):
    """version(): the one that visitors get."""

    def read():
        return curl(f"{URL}/version", at=HOST).body.strip()

    return read


@pytest.fixture(scope="session")
def serves(curl, wait_until):
    """serves(): waits until it answers, as after a start."""

    def up():
        return curl(f"{URL}/health", at=HOST).status == 200

    return lambda: wait_until(up, seconds=180)


@pytest.fixture(scope="session")
def visitors(client, address, run_python, wait_until):
    """visitors(TRIAL): they come while the block runs; then the dictionary has what they met."""
    client.check_output("grep -q %s /etc/hosts || echo %s %s >>/etc/hosts", NAME, address(HOST), NAME)

    @contextmanager
    def come(trial):
        stop = client.check_output("mktemp -u")
        met = {}
        with ThreadPoolExecutor() as pool:
            coming = pool.submit(run_python, VISITORS, NAME, trial.run_id, stop)
            try:
                yield met
            finally:
                client.check_output("touch %s", stop)
            met.update(coming.result())

    return come
