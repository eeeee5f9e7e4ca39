-- A tenant moves to another installation, ends, or is limited.
-- The rules in the head of 0001 hold.

alter table tenant
    -- Organisation in the certificates of its gateways, where that is not its key: it came from elsewhere under another one.
    add column certificate_name text,
    -- How many meters the operator has agreed with the tenant; further ones begin passive. NULL: any number.
    add column meters_max int4 check (meters_max >= 0);

-- The authority was made under the root of another installation: its certificate is trusted by itself.
alter table tenant_ca add column foreign_root boolean not null default false;

-- Certificates of such authorities; the field channel asks with the revocations.
create function tenant_authorities_foreign() returns setof text
language sql stable security definer set search_path = public, pg_temp as $$
    select a.chain_pem from tenant_ca a join tenant t on t.id = a.tenant_id where a.foreign_root and t.state <> 2
$$;

-- As before, and all certificates of a tenant that is being deleted: its sessions end at once.
create or replace function certificates_revoked() returns setof bytea
language sql stable security definer set search_path = public, pg_temp as $$
    select c.fingerprint from gateway_certificate c where c.revoked_at is not null and c.not_after > now()
    union
    select c.fingerprint from gateway g
    join gateway_certificate c on c.tenant_id = g.tenant_id and c.gateway_id = g.gateway_id
    where g.state = 2 and c.not_after > now()
    union
    select c.fingerprint from tenant t join gateway_certificate c on c.tenant_id = t.id
    where t.state = 2 and c.not_after > now()
$$;

-- The day partition of raw_frame around a time, for frames that come from another installation.
create function raw_partition_ensure(at timestamptz) returns void
language plpgsql security definer set search_path = public, pg_temp set timezone = 'UTC' as $$
declare
    t timestamptz := date_trunc('day', at);
    p text := 'raw_frame_' || to_char(t, 'YYYYMMDD');
begin
    if to_regclass(p) is null then
        perform pg_advisory_xact_lock(740001);
        execute format('create table if not exists %I partition of raw_frame for values from (%L) to (%L)'
            ' with (autovacuum_vacuum_insert_scale_factor = 0.05)', p, t, t + interval '1 day');
    end if;
end
$$;

revoke all on function tenant_authorities_foreign(), raw_partition_ensure(timestamptz) from public;
grant execute on function tenant_authorities_foreign() to emt_ingest, emt_admin;
grant execute on function raw_partition_ensure(timestamptz) to emt_admin;
