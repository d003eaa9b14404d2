"""Remember what Python compiled of a zip file, in which each of Ansible's tasks brings its module: 0.2 s of CPU for each.

The hosts of scenarios have it, which meet thousands of tasks on two cores. Those of the demo and the benchmarks don't.
"""

from __future__ import annotations

import _imp
import marshal
import os
import sys
import zipimport

FOLDER = f"/var/cache/compiled-{sys.implementation.cache_tag}"
compile_source = zipimport._compile_source


def remembered(path, source, *more):
    """As zipimport's own, which compiles anew each time."""
    file = f"{FOLDER}/{_imp.source_hash(0, source).hex()}"
    try:
        with open(file, "rb") as stored:
            code = marshal.load(stored)
    except (OSError, EOFError, ValueError):
        code = compile_source(path, source, *more)
        remember(file, code)
    else:
        _imp._fix_co_filename(code, path)
    return code


def remember(file, code):
    """Whoever may not write compiles what root hasn't."""
    new = f"{file}.{os.getpid()}"
    try:
        os.makedirs(FOLDER, exist_ok=True)
        with open(new, "wb") as stored:
            marshal.dump(code, stored)
        os.rename(new, file)
    except OSError:
        return


zipimport._compile_source = remembered
