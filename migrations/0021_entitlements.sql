-- What the operator has agreed with a tenant; a tenant's end ordered over REST; versions of channels, tenants' own quantities, reads of devices.
-- The rules in the head of 0001 hold.
-- oldest program: 20

alter table tenant
    add column modules text[],                  -- names of model/module.h; NULL: all of them
    add column delete_ordered_by text,          -- with state 2: by whom, outside of emtctl
    add column delete_reason text;

-- A tenant's own quantities, named in versions of channels.
create table tenant_quantity (
    tenant_id int4 not null references tenant (id),
    name text not null check (name ~ '^[a-z][a-z0-9-]{0,39}$'),
    description text not null default '',
    created_at timestamptz not null default now(),
    primary key (tenant_id, name)
);
alter table tenant_unit add column created_at timestamptz not null default now();
alter table tenant_unit add check (factor_mantissa > 0);
alter table tenant_unit add check (factor_exponent between -30 and 30);

-- What a channel means from a time on; values keep the version in force at their time.
alter table channel_version
    add column quantity text,                   -- of the catalogue or the tenant's own; NULL: as the channel says
    add column created_at timestamptz not null default now(),
    add column created_by text not null default '';
create unique index channel_version_from on channel_version (tenant_id, channel_id, valid_from);

-- Who tried to read a device, how, and what became of it.
alter table read_attempt
    add column method text not null default '',
    add column made_by text not null default '',
    add column detail text not null default '';
create index read_attempt_device on read_attempt (tenant_id, device_id, at);

do $$
declare
    t text;
    mine constant text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::int4';
begin
    foreach t in array array['tenant_quantity'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy owner on %I to emt_owner using (true) with check (true)', t);
        execute format('create policy admin on %I to emt_admin using (true) with check (true)', t);
        execute format('create policy tenant on %I to emt_app, emt_ingest, emt_report using (%s) with check (%s)', t, mine, mine);
    end loop;
end
$$;
grant select, insert, update, delete on tenant_quantity to emt_app, emt_admin;
grant select on tenant_quantity, tenant_unit to emt_report;
grant select, insert on read_attempt to emt_ingest;
