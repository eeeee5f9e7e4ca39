-- Renewal of gateways' certificates: which of them is in use, when the ones before it end, who is warned of an end.

-- When a session began with it for the first time; NULL: never, or before this migration.
alter table gateway_certificate add column first_used_at timestamptz;
-- The least number of days before its end that was told of as an event: 90, 30 or 7; NULL: none.
alter table gateway_certificate add column warned_days int2;
create index gateway_certificate_gateway on gateway_certificate (tenant_id, gateway_id);
grant update (first_used_at) on gateway_certificate to emt_ingest;

-- Certificates that a younger one of the same gateway has taken the place of, and that for longer than `grace`: their time is over.
-- How many. Over all tenants, as every node's revocation is.
create function certificates_retire(grace interval) returns int8
language sql security definer set search_path = public, pg_temp as $$
    with gone as (
        update gateway_certificate old set revoked_at = now(), revoke_reason = 'replaced'
        where old.revoked_at is null and old.not_after > now() and exists (
            select from gateway_certificate young
            where young.tenant_id = old.tenant_id and young.gateway_id = old.gateway_id and young.issued_at > old.issued_at
              and young.revoked_at is null and young.first_used_at <= now() - grace)
        returning 1)
    select count(*) from gone
$$;

-- Writes an event for each gateway whose youngest certificate ends within 90, 30 or 7 days, once for each of the three; a step that is
-- more than a quarter of the certificate's life is left out, because renewal is not due by then. How many.
create function certificates_warn() returns int8
language sql security definer set search_path = public, pg_temp as $$
    with youngest as (
        select distinct on (c.tenant_id, c.gateway_id) c.* from gateway_certificate c
        join gateway g on g.tenant_id = c.tenant_id and g.gateway_id = c.gateway_id and g.state = 1
        where c.revoked_at is null
        order by c.tenant_id, c.gateway_id, c.not_after desc
    ), due as (
        select y.tenant_id, y.gateway_id, y.fingerprint, y.not_after, y.serial, min(d.days) as days
        from youngest y join (values (90), (30), (7)) d (days)
          on y.not_after - now() <= make_interval(days => d.days)
         and make_interval(days => d.days * 4) <= y.not_after - y.not_before
        where y.not_after > now() - interval '1 day'
        group by 1, 2, 3, 4, 5
    ), told as (
        update gateway_certificate c set warned_days = due.days from due
        where c.tenant_id = due.tenant_id and c.fingerprint = due.fingerprint
          and (c.warned_days is null or c.warned_days > due.days)
        returning c.tenant_id, c.gateway_id, c.serial, c.not_after, due.days
    ), written as (
        insert into event (tenant_id, gateway_id, at, severity, kind, detail)
        select tenant_id, gateway_id, now(), case when days > 30 then 1 else 2 end, 'certificate-ends',
            'certificate ' || serial || ' ends ' || to_char(not_after at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            || ', within ' || days || ' days'
        from told returning 1)
    select count(*) from written
$$;
revoke all on function certificates_retire(interval), certificates_warn() from public;
grant execute on function certificates_retire(interval), certificates_warn() to emt_app, emt_admin;
