-- Roles of the platform: run once per cluster by a superuser, before the first migration. emtd --embedded does it by itself.
-- Repeatable. Passwords, certificates or peer mapping are the administrator's choice (docs/operations.md).
do $$
declare
    r text;
begin
    foreach r in array array['emt_owner', 'emt_app', 'emt_ingest', 'emt_report', 'emt_admin', 'emt_backup'] loop
        if not exists (select from pg_roles where rolname = r) then
            execute format('create role %I login nosuperuser nocreatedb nocreaterole nobypassrls', r);
        end if;
    end loop;
end
$$;
-- Dumps only: a forced policy would make a dump fail or, worse, leave rows out.
alter role emt_backup bypassrls;
alter role emt_backup set default_transaction_read_only = on;
grant pg_read_all_data to emt_backup;
-- A statement that hangs must not hold a loop for ever; ingest repeats after a lock time-out.
alter role emt_ingest set lock_timeout = '2s';
-- An acknowledgement stands on the commit: a cluster-wide 'off' would lose acknowledged frames in a crash. 'remote_apply' is as good.
alter role emt_ingest set synchronous_commit = on;
alter role emt_app set lock_timeout = '5s';
alter role emt_app set statement_timeout = '60s';
alter role emt_report set statement_timeout = '10min';
alter role emt_report set default_transaction_read_only = on;
