SELECT
    ARRAY(
        SELECT settings.name || ' (' || current_setting(settings.name) || ' -> ' || coalesce(wanted.setting, 'default') || ')'
        FROM pg_settings AS settings
        LEFT JOIN (
            SELECT DISTINCT ON (name) name, setting, error
            FROM pg_file_settings
            ORDER BY name, seqno DESC
        ) AS wanted ON wanted.name = settings.name
        WHERE settings.pending_restart OR (settings.context = 'postmaster' AND wanted.error IS NOT NULL)
        ORDER BY settings.name
    ) AS pending,
    ARRAY(SELECT datname::text FROM pg_database ORDER BY datname) AS databases,
    ARRAY(SELECT rolname::text FROM pg_roles ORDER BY rolname) AS users
