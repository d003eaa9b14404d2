from __future__ import annotations

import pytest

HOSTS = ["twelve", "thirteen"]


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_runs_systemd_without_a_failed_unit(machine, name):
    assert machine(name).check_output("systemctl is-system-running") == "running"
    assert machine(name).file("/srv/bed").content_string == "bed\n"


@pytest.mark.parametrize(("name", "codename"), [("twelve", "bookworm"), ("thirteen", "trixie")])
def test_a_platform_names_its_distribution(machine, name, codename):
    assert machine(name).system_info.codename == codename


def test_ssh_lets_the_operator_become_root(host):
    assert host.check_output("id -un") == "root"


def test_the_ssh_platform_is_reached_by_ssh_as_an_ordinary_user(machine):
    journal = machine("thirteen").check_output("journalctl -u ssh --no-pager")
    assert "Accepted publickey for deploy" in journal
    assert machine("twelve").run("id deploy").rc != 0


@pytest.mark.parametrize("name", HOSTS)
def test_packages_come_through_the_cache(machine, client, name):
    assert client.run("getent hosts slipway-cache").rc == 0
    assert machine(name).check_output("/usr/local/libexec/apt-proxy") == "http://slipway-cache:3142"
    assert "slipway-cache" in machine(name).file("/etc/pip.conf").content_string
    assert "slipway-cache" in machine(name).file("/etc/uv/uv.toml").content_string


@pytest.mark.parametrize("name", HOSTS)
def test_the_client_sees_a_host_from_outside(curl, open_ports, name):
    assert open_ports(name, "1-1024") == {22, 80}
    answer = curl("http://shop.example/", at=name)
    assert answer.status == 200
    assert "Welcome to nginx" in answer.body
    assert answer.headers["content-type"] == "text/html"


def test_the_client_runs_python(run_python):
    assert run_python("import aiohttp, websockets, sys, json; print(json.dumps(sys.argv[1:]))", "a b") == ["a b"]


@pytest.mark.parametrize("name", HOSTS)
def test_a_reboot_keeps_the_address(machine, address, reboot, curl, name):
    before, boot = address(name), machine(name).check_output("stat -c %Y /proc/1")
    reboot(name)
    assert address(name) == before
    assert machine(name).check_output("stat -c %Y /proc/1") != boot
    assert curl(f"http://{name}/").status == 200


def test_a_playbook_runs_again_with_nothing_to_do(play):
    assert play("converge.yml").stdout.count("changed=0") == len(HOSTS)
    assert play("nowhere.yml", check=False).returncode != 0
