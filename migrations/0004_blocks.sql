-- Closed spans as blocks (docs/generic-schema.md): what the block says itself is no column, and a tenant says when a span is closed.
-- The rules in the head of 0001 hold.

-- Nothing has written blocks before this version. A dropped column would cost each row a null bitmap, so the table is made again.
do $$
declare
    p name;
    old name[];
begin
    if exists (select from reading_block) then
        raise exception 'reading_block is not empty: blocks of an unknown encoding';
    end if;
    select array_agg(c.relname) into old from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'reading_block'::regclass;
    drop table reading_block;
    create table reading_block (
        channel_id int8 not null,
        span_start timestamptz not null,
        tenant_id int4 not null,
        n int4 not null,
        span int2 not null,                     -- 0 UTC day, 1 UTC month; the spans of a channel never overlap
        data bytea not null,                    -- model/block.h
        primary key (tenant_id, channel_id, span_start)
    ) partition by range (span_start);
    foreach p in array coalesce(old, '{}') loop
        execute format('create table %I partition of reading_block for values from (%L) to (%L)', p,
            right(p, 4) || '-01-01 00:00:00+00', (right(p, 4)::int4 + 1) || '-01-01 00:00:00+00');
    end loop;
end
$$;
-- Packed bytes do not shrink.
alter table reading_block alter column data set storage external;

do $$
declare
    mine constant text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::int4';
begin
    alter table reading_block enable row level security;
    alter table reading_block force row level security;
    create policy owner on reading_block to emt_owner using (true) with check (true);
    create policy admin on reading_block to emt_admin using (true) with check (true);
    execute format('create policy tenant on reading_block to emt_app, emt_ingest, emt_report using (%s) with check (%s)', mine, mine);
end
$$;
grant select, insert, update, delete on reading_block to emt_app, emt_admin;
-- A device that delivers whole days writes their blocks.
grant select, insert, update on reading_block to emt_ingest;
grant insert on reading_history to emt_ingest;
grant select on reading_block to emt_report;

-- A span is closed when it ended so many days ago: then its rows become a block.
alter table tenant add column compact_after_days int4 not null default 14 check (compact_after_days between 1 and 3650);
grant update (compact_after_days) on tenant to emt_app;

-- Since when values before hot_from go to reading_late: no ingest writes to an older partition any more.
alter table storage_window add column raised_at timestamptz;

-- The year partition of reading_block around a time, for values older than partitions_ensure() foresees.
create function block_partition_ensure(at timestamptz) returns void
language plpgsql security definer set search_path = public, pg_temp set timezone = 'UTC' as $$
declare
    t timestamptz := date_trunc('year', at);
    p text := 'reading_block_' || to_char(t, 'YYYY');
begin
    if to_regclass(p) is null then
        perform pg_advisory_xact_lock(740001);
        execute format('create table if not exists %I partition of reading_block for values from (%L) to (%L)',
            p, t, t + interval '1 year');
    end if;
end
$$;

-- Month partitions of reading that end before the hot window, have no row and had none to come for ten minutes go. How many. The
-- window follows the time first: ingest asks for it each second. Waits two seconds for its lock and no longer.
create function reading_partitions_drop(at timestamptz, hot_days int4) returns int4
language plpgsql security definer set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '2s' as $$
declare
    first timestamptz := date_trunc('month', at - make_interval(days => hot_days));
    p name;
    any_row boolean;
    n int4 := 0;
begin
    perform pg_advisory_xact_lock(740001);
    update storage_window set hot_from = first, raised_at = at where hot_from < first;
    if not exists (select from storage_window where raised_at <= at - interval '10 minutes') then
        return 0;
    end if;
    for p in select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'reading'::regclass and c.relname ~ '^reading_[0-9]{6}$'
        and to_date(right(c.relname, 6), 'YYYYMM') < first::date loop
        execute format('select exists (select from %I)', p) into any_row;
        continue when any_row;
        lock table only reading in access exclusive mode;
        execute format('lock table %I in access exclusive mode', p);
        execute format('select exists (select from %I)', p) into any_row;
        if not any_row then
            execute format('drop table %I', p);
            n := n + 1;
        end if;
    end loop;
    return n;
end
$$;
revoke all on function block_partition_ensure(timestamptz), reading_partitions_drop(timestamptz, int4) from public;
grant execute on function block_partition_ensure(timestamptz) to emt_app, emt_ingest, emt_admin;
grant execute on function reading_partitions_drop(timestamptz, int4) to emt_admin;
