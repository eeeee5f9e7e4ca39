-- A key ends with its maker's administration of the tenant.
-- The rules in the head of 0001 hold.
-- oldest program: 21

-- As in 0013; besides, the maker (api_key.user_id) still administers the tenant. Revoking says the same, but a key that is made while
-- its maker is removed would miss it.
create or replace function api_key_asker(secret bytea, at timestamptz, out tenant_id int4, out key_id int8, out role int2, out scopes int4,
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
          and (k.expires_at is null or k.expires_at > at) and t.state = 0
          and (k.user_id is null or exists (
              select from membership m join platform_user u on u.id = m.user_id
              where m.tenant_id = k.tenant_id and m.user_id = k.user_id and m.role = 4 and u.disabled_at is null));
end
$$;
