# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: the routes of an application, with those of its static files."""

from __future__ import annotations

DOCUMENTATION = r"""
name: proxied_routes
short_description: Add the routes of an application's static files to its other routes
version_added: 0.1.0
description:
  - Returns routes in the form that C(nginx_routes) wants. Static files are looked for in the slot of the request.
  - Where there are no other routes, everything else is passed on to the application. Where static files are at C(/), the
    path on which the first routed process tells its health still leads to it.
positional: static, routed, root
options:
  _input:
    description: The routes that the user wrote.
    type: list
    elements: dict
    required: true
  static:
    description: The static files, as in C(app_static).
    type: list
    elements: dict
    required: true
  routed:
    description: The routed processes, as returned by P(slipway.stack.process_plan#filter).
    type: list
    elements: dict
    required: true
  root:
    description: Directory in which each slot has a folder of its own.
    type: str
    required: true
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Show the routes of a front end beside an API
  ansible.builtin.debug:
    msg: "{{ [{'path': '/api/'}] | slipway.stack.proxied_routes(static, [], '/srv/shop/static') }}"
  vars:
    static:
      - {path: /, directory: frontend/dist, spa: true, immutable: ^/assets/}
"""

RETURN = r"""
_value:
  description: The routes.
  type: list
  elements: dict
  sample:
    - {path: /api/}
    - {path: /, kind: static, alias: /srv/shop/static/$slot/frontend/dist/, spa: true, immutable: ^/assets/}
"""

import typing as t

from ansible_collections.slipway.stack.plugins.module_utils._sites import proxied_routes


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"proxied_routes": proxied_routes}
