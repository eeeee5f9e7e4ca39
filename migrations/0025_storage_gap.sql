-- Months without a partition: of a database that rested for longer than partitions_ensure() looks ahead, or whose clock went back.
-- The rules in the head of 0001 hold.
-- oldest program: 21

-- As in 0001, but for the whole window that it leaves behind: one with a hole takes values of those months for recent, and then there is
-- no partition for them.
create or replace function partitions_ensure(at timestamptz, hot_days int4) returns void
language plpgsql security definer set search_path = public, pg_temp set timezone = 'UTC' as $$
declare
    first timestamptz := date_trunc('month', at - make_interval(days => hot_days));
    past timestamptz := date_trunc('month', at) + interval '4 months';
    t timestamptz;
    hot_from timestamptz;
    hot_to timestamptz;
begin
    perform pg_advisory_xact_lock(740001);
    select least(first, min(w.hot_from)), greatest(past, max(w.hot_to)) into hot_from, hot_to from storage_window w;
    t := hot_from;
    while t < hot_to loop
        execute format('create table if not exists %I partition of reading for values from (%L) to (%L)'
            ' with (autovacuum_vacuum_insert_scale_factor = 0.05)',
            'reading_' || to_char(t, 'YYYYMM'), t, t + interval '1 month');
        t := t + interval '1 month';
    end loop;
    t := date_trunc('year', first) - interval '10 years';
    while t < past loop
        execute format('create table if not exists %I partition of reading_block for values from (%L) to (%L)',
            'reading_block_' || to_char(t, 'YYYY'), t, t + interval '1 year');
        t := t + interval '1 year';
    end loop;
    t := date_trunc('day', at) - interval '1 day';
    while t < date_trunc('day', at) + interval '8 days' loop
        execute format('create table if not exists %I partition of raw_frame for values from (%L) to (%L)'
            ' with (autovacuum_vacuum_insert_scale_factor = 0.05)',
            'raw_frame_' || to_char(t, 'YYYYMMDD'), t, t + interval '1 day');
        t := t + interval '1 day';
    end loop;
    insert into storage_window (hot_from, hot_to) values (hot_from, hot_to)
        on conflict (one) do update set hot_from = excluded.hot_from, hot_to = excluded.hot_to;
end
$$;
