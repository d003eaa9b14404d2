"""What is in a database: recorded when it is dumped, and compared when the dump is restored."""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import connection, quote_ident

Facts = dict[str, Any]

# As pg_dump reads, so that a value has the same text on both sides.
SETTINGS = """
    SET search_path = ''; SET datestyle = ISO; SET intervalstyle = postgres; SET extra_float_digits = 3;
    SET bytea_output = hex; SET timezone = 'UTC'; SET row_security = off; SET statement_timeout = 0; SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = 0; SET max_parallel_workers_per_gather = 0
"""
OWN = """
    n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'
                    AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
"""
RELATIONS = f"""
    SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = %s AND {OWN} ORDER BY 1, 2
"""
OBJECTS = f"""
    SELECT 'relations of kind ' || c.relkind::text, count(*) FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {OWN} AND c.relkind <> 't' GROUP BY c.relkind
    UNION ALL
    SELECT 'constraints of type ' || o.contype::text, count(*) FROM pg_catalog.pg_constraint o
    JOIN pg_catalog.pg_class c ON c.oid = o.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE {OWN} AND o.contype IN ('p', 'u', 'f', 'c', 'x') GROUP BY o.contype
    UNION ALL
    SELECT 'triggers', count(*) FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {OWN} AND NOT t.tgisinternal
    UNION ALL
    SELECT 'large objects', count(*) FROM pg_catalog.pg_largeobject_metadata
    ORDER BY 1
"""
# Of each row the text, so that neither the order of rows nor where they lie counts.
ROWS = """
    SELECT count(*), coalesce(sum(hashtextextended("the row"::text COLLATE pg_catalog."C", 0)::numeric), 0)::text
    FROM ONLY {} AS "the row"
"""
EXTENSIONS = """
    SELECT extname, nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1
"""
# Beside those that every database has, and no dump creates.
SCHEMAS = """
    SELECT nspname FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') ORDER BY 1
"""
ROLES = """
    SELECT DISTINCT r.rolname FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid
    WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND r.rolname !~ '^pg_'
      AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    UNION SELECT current_user ORDER BY 1
"""
DATABASE = """
    SELECT pg_encoding_to_char(encoding), datcollate, datctype, pg_database_size(oid)
    FROM pg_catalog.pg_database WHERE datname = current_database()
"""


def rows_of(session: connection, query: str, *values: Any) -> list[Any]:
    with session.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall()


def prepare(session: connection) -> None:
    with session.cursor() as cursor:
        cursor.execute(SETTINGS)


def _names(session: connection, kind: str) -> list[str]:
    return [
        f"{quote_ident(schema, session)}.{quote_ident(name, session)}"
        for schema, name in rows_of(session, RELATIONS, kind)
    ]


def sequences(session: connection) -> dict[str, int]:
    """Where each sequence stands. It moves under a snapshot too."""
    return {
        name: rows_of(session, f"SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END FROM {name}")[0][0]
        for name in _names(session, "S")
    }


def shape(session: connection) -> Facts:
    """What is quickly read."""
    encoding, collate, ctype, size = rows_of(session, DATABASE)[0]
    extensions = dict(rows_of(session, EXTENSIONS))
    return {
        "encoding": encoding,
        "collate": collate,
        "ctype": ctype,
        "bytes": size,
        "server": session.info.server_version,
        "extensions": list(extensions),
        "extension_schemas": extensions,
        "roles": [name for (name,) in rows_of(session, ROLES)],
        "objects": {name: count for name, count in rows_of(session, OBJECTS) if count},
    }


def schemas(session: connection) -> list[str]:
    return [name for (name,) in rows_of(session, SCHEMAS)]


def tables(session: connection) -> dict[str, list[Any]]:
    """Rows and checksum of each table."""
    return {name: list(rows_of(session, ROWS.format(name))[0]) for name in _names(session, "r")}


def differences(recorded: Facts, session: connection) -> list[str]:
    """One sentence for each thing that isn't as it was when the dump was made."""
    now = shape(session)
    problems = [f"the extension {name} is missing" for name in recorded["extensions"] if name not in now["extensions"]]
    problems += _uneven("", recorded["objects"], now["objects"])
    found = tables(session)
    problems += _uneven("rows of ", _firsts(recorded["tables"]), _firsts(found))
    problems += [
        f"the content of {name} is another: its checksum differs"
        for name, (count, checksum) in recorded["tables"].items()
        if name in found and found[name][0] == count and found[name][1] != checksum
    ]
    stands = sequences(session)
    for name, bounds in recorded["sequences"].items():
        if name not in stands:
            problems.append(f"the sequence {name} is missing")
        elif not min(bounds) <= stands[name] <= max(bounds):
            problems.append(f"the sequence {name} stands at {stands[name]} instead of {bounds[0]} to {bounds[1]}")
    return problems


def _firsts(values: dict[str, list[Any]]) -> dict[str, Any]:
    return {name: value[0] for name, value in values.items()}


def _uneven(what: str, recorded: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return [
        f"{what}{name}: {found.get(name, 'none')} instead of {recorded.get(name, 'none')}"
        for name in sorted(recorded.keys() | found.keys())
        if recorded.get(name) != found.get(name)
    ]
