"""What must hold of the whole stack, on one host or on several, seen from another container."""

from __future__ import annotations

import uuid

import pytest

DOMAIN = "shop.example"
URL = f"https://{DOMAIN}"
SPLIT_PORTS = {
    "nginx": {22, 80, 443},
    "app": {22},
    "postgres": {22},
    "redis": {22},
}


@pytest.fixture(scope="session")
def group(platforms):
    """group(NAME): the hosts of a group."""
    return lambda name: [host for host, platform in platforms.items() if name in platform["groups"]]


@pytest.fixture(scope="session")
def proxy(group):
    return group("nginx")[0]


@pytest.fixture(scope="session")
def visitor(client, proxy, run_python):
    """visitor(CODE): runs a program in the client, for which the domain's name leads to the proxy."""
    client.check_output(
        "grep -q %s /etc/hosts || echo \"$(getent hosts %s | cut -d' ' -f1) %s\" >> /etc/hosts", DOMAIN, proxy, DOMAIN
    )
    return lambda code: run_python(code, URL)


@pytest.fixture(scope="session")
def ask(curl, proxy):
    """ask(PATH, *OPTIONS): asks the service as a visitor would."""
    return lambda path, *options: curl(URL + path, *options, at=proxy)


def test_the_service_is_healthy_and_says_its_version(ask):
    answer = ask("/health")
    assert answer.status == 200
    assert answer.json()["status"] == "healthy"
    assert answer.json()["version"] == "v1.0.0"


def test_an_item_is_stored_and_read_back(ask):
    name = f"item {uuid.uuid4()}"
    made = ask("/items", "--json", f'{{"name": "{name}", "quantity": 3}}')
    assert made.status == 201
    assert ask(f"/items/{made.json()['id']}").json()["name"] == name


def test_a_job_goes_through_queue_and_worker(ask):
    job = ask("/jobs", "--json", '{"seconds": 0.1}').json()
    done = ask(f"/jobs/{job['id']}?wait=20").json()
    assert (done["state"], done["runs"]) == ("done", 1)


def test_one_scheduler_ticks_in_the_whole_fleet(ask, wait_until):
    def ticks_come():
        return len(ask("/ticks").json()) >= 2

    wait_until(ticks_come, seconds=40)
    assert len({(tick["beat_host"], tick["beat_pid"]) for tick in ask("/ticks?limit=3").json()}) == 1


def test_only_the_ports_that_others_need_are_open(platforms, open_ports):
    for host, platform in platforms.items():
        assert open_ports(host) == set().union(*(SPLIT_PORTS[name] for name in platform["groups"])), host


def test_services_listen_only_where_they_are_reached(group, machine, address):
    for name, port in (("postgres", 5432), ("redis", 6379)):
        (host,) = group(name)
        listening = {
            line.split()[3].rpartition(":")[0]
            for line in machine(host).check_output(f"ss -Hltn sport = :{port}").splitlines()
        }
        wanted = {"127.0.0.1", "[::1]"} | ({address(host)} if group("app") != [host] else set())
        assert listening
        assert listening <= wanted


def test_the_database_is_reached_over_tls_from_other_hosts(group, machine):
    (data,) = group("postgres")
    rows = machine(data).check_output(
        'runuser -u postgres -- psql -qAtc "SELECT DISTINCT host(client_addr), ssl FROM pg_stat_activity'
        " JOIN pg_stat_ssl USING (pid) WHERE datname = 'shop' AND usename = 'shop'\""
    )
    assert rows
    remote = [row for row in rows.splitlines() if not row.startswith("127.")]
    assert all(row.endswith("|t") for row in remote)
    assert bool(remote) is (group("app") != [data])


