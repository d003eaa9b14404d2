"""The role with its defaults, and the certificate that it makes itself."""

from __future__ import annotations

SELF_SIGNED = "/etc/nginx/slipway/default-self-signed.pem"


def test_https_is_served_to_any_name(curl):
    answer = curl("https://anything.example/", at="alone")
    assert (answer.status, answer.http_version, answer.headers["server"]) == (404, "2", "nginx")
    assert curl("http://anything.example/x?y=1", at="alone").headers["location"] == "https://anything.example/x?y=1"


def test_no_other_port_is_open(open_ports):
    assert open_ports("alone") - {22} == {80, 443}


def test_the_certificate_is_good_for_its_names_and_marked(machine, client, address):
    pem = machine("alone").file(SELF_SIGNED)
    assert (pem.mode, pem.user) == (0o600, "root")
    shown = machine("alone").check_output(f"openssl x509 -noout -subject -ext subjectAltName -in {SELF_SIGNED}")
    assert "self-signed by slipway.stack" in shown
    assert "DNS:alone" in shown
    assert f"IP Address:{address('alone')}" in shown
    certificate, _, _key = pem.content_string.partition("-----BEGIN PRIVATE")
    client.check_output("printf %%s %s > /tmp/authority.pem", certificate)
    assert client.run("curl -sS --cacert /tmp/authority.pem -o /dev/null https://alone/").rc == 0
    assert client.run("curl -sS -o /dev/null https://alone/").rc != 0


def test_a_certificate_near_its_end_is_renewed_and_served(host, play, client):
    pem = "/etc/nginx/slipway/blog-self-signed.pem"
    host.check_output(
        "cd /tmp && openssl req -x509 -noenc -newkey rsa:2048 -days 20 -subj /CN=blog.example"
        " -addext subjectAltName=DNS:blog.example -keyout key -out certificate && cat certificate key > %s",
        pem,
    )
    play("blog.yml")
    assert host.run("openssl x509 -noout -checkend 25920000 -in %s", pem).rc == 0
    served = client.check_output(
        "echo | openssl s_client -connect one:443 -servername blog.example 2>/dev/null"
        " | openssl x509 -noout -fingerprint"
    )
    assert served == host.check_output("openssl x509 -noout -fingerprint -in %s", pem)
