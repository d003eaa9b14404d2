"""What the application is told, and what is written down."""

from __future__ import annotations

SHOP = "https://shop.example"
BLOG = "https://blog.example"


def test_a_client_can_not_pose_as_another(curl, client):
    lies = [
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Proto: http",
        "X-Request-ID: made-up",
        "Forwarded: for=1.2.3.4",
    ]
    options = [word for lie in lies for word in ("-H", lie)]
    headers = curl(f"{BLOG}/", *options).json()["headers"]
    assert headers["x-forwarded-for"] == headers["x-real-ip"] == client.check_output("hostname -i").split()[0]
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-request-id"] != "made-up"
    assert headers["host"] == headers["x-forwarded-host"] == "blog.example"
    assert "forwarded" not in headers


def test_a_trusted_proxy_tells_who_asks(curl, access_log):
    told = ["-H", "X-Forwarded-For: 198.51.100.7, 203.0.113.9, 10.1.2.3", "-H", "X-Request-ID: from-the-cdn"]
    answer = curl(f"{SHOP}/from-afar", *told)
    headers = answer.json()["headers"]
    assert headers["x-forwarded-for"] == "203.0.113.9"
    assert headers["x-request-id"] == answer.headers["x-request-id"] == "from-the-cdn"
    line = next(line for line in access_log() if line["request_id"] == "from-the-cdn")
    assert line["remote_addr"] == "203.0.113.9"


def test_a_trusted_proxy_may_end_tls_itself(curl):
    answer = curl("http://shop.example/", "-H", "X-Forwarded-Proto: https")
    assert answer.status == 200
    assert answer.json()["headers"]["x-forwarded-proto"] == "https"
    assert curl("http://blog.example/", "-H", "X-Forwarded-Proto: https").status == 301


def test_the_request_id_is_the_same_everywhere(curl, access_log):
    answer = curl(f"{BLOG}/find-me")
    identity = answer.headers["x-request-id"]
    assert answer.json()["headers"]["x-request-id"] == identity
    assert [line["uri"] for line in access_log("blog") if line["request_id"] == identity] == ["/find-me"]


def test_the_access_log_tells_how_long_the_application_took(curl, access_log):
    curl(f"{SHOP}/timed?q=%22quoted%22", "-A", 'an "agent"')
    line = access_log()[-1]
    assert (line["uri"], line["status"], line["slot"]) == ("/timed?q=%22quoted%22", 200, "blue")
    assert (line["user_agent"], line["upstream_addr"]) == ('an "agent"', "127.0.0.1:8000")
    for key in ("upstream_connect_time", "upstream_header_time", "upstream_response_time", "request_time"):
        assert 0 <= float(line[key]) < 3


def test_health_is_logged_only_when_it_fails(curl, access_log):
    for path in ("/health", "/health?fail", "/healthy"):
        curl(SHOP + path)
    logged = [line["uri"] for line in access_log() if "/health" in line["uri"]]
    assert logged[-2:] == ["/health?fail", "/healthy"]
    assert "/health" not in logged


def test_a_prefix_is_stripped_and_nothing_else(curl):
    def told(path):
        return curl(SHOP + path).json()["target"]

    assert told("/api/items?a=b%20c") == "/items?a=b%20c"
    assert told("/api/") == "/"
    assert told("/apiary") == "/apiary"
    assert told("/items/%C3%A9?x=1") == "/items/%C3%A9?x=1"


def test_bodies_are_limited_for_each_route(client, curl):
    client.check_output("head -c 11000000 /dev/zero > /tmp/eleven")
    assert curl(f"{SHOP}/", "--data-binary", "@/tmp/eleven").status == 413
    assert curl(f"{SHOP}/upload", "--data-binary", "@/tmp/eleven").json()["body_length"] == 11_000_000


def test_connections_to_the_application_are_kept(host, program):
    heard = program("connections.py", f"{SHOP}/")
    workers = len(host.check_output("pgrep -u www-data nginx").split())
    # Each worker has a pool of its own.
    assert len(heard) == 40
    assert len(set(heard)) <= workers


def test_a_server_that_is_away_is_not_noticed(curl):
    assert {curl(f"{SHOP}/pair").status for _ in range(10)} == {200}


def test_an_upstream_without_servers_answers_502_at_once(curl):
    answer = curl(f"{SHOP}/nothing")
    assert answer.status == 502
    assert answer.seconds < 1
