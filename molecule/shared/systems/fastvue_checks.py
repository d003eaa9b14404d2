"""FastVue: two instances, a health that says which release and environment, and a login that is limited."""

from __future__ import annotations

NAME = "fastvue"


def test_its_health_says_release_and_environment(ask):
    health = ask(NAME, "/health").json()
    assert (health["status"], health["version"], health["environment"]) == ("healthy", "v1.0.0", "production")


def test_it_has_two_instances(ask):
    assert len({ask(NAME, "/whoami").json()["pid"] for _ in range(20)}) == 2


def test_its_login_is_limited(statuses):
    # Five a minute and five at once, so six get through however slow this machine is, unless it takes twelve seconds.
    came = statuses(NAME, "/api/v1/auth/login", 30)
    assert set(came) == {200, 429}
    assert 6 <= came[200] < 30


def test_it_answers_to_its_own_name_over_https_alone(curl, system):
    moved = curl(f"http://{system(NAME).domain}/whoami", at=system(NAME).host("nginx"))
    assert (moved.status, moved.headers["location"]) == (301, f"https://{system(NAME).domain}/whoami")
