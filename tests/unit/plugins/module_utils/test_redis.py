from __future__ import annotations

import socket
import threading

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._redis import (
    Connection,
    NotRedisError,
    Outcome,
    RedisError,
    User,
    apply_settings,
    apply_users,
    configuration_file,
    count_keys,
    log_in,
    parse_configuration,
    same_value,
    split_words,
)

IMMUTABLE = "CONFIG SET failed (possibly related to argument 'cluster-enabled') - can't set immutable config"
WATCHER = User("watcher", "secret", ("~job:*", "+@read"))
HASH = "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"


class FakeServer:
    """A server with settings and users of its own, which remembers what it was told."""

    def __init__(self, settings=None, users=(), password="", refusals=None):
        self.settings = dict(settings or {})
        self.users = list(users)
        self.password = password
        self.refusals = refusals or {}
        self.told = []
        self.compared = []
        self.logged_in = not password

    def command(self, *words):
        match words:
            case ("AUTH", password):
                self.logged_in = self.logged_in or password == self.password
                if password != self.password:
                    raise RedisError("WRONGPASS")
            case _ if not self.logged_in:
                raise RedisError("NOAUTH")
            case ("CONFIG", "GET", name):
                return [name, self.settings[name]] if name in self.settings else []
            case ("CONFIG", "SET", name, value):
                if name in self.refusals:
                    raise RedisError(self.refusals[name])
                self.told.append((name, value))
                self.settings[name] = str(int(value[:-2]) * 2**20) if value.endswith("mb") else value
            case ("ACL", *rest):
                return self.acl(*rest)
        return "OK"

    def acl(self, verb, *rest):
        match (verb, *rest):
            case ("LIST",):
                return [*self.users, *self.compared]
            case ("SETUSER", "slipway-compared", "reset", *rules):
                # Redis puts its own defaults among the rules.
                self.compared = [
                    " ".join(["user slipway-compared", "on sanitize-payload", *rules[1:3], "-@all", *rules[3:]])
                ]
            case ("DELUSER", "slipway-compared"):
                self.compared = []
            case _:
                self.told.append((verb, *rest))
        return "OK"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("maxmemory 256mb", ["maxmemory", "256mb"]),
        ('requirepass "p\'a\\"s\\\\ \\x41"', ["requirepass", "p'a\"s\\ A"]),
        ("requirepass 'it\\'s'", ["requirepass", "it's"]),
        ('save ""', ["save", ""]),
        ("", []),
    ],
)
def test_a_line_is_split_as_redis_does(line, words):
    assert split_words(line) == words


def test_a_configuration_is_read_without_its_comments():
    assert parse_configuration("# port 1\nPORT 6379\n\nbind 127.0.0.1 -::1\n") == {
        "port": "6379",
        "bind": "127.0.0.1 -::1",
    }


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [
        ("256mb", "268435456", True),
        ("256MB", "268435456", True),
        ("1k", "1000", True),
        ("256mb", "268435457", False),
        ("3600 1  300 100", "3600 1 300 100", True),
        ("", "", True),
        ("yes", "no", False),
    ],
)
def test_values_are_compared_by_what_they_mean(wanted, found, same):
    assert same_value(wanted, found) is same


def test_what_differs_is_set_and_nothing_else():
    server = FakeServer({"maxmemory": "1048576", "port": "6379"})
    outcome = apply_settings(server, {"maxmemory": "2mb", "port": "6379"}, check_mode=False)
    assert server.told == [("maxmemory", "2mb")]
    assert (outcome.changed, outcome.pending) == (["maxmemory"], [])
    assert (outcome.before, outcome.after) == ({"maxmemory": "1048576"}, {"maxmemory": "2097152"})


def test_check_mode_sets_nothing():
    server = FakeServer({"maxmemory": "1048576"})
    assert apply_settings(server, {"maxmemory": "2mb"}, check_mode=True).changed == ["maxmemory"]
    assert server.told == []


@pytest.mark.parametrize("check_mode", [True, False])
def test_what_only_a_restart_changes_is_pending(check_mode):
    server = FakeServer({"databases": "16"})
    outcome = apply_settings(server, {"databases": "20"}, check_mode=check_mode)
    assert (outcome.changed, outcome.pending, server.told) == ([], ["databases"], [])


def test_a_setting_that_redis_calls_immutable_is_pending():
    server = FakeServer({"cluster-enabled": "no"}, refusals={"cluster-enabled": IMMUTABLE})
    assert apply_settings(server, {"cluster-enabled": "yes"}, check_mode=False).pending == ["cluster-enabled"]


def test_a_refused_value_is_an_error_that_names_it():
    server = FakeServer({"maxmemory": "0"}, refusals={"maxmemory": "argument must be a memory value"})
    with pytest.raises(StackError, match="refuses 'lots' for the setting maxmemory"):
        apply_settings(server, {"maxmemory": "lots"}, check_mode=False)


def test_a_refused_password_stays_hidden():
    server = FakeServer({"requirepass": "old"}, refusals={"requirepass": "too long"})
    with pytest.raises(StackError) as error:
        apply_settings(server, {"requirepass": "new-secret"}, check_mode=False)
    assert "new-secret" not in str(error.value)


