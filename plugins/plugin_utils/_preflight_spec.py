# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge variables by a role's argument specs, in sentences that name the variable and the mend."""

from __future__ import annotations

import difflib
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

Options = t.Mapping[str, t.Mapping[str, t.Any]]


def spec_problems(options: Options, values: t.Mapping[str, t.Any]) -> list[str]:
    """Return one sentence for each value that its argument spec refuses, and for each that is missing."""
    problems: list[str] = []
    known: dict[str, t.Any] = {}
    for name, option in options.items():
        if name in values:
            unknown = list(_unknown_keys(name, option, values[name]))
            problems += unknown
            if not unknown:
                known[name] = values[name]
        elif option.get("required"):
            problems.append(f"{name} is required but isn't set: {_first(option)} Set it in the inventory.")
    for name, value in known.items():
        # one option at a time, so that a message is about this one and can be kept secret with it
        result = ArgumentSpecValidator({name: dict(options[name])}).validate(
            {name: value}, validate_role_argument_spec=True
        )
        for message in result.error_messages:
            if options[name].get("no_log"):
                problems.append(
                    f"{name} has a value of the wrong kind: it must be a {options[name].get('type', 'str')}."
                )
            else:
                problems.append(_sentence(name, str(message)))
    return problems


def _first(option: t.Mapping[str, t.Any]) -> str:
    """Return the first sentence of an option's description."""
    description = option.get("description", "")
    text = description if isinstance(description, str) else str(description[0])
    return text if text.endswith(".") else f"{text}."


def _sentence(name: str, message: str) -> str:
    """Turn the validator's message into one that begins with the variable."""
    text = message.strip().rstrip(".")
    if not text.startswith(name):
        text = f"{name} is refused: {text}"
    return f"{text}. Mend it in the inventory."


def _items(path: str, option: t.Mapping[str, t.Any], value: t.Any) -> list[tuple[str, t.Any]]:
    """List the mappings that an option's sub-options describe, each with where it stands."""
    if option.get("type") == "list" and isinstance(value, list):
        return [(f"{path}[{_label(index, item)}]", item) for index, item in enumerate(value)]
    return [(path, value)] if isinstance(value, dict) else []


def _unknown_keys(path: str, option: t.Mapping[str, t.Any], value: t.Any) -> t.Iterator[str]:
    """Yield a sentence for each key of a mapping (at any depth) that its spec doesn't know or misses."""
    suboptions: Options | None = option.get("options")
    for where, item in _items(path, option, value) if suboptions else []:
        if isinstance(item, dict):
            yield from _item_problems(where, item, t.cast("Options", suboptions))
        else:
            yield f"{where} must hold keys and values, but is {item!r}: write it as 'name: ...' and so on."


def _item_problems(where: str, item: dict[str, t.Any], suboptions: Options) -> t.Iterator[str]:
    for key in item:
        if key not in suboptions:
            near = difflib.get_close_matches(str(key), suboptions, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"it may hold {', '.join(sorted(suboptions))}."
            yield f"{where} has an unknown key '{key}': {hint}"
    for key, suboption in suboptions.items():
        if key in item:
            yield from _unknown_keys(f"{where}.{key}", suboption, item[key])
        elif suboption.get("required"):
            yield f"{where} lacks '{key}': {_first(suboption)}"


def _label(index: int, item: t.Any) -> str:
    return str(item["name"]) if isinstance(item, dict) and "name" in item else str(index)


def likely_typos(names: t.Iterable[str], known: t.Collection[str], prefixes: t.Collection[str]) -> list[str]:
    """Return a hint for each variable that begins like a role's but is none, and is close to one."""
    hints = []
    for name in sorted(names):
        if name in known or not name.startswith(tuple(f"{prefix}_" for prefix in prefixes)):
            continue
        near = difflib.get_close_matches(name, known, 1, cutoff=0.85)
        if near:
            hints.append(f"{name} is no variable of this collection: did you mean {near[0]}?")
    return hints
