-- Raw frames of closed days become packs (docs/generic-schema.md); retention by class of data; the tables on several machines.
-- The rules in the head of 0001 hold.

-- Nothing has written packs before this version.
do $$
begin
    if exists (select from raw_pack) then
        raise exception 'raw_pack is not empty: packs of an unknown encoding';
    end if;
end
$$;
-- What a reader asks for without unpacking. The encoding's version is in the data itself.
alter table raw_pack
    drop column codec,
    add column first_stored timestamptz not null,
    add column last_stored timestamptz not null,
    add column first_received timestamptz not null,
    add column last_received timestamptz not null,
    add column first_seq int8 not null,
    add column last_seq int8 not null,
    add column states int4 not null,            -- bit per state of model/frame_state.h
    add column devices int8[] not null,         -- ascending; 0: frames whose device is not known
    alter column data set storage external;     -- packed bytes do not shrink
create index raw_pack_stored on raw_pack (tenant_id, last_stored);
create index raw_pack_devices on raw_pack using gin (devices) with (fastupdate = off);

-- A day of frames is closed when it ended so many days ago. Readers of the last days look at the hot rows only: never below four.
alter table tenant add column raw_pack_after_days int4 not null default 7 check (raw_pack_after_days between 4 and 3650);
-- Values of channels with fewer than 48 a day; what has more keeps to reading_retention_days.
alter table tenant add column daily_retention_days int4 not null default 3650 check (daily_retention_days > 0);
update tenant set daily_retention_days = reading_retention_days;
grant update (raw_pack_after_days, daily_retention_days) on tenant to emt_app;

-- Day partitions of raw_frame from before a day that have no row left go. How many. Waits two seconds for its lock and no longer.
create function raw_frames_drop_empty(past timestamptz) returns int4
language plpgsql security definer set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '2s' as $$
declare
    p name;
    any_row boolean;
    n int4 := 0;
begin
    for p in select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'raw_frame'::regclass and c.relname ~ '^raw_frame_[0-9]{8}$'
        and to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= past::date loop
        execute format('select exists (select from %I)', p) into any_row;
        continue when any_row;
        lock table only raw_frame in access exclusive mode;
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
revoke all on function raw_frames_drop_empty(timestamptz) from public;
grant execute on function raw_frames_drop_empty(timestamptz) to emt_admin;
-- Decoding again reads what is packed.
grant select on raw_pack to emt_ingest;
