-- The tables that ingest fills: the tenant of a transaction is asked once a statement, not once a row.
-- The rules in the head of 0001 hold.
-- oldest program: 11

-- A bare current_setting() in a policy is evaluated for each row that is written; in a subquery it is evaluated once. Same rule.
do $$
declare
    t text;
    mine constant text := 'tenant_id = (select nullif(current_setting(''app.tenant'', true), '''')::int4)';
begin
    foreach t in array array['reading', 'reading_late', 'reading_text', 'raw_frame', 'telegram'] loop
        execute format('alter policy tenant on %I using (%s) with check (%s)', t, mine, mine);
    end loop;
end
$$;

-- Rows that batches update again and again: room beside them, so that a new version needs no index entry.
alter table gateway_cursor set (fillfactor = 50);
alter table device set (fillfactor = 80);

-- By time within a device: what is written and looked at is the youngest end of it, however long telegrams are remembered. By hash it
-- was a page of its own each time, anywhere among those of six weeks.
alter table telegram drop constraint telegram_pkey;
alter table telegram add primary key (tenant_id, device_id, slot, hash);
