"""Three applications side by side: looked at from outside, replaced, and broken on purpose."""

from __future__ import annotations

import json
import re

import pytest

HOSTS = ["twelve", "thirteen"]
SINGLETON_HOST = "twelve"
PASSWORD = "p@ss word/with:odd%parts-%$"
ODD = "a b \"c\" 'd' $HOME ${X} 100%n \\ `x`\nline 2\ttab  #!; é"
ASK = """
import http.client, json, sys
port, path, host = sys.argv[1:]
connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
connection.request("GET", path, headers={"Host": host})
answer = connection.getresponse()
print(json.dumps({"status": answer.status, "body": answer.read().decode()}))
"""

every_host = pytest.mark.parametrize("name", HOSTS)


@pytest.fixture
def ask(machine):
    """ask(HOST, PORT, PATH): asks a process on its own host, past any proxy."""

    def run(name: str, port: int, path: str, host: str = "tools.example") -> dict:
        result = machine(name).run("python3 -c %s %s %s %s", ASK, str(port), path, host)
        assert result.rc == 0, result.stderr
        return json.loads(result.stdout)

    return run


@pytest.fixture
def asked(ask):
    return lambda name, port, path: json.loads(ask(name, port, path)["body"])


@pytest.fixture
def unit(machine):
    def show(name: str, unit_name: str) -> dict[str, str]:
        lines = machine(name).check_output("systemctl show %s", unit_name).splitlines()
        return dict(line.partition("=")[::2] for line in lines)

    return show


@pytest.fixture
def live(machine):
    return lambda name, app="tools": json.loads(machine(name).file(f"/etc/slipway/{app}/live.json").content_string)


def ports_of(machine, name: str) -> dict[int, str]:
    """The listening TCP ports of a host with the addresses that they are on."""
    lines = machine(name).check_output("ss -Hltn").splitlines()
    addresses = [line.split()[3] for line in lines]
    return {int(address.rpartition(":")[2]): address.rpartition(":")[0] for address in addresses}


def one_line(result) -> str:
    """What a run printed, however it was wrapped."""
    return re.sub(r"\s+", " ", result.stdout + result.stderr)


# --- the first release -----------------------------------------------------------------------------------------------


@every_host
def test_the_reference_application_is_healthy(ask, name):
    answer = ask(name, 8000, "/health", "reference.example")
    assert (answer["status"], json.loads(answer["body"])["status"]) == (200, "healthy")


@every_host
def test_each_process_listens_where_it_was_told_to_and_nothing_else_does(machine, name):
    ports = {port: address for port, address in ports_of(machine, name).items() if 8000 <= port < 9000}
    assert ports == {8000: "127.0.0.1", 8100: "0.0.0.0", 8101: "0.0.0.0", 8110: "0.0.0.0", 8200: "127.0.0.1"}


@every_host
def test_an_archive_runs_by_a_command_that_takes_its_port_from_the_environment(ask, name):
    assert ask(name, 8200, "/")["body"] == "plain on 8200"


@every_host
def test_users_have_the_numbers_that_they_were_given_or_the_first_that_is_free(machine, name):
    users = {user: machine(name).user(user) for user in ("reference", "toolsmith", "plain")}
    assert users["reference"].uid == 1000
    assert users["toolsmith"].uid == 1234
    assert {user.shell for user in users.values()} == {"/usr/sbin/nologin"}
    running = machine(name).check_output("ps -o user:20= -C gunicorn").split()
    assert set(running) == {"reference", "toolsmith"}


@every_host
def test_odd_values_reach_the_process_as_they_were_written(asked, name):
    environment = asked(name, 8101, "/environment")
    assert environment["ODD"] == ODD
    assert environment["PASSWORD"] == PASSWORD
    assert json.loads(environment["LISTED"]) == [1, "two"]
    assert (environment["SWITCH"], environment["EMPTY"]) == ("true", "")
    assert (environment["PORT"], environment["APP_SLOT"]) == ("8101", "blue")
    assert environment["HOME"] == "/srv/tools/home"


