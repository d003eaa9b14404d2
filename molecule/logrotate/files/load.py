"""Asks the nginx of this host COUNT times, one numbered request after the other, over kept connections."""

from __future__ import annotations

import http.client
import sys
from concurrent.futures import ThreadPoolExecutor

CONNECTIONS = 4


def ask(numbers: range) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    for number in numbers:
        connection.request("GET", f"/?n={number}")
        connection.getresponse().read()


count = int(sys.argv[1])
with ThreadPoolExecutor(CONNECTIONS) as pool:
    list(pool.map(ask, [range(first, count + 1, CONNECTIONS) for first in range(1, CONNECTIONS + 1)]))
