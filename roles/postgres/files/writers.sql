SELECT NOT EXISTS (
        SELECT FROM pg_default_acl, aclexplode(defaclacl) AS granted
        WHERE defaclrole = %(owner)s::regrole AND grantee = %(writer)s::regrole AND privilege_type = 'DELETE'
    )
    OR EXISTS (SELECT FROM pg_class WHERE relowner = %(writer)s::regrole AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f'))
    OR EXISTS (
        SELECT FROM pg_class
        WHERE relowner = %(owner)s::regrole AND relkind IN ('r', 'p') AND NOT has_table_privilege(%(writer)s, oid, 'DELETE')
    )
    OR has_schema_privilege(%(writer)s, 'public', 'CREATE') AS lack