@every_host
def test_secrets_are_for_root_alone_and_on_no_command_line(machine, name):
    host = machine(name)
    files = host.check_output("find /etc/slipway -name '*.env'").splitlines()
    assert len(files) == 4
    assert {(host.file(path).user, host.file(path).mode) for path in files} == {("root", 0o600)}
    assert host.file("/etc/slipway/tools/releases").mode == 0o700
    lines = host.check_output("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
    assert PASSWORD not in lines
    assert "7c1f4e02b99d4a6f8e3d5a1b0c2f6d7e" not in lines
    readable = host.run("grep -rlF %s /etc/systemd /run/systemd /etc/slipway --exclude='*.env'", PASSWORD)
    assert readable.stdout == ""
    journal = host.check_output("journalctl --no-pager -o cat")
    assert PASSWORD not in journal


@every_host
def test_files_from_templates_are_for_the_application_alone(machine, live, name):
    file = machine(name).file(f"/srv/tools/releases/{live(name)['release']}/source/server/config/settings.ini")
    assert (file.user, file.mode) == ("toolsmith", 0o600)
    assert f"password = {PASSWORD}\n" in file.content_string


@every_host
@pytest.mark.parametrize("unit_name", ["reference-web@blue", "tools-web@blue", "tools-legacy@blue", "plain-web@blue"])
def test_units_expose_little(machine, name, unit_name):
    score = machine(name).check_output("systemd-analyze security --no-pager %s.service", unit_name).splitlines()[-1]
    assert float(re.search(r"([\d.]+) \w+ ", score)[1]) <= 2.5, score


@every_host
def test_limits_are_in_force(machine, unit, name):
    show = unit(name, "reference-web@blue.service")
    assert show["MemoryMax"] == str(512 * 1024 * 1024)
    assert float(show["CPUQuotaPerSecUSec"].removesuffix("s")) == 1.5
    limits = machine(name).file(f"/proc/{show['MainPID']}/limits").content_string
    assert re.search(r"Max open files +4096 +4096", limits)
    assert unit(name, "tools-queue@blue.service")["MemoryMax"] == str(100 * 1024 * 1024)
    assert (show["KillMode"], unit(name, "tools-queue@blue.service")["KillMode"]) == ("control-group", "mixed")


@every_host
def test_a_release_is_read_only_for_those_who_run_it(machine, name, unit):
    process = unit(name, "tools-web@blue.service")["MainPID"]
    inside = f"nsenter -t {process} -m -S 1234 -G 1234"
    assert machine(name).run(f"{inside} touch /srv/tools/current/source/x").rc != 0
    assert machine(name).run(f"{inside} touch /srv/tools/shared/data/x").rc == 0


@every_host
def test_gunicorns_settings_win_in_the_documented_order(machine, ask, name):
    settings = json.loads(machine(name).file("/run/tools-legacy-blue/settings.json").content_string)
    assert settings == {
        "workers": 1,  # WEB_CONCURRENCY of the process over the repository's 3
        "timeout": 55,  # app_processes over the repository's 77
        "graceful_timeout": 11,  # the repository over the default of 30
        "max_requests": 123,  # GUNICORN_MAX_REQUESTS over the repository's 9
        "backlog": 77,
        "keepalive": 75,  # the default
        "worker_class_str": "gthread",
    }
    assert ask(name, 8110, "/")["body"] == "only $here"


@every_host
def test_the_build_had_its_environment_and_its_constraints(machine, live, name):
    path = f"/srv/tools/releases/{live(name)['release']}"
    assert machine(name).file(f"{path}/source/front/asset.txt").content_string == "built by toolsmith here\n"
    packages = json.loads(machine(name).file(f"{path}/release.json").content_string)["packages"]
    assert any(re.fullmatch(r"idna==3\.[0-9]", package) for package in packages), packages
    assert {"gunicorn", "starlette"} <= {package.partition("==")[0] for package in packages}
    assert machine(name).package("tree").is_installed


def test_workers_singletons_and_timers_run_where_they_should(machine, wait_until):
    for name in HOSTS:
        host = machine(name)
        assert host.service("tools-queue@blue.service").is_running
        assert host.file("/srv/tools/cache/models/touched").exists
        assert host.service("tools-beat@blue.service").is_running == (name == SINGLETON_HOST)
    ticks = machine(SINGLETON_HOST).file("/srv/tools/shared/data/ticks")
    wait_until(lambda: ticks.exists and len(ticks.content_string.splitlines()) > 1, 30)
    assert not machine("thirteen").file("/srv/tools/shared/data/ticks").exists


def test_the_database_is_prepared_once_for_the_fleet_with_the_releases_environment(machine, live):
    files = [machine(name).file("/srv/tools/shared/data/migrations") for name in HOSTS]
    assert [file.content_string for file in files if file.exists] == [f"{live('twelve')['release']} red as toolsmith\n"]


@every_host
def test_other_applications_of_the_host_can_see_ports_and_user(machine, name):
    fragment = json.loads(machine(name).file("/etc/slipway/apps.d/tools.json").content_string)
    assert fragment["ports"] == [8100, 8101, 8110, 8150, 8151, 8160]
    assert (fragment["user"], fragment["root"]) == ("toolsmith", "/srv/tools")


# --- mishaps in steady state -----------------------------------------------------------------------------------------


@every_host
def test_a_degraded_process_is_left_alone_and_a_hung_one_is_started_again(machine, ask, asked, unit, wait_until, name):
    host = machine(name)
    degraded, hung = (
        unit(name, instance)["MainPID"] for instance in ("tools-web@blue.service", "tools-web@blue-2.service")
    )
    ask(name, 8100, "/degrade")
    assert ask(name, 8100, "/live")["status"] == 503
    host.run("(python3 -c %s 8101 /hang x >/dev/null 2>&1 &)", ASK)

    def has_been_started_again() -> bool:
        return unit(name, "tools-web@blue-2.service")["MainPID"] not in ("0", hung)

    wait_until(has_been_started_again, 90)
    wait_until(lambda: host.run("python3 -c %s 8101 /health x", ASK).rc == 0, 30)
    assert unit(name, "tools-web@blue.service")["MainPID"] == degraded
    said = host.check_output("journalctl -t tools-watchdog -o cat --no-pager")
    assert "tools-web@blue-2.service gave no answer on /live" in said


def test_what_was_stopped_by_hand_is_started_again_without_a_new_release(machine, play, live, ask):
    before = live("thirteen")
    machine("thirteen").check_output("systemctl stop tools-web@blue.service")
    play("tools.yml", "--limit", "thirteen")
    assert ask("thirteen", 8100, "/health")["status"] == 200
    assert live("thirteen") == before


def test_a_reboot_brings_the_live_slot_back(machine, reboot, ask, wait_until):
    reboot("thirteen")
    wait_until(lambda: machine("thirteen").run("python3 -c %s 8101 /health x", ASK).rc == 0, 60)
    wait_until(lambda: machine("thirteen").service("tools-queue@blue.service").is_running, 30)
    assert machine("thirteen").service("tools-watchdog.timer").is_running


# --- the next releases -----------------------------------------------------------------------------------------------


def test_the_next_version_takes_over_in_the_other_slot(machine, play, asked, live, wait_until):
    before = {name: live(name) for name in HOSTS}
    play("tools.yml", "-e", "scenario_version=v2")
    for name in HOSTS:
        assert asked(name, 8150, "/health")["version"] == "v2"
        now = live(name)
        assert (now["slot"], now["version"], now["previous"]) == ("green", "v2", before[name]["release"])
        host = machine(name)
        assert host.service("tools-web@green.service").is_enabled
        assert not host.service("tools-web@blue.service").is_enabled
        jobs = host.file("/srv/tools/shared/data/jobs")
        wait_until(lambda jobs=jobs: "blue finished" in jobs.content_string, 30)
        assert "green started" in jobs.content_string
        assert not host.service("tools-queue@blue.service").is_running
    ticks = machine(SINGLETON_HOST).file("/srv/tools/shared/data/ticks")
    wait_until(lambda: live(SINGLETON_HOST)["release"] in ticks.content_string, 30)
    assert machine(SINGLETON_HOST).service("tools-beat@green.service").is_running
    assert not machine(SINGLETON_HOST).service("tools-beat@blue.service").is_running


@every_host
def test_the_old_slot_is_stopped_once_it_is_neither_needed_nor_warm(machine, wait_until, name):
    wait_until(lambda: not machine(name).service("tools-web@blue.service").is_running, 90)
    assert machine(name).service("tools-web@green.service").is_running


def test_a_broken_release_leaves_the_live_one_alone_and_says_why(machine, play, asked, live, unit):
    before = live("twelve")
    process = unit("twelve", "tools-web@green.service")["MainPID"]
    result = play("tools.yml", "--limit", "twelve", "-e", "scenario_version=v3", check=False)
    assert result.returncode != 0
    said = one_line(result)
    assert "v2 goes on serving as before." in said
    assert "this release is broken on purpose" in said
    assert PASSWORD not in said
    assert live("twelve") == before
    assert unit("twelve", "tools-web@green.service")["MainPID"] == process
    assert not machine("twelve").service("tools-web@blue.service").is_running
    last = json.loads(machine("twelve").file("/var/lib/slipway/tools/ledger.jsonl").content_string.splitlines()[-1])
    assert (last["outcome"], last["version"]) == ("failed", "v3")
    assert asked("twelve", 8150, "/health")["version"] == "v2"


def test_a_new_setting_is_a_release_like_any_other_and_old_ones_go(machine, play, asked, live):
    before = live("twelve")
    play("tools.yml", "--limit", "twelve", "-e", "scenario_version=v2 scenario_colour=blue")
    now = live("twelve")
    assert (now["slot"], now["previous"]) == ("blue", before["release"])
    assert asked("twelve", 8100, "/environment")["COLOUR"] == "blue"
    kept = set(machine("twelve").check_output("ls /srv/tools/releases").split())
    assert {now["release"], before["release"]} <= kept
    assert len(kept) <= 3
    environments = machine("twelve").check_output("ls /etc/slipway/tools/releases").split()
    assert {file.partition(".")[0].partition("-")[0] for file in environments} <= kept
    assert machine("twelve").file("/srv/tools/current").linked_to == f"/srv/tools/releases/{now['release']}"


def files_that_say(version):
    """Settings of an application that reports its version by a page that holds nothing else."""
    command = f"cd $(mktemp -d) && echo {version} >version && exec python3 -m http.server $PORT"
    health = {"path": "/", "version_path": "/version"}
    web = {"name": "web", "command": command, "routed": True, "start_timeout": 8, "health": health}
    return json.dumps({"app_processes": [web]})


def test_a_release_that_reports_another_version_is_not_the_one_that_was_asked_for(play, live):
    before = live("twelve")
    result = play(
        "tools.yml", "--limit", "twelve", "-e", "scenario_version=v2", "-e", files_that_say("v1"), check=False
    )
    assert result.returncode != 0
    assert "expected version v2, got v1" in one_line(result)
    assert live("twelve") == before


def test_a_process_that_is_gone_leaves_no_unit_behind(machine, play, live):
    play("tools.yml", "--limit", "twelve", "-e", "scenario_version=v2", "-e", files_that_say("v2"))
    slot = live("twelve")["slot"]
    units = machine("twelve").check_output("ls /etc/systemd/system").split()
    assert [unit for unit in units if unit.startswith("tools-") and f"@{slot}" in unit] == [f"tools-web@{slot}.service"]
    assert not [unit for unit in units if unit.startswith("tools-tick")]
    assert not machine("twelve").service(f"tools-beat@{slot}.service").is_running


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sentences"),
    [
        (
            {"scenario_version": "v9"},
            ["version v9 is neither a tag, a branch nor a commit of", "newest tags: v3, v2, v1"],
        ),
        ({"app_processes": [{"name": "web", "comand": "x"}]}, ["comand"]),
        ({"app_python": "3.7"}, ["app_python is 3.7, but the host has 3."]),
        (
            {
                "app_directory": "/tmp",
                "app_processes": [{"name": "web"}],
                "app_environment": {"PORT": 1, "COLOUR": "red"},
                "app_secrets": {"PASSWORD": "one\rtwo-three"},
            },
            [
                "The source is given by app_repository and app_directory: set exactly one of",
                "app_processes[web] has nothing to run: set its module or its command.",
                "app_environment sets PORT, which differs for each process and slot: leave it out",
                "The value of PASSWORD in app_environment or app_secrets holds a control character",
            ],
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_changes(play, settings, sentences):
    result = play("tools.yml", "--limit", "thirteen", "-e", json.dumps(settings), check=False)
    assert result.returncode != 0
    said = one_line(result)
    assert [sentence for sentence in sentences if sentence not in said] == []
    assert "one two-three" not in said
    assert "changed=0" in said


def test_a_secret_in_a_front_end_is_warned_of(play):
    said = one_line(play("tools.yml", "--limit", "thirteen", "--check", "-e", "scenario_version=v2"))
    assert "WARNING: VITE_KEY in app_build_environment or app_build_commands holds a secret" in said
