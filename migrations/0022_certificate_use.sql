-- Which certificates of others were seen, and which were proven to be those of the tenant that pinned them.
-- The rules in the head of 0001 hold.
-- oldest program: 20

-- Of imported certificates: sessions that began with it, and when the last one did. Own ones have first_used_at.
alter table gateway_certificate
    add column sessions int8 not null default 0,
    add column last_used_at timestamptz;
grant update (sessions, last_used_at) on gateway_certificate to emt_ingest;
create index gateway_certificate_import on gateway_certificate (tenant_id, import_id) where import_id is not null;

-- A pinned certificate: when its key's holder signed that it is this tenant's; NULL: nobody did.
alter table imported_certificate
    add column proven_at timestamptz,
    add check (proven_at is null or pinned);

-- Takes a certificate from a tenant that pinned it without proof, for the tenant of this transaction, which has shown that it holds the
-- key. Whether it was somebody's who let it go or had to.
create function pin_take(fp bytea) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    mine constant int4 := nullif(current_setting('app.tenant', true), '')::int4;
    f record;
begin
    select d.tenant_id, c.gateway_id, i.import_id, i.name into f from directory d
    join gateway_certificate c on c.tenant_id = d.tenant_id and c.fingerprint = d.key
    join imported_certificate i on i.tenant_id = c.tenant_id and i.import_id = c.import_id
    where d.kind = 1 and d.key = fp and d.tenant_id <> mine and i.pinned and i.proven_at is null
    for update of i;
    if not found then
        return false;
    end if;
    delete from directory d where d.kind = 1 and d.key = fp and d.tenant_id = f.tenant_id;
    update gateway_certificate c set revoked_at = now(), revoke_reason = 'proven by another tenant'
        where c.tenant_id = f.tenant_id and c.fingerprint = fp and c.revoked_at is null;
    -- Its session delivers nothing more: the cursor fences it, the gateway dials again and is the other tenant's.
    update gateway_session s set epoch = epoch + 1, state = 1, ended_at = now(), reason = 'revoked'
        where s.tenant_id = f.tenant_id and s.gateway_id = f.gateway_id and s.fingerprint = fp and s.state = 0;
    update gateway_cursor k set epoch = s.epoch from gateway_session s
        where s.tenant_id = f.tenant_id and s.gateway_id = f.gateway_id and s.fingerprint = fp
          and k.tenant_id = s.tenant_id and k.gateway_id = s.gateway_id;
    delete from imported_certificate i where i.tenant_id = f.tenant_id and i.import_id = f.import_id;
    insert into event (tenant_id, gateway_id, at, severity, kind, detail)
        values (f.tenant_id, f.gateway_id, now(), 2, 'certificate-taken',
                'pinned certificate ' || f.name || ': another tenant has shown that it holds the key');
    return true;
end
$$;
revoke all on function pin_take(bytea) from public;
grant execute on function pin_take(bytea) to emt_app, emt_admin;
