-- The last step after the migrations, every time: spreads the tables over the machines of a Citus cluster. Where the extension is not
-- there, nothing happens. Repeatable. docs/generic-schema.md, "More than one machine".
do $$
declare
    -- The one list: catalogues are copied to every machine; these tables with a tenant stay on the coordinator, because they are looked
    -- for over all tenants (queue, global identities, polled counters); every other table with tenant_id is spread by it.
    everywhere constant text[] := array['tenant', 'quantity', 'unit'];
    coordinator constant text[] := array['directory', 'job', 'membership', 'registry_version', 'user_session', 'login_throttle'];
    t regclass;
    first regclass;
begin
    if not exists (select from pg_extension where extname = 'citus') then
        return;
    end if;
    -- Without it the machines would not see the tenant of a transaction, and show nothing.
    execute format('alter database %I set citus.propagate_set_commands = ''local''', current_database());
    for t in execute 'select c.oid::regclass from pg_class c where c.relname = any($1) and c.relnamespace = ''public''::regnamespace'
        ' and not exists (select from pg_dist_partition d where d.logicalrelid = c.oid)' using everywhere loop
        execute 'select create_reference_table($1)' using t;
    end loop;
    loop
        -- Whatever it refers to is spread already: what is referred to comes first.
        execute 'select c.oid::regclass from pg_class c'
            ' join pg_attribute a on a.attrelid = c.oid and a.attname = ''tenant_id'' and not a.attisdropped'
            ' where c.relnamespace = ''public''::regnamespace and c.relkind in (''r'', ''p'') and not c.relispartition'
            ' and c.relname <> all ($1) and not exists (select from pg_dist_partition d where d.logicalrelid = c.oid)'
            ' and not exists (select from pg_constraint k where k.contype = ''f'' and k.conrelid = c.oid and k.confrelid <> c.oid'
            '  and not exists (select from pg_dist_partition d where d.logicalrelid = k.confrelid))'
            ' order by c.relname limit 1' into t using coordinator;
        exit when t is null;
        if first is null then
            execute 'select min(logicalrelid::text)::regclass from pg_dist_partition where partmethod = ''h''' into first;
        end if;
        execute 'select create_distributed_table($1, ''tenant_id'', colocate_with => $2)' using t, coalesce(first::text, 'default');
        first := coalesce(first, t);
    end loop;
end
$$;