def test_http_is_redirected_and_https_has_its_headers(curl, ask, proxy):
    moved = curl(f"http://{DOMAIN}/items?x=1", at=proxy)
    assert moved.status in (301, 308)
    assert moved.headers["location"] == f"{URL}/items?x=1"
    answer = ask("/health")
    assert answer.http_version == "2"
    assert "max-age=63072000" in answer.headers["strict-transport-security"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"]
    assert answer.headers["referrer-policy"]
    assert not any(character.isdigit() for character in answer.headers.get("server", ""))


def test_the_application_sees_the_visitor_and_makes_right_redirects(ask, client):
    seen = ask("/whoami").json()
    assert seen["client"] in client.check_output("hostname -I").split()
    assert (seen["scheme"], seen["host"]) == ("https", DOMAIN)
    assert ask("/redirect").headers["location"] == f"{URL}/whoami"


def test_a_request_id_is_the_same_everywhere(ask, group, machine, proxy):
    request_id = ask("/whoami").headers["x-request-id"]
    assert len(request_id) >= 16
    assert request_id in machine(proxy).file("/var/log/nginx/shop/access.log").content_string
    journals = [machine(host).check_output("journalctl -u 'shop-web@*' -n 500 --no-pager") for host in group("app")]
    assert any(request_id in journal for journal in journals)


def test_metrics_are_closed_to_the_outside(ask):
    assert ask("/metrics").status in (403, 404)


def test_a_websocket_echoes(visitor):
    code = """
import asyncio, json, ssl, sys, aiohttp
async def main():
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(sys.argv[1] + "/ws", ssl=False) as ws:
            await ws.send_str("ahoy")
            print(json.dumps((await ws.receive(timeout=10)).data))
asyncio.run(main())
"""
    assert visitor(code) == "ahoy"


def test_the_first_event_comes_before_the_second_is_made(visitor):
    code = """
import json, ssl, sys, time, urllib.request
context, seen = ssl._create_unverified_context(), []
answer = urllib.request.urlopen(sys.argv[1] + "/events?count=2&interval_ms=1500", context=context, timeout=20)
while len(seen) < 2:
    line = answer.readline()
    if line.startswith(b"data:"):
        seen.append([time.time(), json.loads(line[5:])["created_at"]])
print(json.dumps(seen))
"""
    (first, _), (_, second_made) = visitor(code)
    assert first < second_made - 0.5


def test_a_route_is_limited_to_its_rate(visitor):
    code = """
import asyncio, json, sys, aiohttp
async def main():
    async with aiohttp.ClientSession() as session:
        async def one():
            async with session.get(sys.argv[1] + "/version", ssl=False) as answer:
                return answer.status
        print(json.dumps(await asyncio.gather(*(one() for _ in range(30)))))
asyncio.run(main())
"""
    statuses = visitor(code)
    assert set(statuses) == {200, 429}
    assert 6 <= statuses.count(200) <= 12


def test_unknown_host_names_are_dropped(client, proxy):
    assert client.run("curl -sk --max-time 5 https://%s/health", proxy).rc != 0
    assert client.run("curl -s --max-time 5 http://%s/health", proxy).rc != 0


def test_secrets_are_readable_by_root_alone(group, machine):
    for host in group("app"):
        found = machine(host).check_output("grep -rlI -e 5e884898da28047151 /etc /srv /var/lib/slipway || true").split()
        assert found
        for path in found:
            assert machine(host).file(path).mode == 0o600
            assert machine(host).file(path).user == "root"
        lines = machine(host).check_output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        assert "5e884898da28047151" not in lines
        assert "1d2c3b4a5f6e" not in lines


def test_the_web_unit_is_hardened(group, machine):
    for host in group("app"):
        report = machine(host).check_output("systemd-analyze security --no-pager 'shop-web@blue.service' | tail -1")
        assert float(report.split(":")[1].split()[0]) <= 2.5


def test_verify_and_preflight_pass_and_change_nothing(play):
    for playbook in ("slipway.stack.verify", "slipway.stack.preflight"):
        output = play(playbook).stdout
        assert "changed=0" in output
        assert not any(f"changed={number}" in output for number in range(1, 10))


def test_everything_comes_back_after_a_reboot(platforms, reboot, ask, wait_until):
    item = ask("/items", "--json", '{"name": "before the reboot"}').json()["id"]
    for host in platforms:
        reboot(host)

    def healthy():
        answer = ask("/health")
        return answer.status == 200 and answer.json()["status"] == "healthy"

    wait_until(healthy, seconds=60)
    assert ask(f"/items/{item}").json()["name"] == "before the reboot"
    test_a_job_goes_through_queue_and_worker(ask)


def test_a_new_version_takes_over_and_site_keeps_it(play, ask, group):
    play("slipway.stack.upgrade", "-e", "app_version=v1.1.0")
    assert ask("/health").json()["version"] == "v1.1.0"
    assert {ask("/whoami").json()["slot"] for _ in range(4)} == {"green"}

    # The inventory still says v1.0.0, as it did then.
    again = play("slipway.stack.site").stdout
    assert again.count("changed=0") == len({host for name in SPLIT_PORTS for host in group(name)}), again[-3000:]
    assert ask("/health").json()["version"] == "v1.1.0"
