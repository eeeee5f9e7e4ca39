-- Whoever stands outside of a tenant gets values by a mandate only: keys of such parties.
-- The rules in the head of 0001 hold.
-- oldest program: 11

-- A key that the tenant gives to somebody else: it reads by mandates of this recipient for this purpose, and nothing more.
alter table api_key
    add column recipient text,
    add column purpose text not null default '',
    add check (recipient is null or (length(recipient) between 1 and 100 and length(purpose) between 1 and 200 and role = 0));

-- Programs from before this version know of no recipients: for them such keys do not exist.
create or replace function api_key_principal(secret bytea, at timestamptz, out tenant_id int4, out key_id int8, out role int2,
                                  out scopes int4, out name text, out tenant_key text, out unnoted boolean)
returns setof record language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
    d record;
begin
    select i.tenant_id as tenant, i.row_id as id into d from directory i where i.kind = 2 and i.key = secret;
    if not found then
        return;
    end if;
    return query
        select k.tenant_id, k.key_id, k.role, k.scopes, k.name, t.key,
               k.last_used_at is null or k.last_used_at < at - interval '1 minute'
        from api_key k join tenant t on t.id = k.tenant_id
        where k.tenant_id = d.tenant and k.key_id = d.id and k.hash = secret and k.revoked_at is null and k.recipient is null
          and (k.expires_at is null or k.expires_at > at) and t.state = 0;
end
$$;
-- The same with the party behind the key; NULL: the tenant itself.
create function api_key_asker(secret bytea, at timestamptz, out tenant_id int4, out key_id int8, out role int2, out scopes int4,
                              out name text, out tenant_key text, out unnoted boolean, out recipient text, out purpose text)
returns setof record language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
    d record;
begin
    select i.tenant_id as tenant, i.row_id as id into d from directory i where i.kind = 2 and i.key = secret;
    if not found then
        return;
    end if;
    return query
        select k.tenant_id, k.key_id, k.role, k.scopes, k.name, t.key,
               k.last_used_at is null or k.last_used_at < at - interval '1 minute', k.recipient, k.purpose
        from api_key k join tenant t on t.id = k.tenant_id
        where k.tenant_id = d.tenant and k.key_id = d.id and k.hash = secret and k.revoked_at is null
          and (k.expires_at is null or k.expires_at > at) and t.state = 0;
end
$$;

create index mandate_recipient on mandate (tenant_id, recipient);
create index location_channel_channel on location_channel (tenant_id, channel_id);

revoke all on function api_key_asker(bytea, timestamptz) from public;
grant execute on function api_key_asker(bytea, timestamptz) to emt_app, emt_admin;