def test_a_changed_password_stays_out_of_the_diff():
    outcome = apply_settings(FakeServer({"requirepass": "old"}), {"requirepass": "new"}, check_mode=False)
    assert outcome.changed == ["requirepass"]
    assert not {"old", "new"} & {*outcome.before.values(), *outcome.after.values()}


def test_an_unknown_setting_is_refused():
    with pytest.raises(StackError, match="doesn't know the setting maxmemori"):
        apply_settings(FakeServer(), {"maxmemori": "1"}, check_mode=False)


def test_what_only_a_file_can_say_is_left_to_it():
    assert apply_settings(FakeServer(), {"loadmodule": "/x.so"}, check_mode=False) == Outcome()


def test_a_value_that_comes_back_in_other_words_is_no_change():
    class Stubborn(FakeServer):
        def command(self, *words):
            return [words[2], "no"]

    assert apply_settings(Stubborn(), {"oom-score-adj": "off"}, check_mode=False).changed == []


def test_a_user_that_is_as_listed_is_left_alone():
    outcome = Outcome()
    server = FakeServer(users=["user default on nopass ~* &* +@all", f"user watcher on {HASH} ~job:* -@all +@read"])
    apply_users(server, [WATCHER], outcome, check_mode=False)
    assert (server.told, outcome.changed) == ([], [])


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_right_that_is_no_longer_listed_is_taken_away(check_mode):
    outcome = Outcome()
    server = FakeServer(users=[f"user watcher on {HASH} ~job:* ~cart:* -@all +@read"])
    apply_users(server, [WATCHER], outcome, check_mode=check_mode)
    assert outcome.changed == ["user watcher"]
    assert server.told == ([] if check_mode else [("SETUSER", "watcher", "reset", "on", HASH, "~job:*", "+@read")])
    assert server.compared == []


def test_users_are_added_changed_and_removed():
    outcome = Outcome()
    server = FakeServer(users=["user default on nopass ~* &* +@all", "user mallory on nopass +@all"])
    apply_users(server, [WATCHER], outcome, check_mode=False)
    assert server.told == [
        ("SETUSER", "watcher", "reset", "on", HASH, "~job:*", "+@read"),
        ("DELUSER", "mallory"),
    ]
    assert outcome.changed == ["user watcher", "user mallory"]


def test_users_are_left_alone_in_check_mode():
    outcome = Outcome()
    server = FakeServer(users=["user mallory on nopass +@all"])
    apply_users(server, [WATCHER], outcome, check_mode=True)
    assert server.told == []
    assert outcome.changed == ["user watcher", "user mallory"]


@pytest.mark.parametrize(
    ("password", "known", "let_in"),
    [("", ["", ""], True), ("new", ["old", "new"], True), ("other", ["old", "new", ""], False)],
)
def test_passwords_are_tried_in_turn(password, known, let_in):
    assert log_in(FakeServer(password=password), known) is let_in


def test_whoever_is_not_redis_is_asked_only_once():
    class Stranger:
        def command(self, *words):
            raise NotRedisError(words[0])

    with pytest.raises(NotRedisError, match="AUTH"):
        log_in(Stranger(), ["secret", ""])


def test_reports_of_a_server_are_read():
    class Talkative:
        def command(self, *words):
            return {
                "keyspace": "# Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\ndb7:keys=4,expires=1,avg_ttl=9\r\n",
                "server": "# Server\r\nconfig_file:/etc/redis/redis.conf\r\n",
            }[words[1]]

    assert count_keys(Talkative()) == 7
    assert configuration_file(Talkative()) == "/etc/redis/redis.conf"


@pytest.fixture
def conversation():
    """conversation(ANSWER): a connection to a server that gives it, and the list of what was sent."""
    closers = []

    def start(answer):
        listener = socket.create_server(("127.0.0.1", 0))
        received = []

        def serve():
            peer, _address = listener.accept()
            with peer:
                received.append(peer.recv(4096))
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        connection = Connection(listener.getsockname())
        closers.extend([connection.close, thread.join, listener.close])
        return connection, received

    yield start
    for close in closers:
        close()


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (b"+OK\r\n", "OK"),
        (b":42\r\n", 42),
        (b"$5\r\na\r\nbc\r\n", "a\r\nbc"),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", ["a", [1]]),
    ],
)
def test_replies_are_understood(conversation, answer, meaning):
    connection, received = conversation(answer)
    assert connection.command("SET", "ä b") == meaning
    assert received == ["*2\r\n$3\r\nSET\r\n$4\r\nä b\r\n".encode()]


@pytest.mark.parametrize(
    ("answer", "message"),
    [(b"-NOAUTH Authentication required.\r\n", "NOAUTH"), (b"HTTP/1.1 400\r\n", "isn't Redis"), (b"", "closed")],
)
def test_whatever_else_comes_is_an_error(conversation, answer, message):
    connection, _received = conversation(answer)
    with pytest.raises(RedisError, match=message):
        connection.command("PING")
