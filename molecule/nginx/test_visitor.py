"""What anyone sees of the two sites from outside."""

from __future__ import annotations

import re

import pytest

SHOP = "https://shop.example"
BLOG = "https://blog.example"
EMPTY_REPLY = 52
TLS_FAILURE = 35


def values(answer, header):
    return [value for key, value in answer.raw_headers if key == header]


def test_http_is_redirected_with_path_and_query(curl):
    answer = curl("http://shop.example/a%20b?c=d&e")
    assert (answer.status, answer.headers["location"]) == (301, f"{SHOP}/a%20b?c=d&e")
    assert "strict-transport-security" not in answer.headers


def test_http2_is_spoken_and_http1_too(curl):
    assert curl(f"{SHOP}/").http_version == "2"
    assert curl(f"{SHOP}/", "--http1.1").http_version == "1.1"


def test_a_wildcard_stands_for_more_names(curl):
    assert curl("https://www.shop.example/", at="one").status == 200


def test_tls_is_modern(client):
    report = client.check_output(
        "nmap -n -Pn -p 443 --script ssl-enum-ciphers --script-args tls.servername=shop.example one"
    )
    assert set(re.findall(r"(?:TLSv|SSLv)[0-9.]+", report)) == {"TLSv1.2", "TLSv1.3"}
    assert set(re.findall(r"TLS_\w+", report)) == {
        "TLS_AKE_WITH_AES_128_GCM_SHA256",
        "TLS_AKE_WITH_AES_256_GCM_SHA384",
        "TLS_AKE_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    }
    assert "least strength: A" in report


def test_the_given_certificate_is_served_and_its_key_hidden(host, client):
    shown = client.check_output(
        "echo | openssl s_client -connect one:443 -servername www.shop.example 2>/dev/null"
        " | openssl x509 -noout -subject"
    )
    assert shown.replace(" ", "") == "subject=CN=shop.example"
    pem = host.file("/etc/nginx/slipway/shop.pem")
    assert (pem.mode, pem.user, pem.group) == (0o600, "root", "root")
    assert not host.file("/etc/nginx/slipway/shop-self-signed.pem").exists


@pytest.mark.parametrize("path", ["/", "/internal", "/app/", "/app/assets/app-3f9c1a2b.js", "/nothing", "/metrics"])
def test_security_headers_and_no_version(curl, path):
    headers = curl(SHOP + path).headers
    assert headers["strict-transport-security"] == "max-age=63072000; includeSubDomains; preload"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["server"] == "nginx"


def test_headers_of_the_application_stand_except_hsts(curl):
    answer = curl(f"{SHOP}/own")
    assert values(answer, "x-frame-options") == ["DENY"]
    assert values(answer, "x-request-id") == ["of-the-application"]
    assert values(answer, "strict-transport-security") == ["max-age=63072000; includeSubDomains; preload"]


def test_headers_can_be_set_and_taken_away(curl):
    blog = curl(f"{BLOG}/").headers
    assert blog["content-security-policy"] == "default-src 'self'; report-uri \"/r\""
    assert "x-frame-options" not in blog
    versioned = curl(f"{SHOP}/v12/x").headers
    assert (versioned["x-versioned"], versioned["x-frame-options"]) == ('yes, "indeed"', "SAMEORIGIN")
    assert "x-versioned" not in curl(f"{SHOP}/").headers


@pytest.mark.parametrize(("size", "encoding"), [(499, None), (500, "gzip")])
def test_gzip_begins_at_500_bytes(curl, size, encoding):
    answer = curl(f"{SHOP}/text?size={size}", "--compressed")
    assert answer.headers.get("content-encoding") == encoding
    assert answer.body.strip() == "x" * size


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/x", "//metrics", "/%6detrics", "/a/../metrics", "/api/metrics", "/internal/a"]
)
def test_closed_paths_never_reach_the_application(curl, path):
    answer = curl(SHOP + path, "--path-as-is")
    assert answer.status == 404
    assert "x-slot" not in answer.headers


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["http://evil.example/"], EMPTY_REPLY),
        (["https://evil.example/"], TLS_FAILURE),
        # A name that TLS knows, and another one behind it.
        ([f"{SHOP}/", "-H", "Host: evil.example", "--http1.1"], EMPTY_REPLY),
        (["http://blog.invalid/"], EMPTY_REPLY),
    ],
)
def test_unknown_names_get_no_answer(client, options, code):
    command = "curl -ksS --max-time 10 -o /dev/null --connect-to" + " %s" * (1 + len(options))
    assert client.run(command, "::one:", *options).rc == code


def test_an_address_in_place_of_a_name_gets_no_answer(client, address):
    command = "curl -ksS --max-time 10 -o /dev/null %s"
    assert client.run(command, f"http://{address('one')}/").rc == EMPTY_REPLY
    assert client.run(command, f"https://{address('one')}/").rc == TLS_FAILURE
