-- Which meters a gateway is told to keep: the others it hears cost neither spool nor channel.
-- The rules in the head of 0001 hold.

create table gateway_allow_list (
    tenant_id int4 not null,
    gateway_id int8 not null,
    mode int2 not null check (mode between 0 and 2),    -- 0 off, 1 those listed, 2 all that were adopted when it was made
    devices text[] not null default '{}',               -- idents, as ordered
    version int8 not null,                              -- rises with every order; the gateway passes older ones over
    command_id int8 not null,                           -- that carries it
    updated_at timestamptz not null,
    updated_by text not null,
    primary key (tenant_id, gateway_id),
    foreign key (tenant_id, gateway_id) references gateway (tenant_id, gateway_id)
);

do $$
declare
    mine constant text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::int4';
begin
    alter table gateway_allow_list enable row level security;
    alter table gateway_allow_list force row level security;
    create policy owner on gateway_allow_list to emt_owner using (true) with check (true);
    create policy admin on gateway_allow_list to emt_admin using (true) with check (true);
    execute format('create policy tenant on gateway_allow_list to emt_app, emt_ingest, emt_report using (%s) with check (%s)', mine, mine);
end
$$;
grant select, insert, update, delete on gateway_allow_list to emt_app, emt_admin;
