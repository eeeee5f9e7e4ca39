-- Jobs that are kept with their progress, answers kept for idempotency keys, the chain of the audit, when a device was heard.
-- The rules in the head of 0001 hold.

------------------------------------------------------------------------------------------------------------------------
-- Jobs. state: 0 waiting, 1 running, 2 failed for good, 3 done, 4 cancelled; ended ones are kept 30 days.

alter table job
    add column progress_done int8 not null default 0,
    add column progress_total int8,                 -- NULL: not known
    add column started_at timestamptz,
    add column ended_at timestamptz,
    add column result jsonb,
    add column created_by text not null default '', -- actor; '' is the platform itself
    add column cancel boolean not null default false; -- a running job ends at its next step
-- Jobs that failed before this have been ended for an unknown time: their 30 days begin now.
update job set ended_at = now() where state = 2;
create index job_lease on job (lease_until) where state = 1;
create index job_tenant on job (tenant_id, id);
create index job_ended on job (ended_at) where state >= 2;

-- A job that begins again after a crash writes no receiver's file twice.
alter table export_file add column job_id int8;
create unique index export_file_job on export_file (tenant_id, job_id, receiver) where job_id is not null;

------------------------------------------------------------------------------------------------------------------------
-- Answers to requests with an Idempotency-Key, for a day. tenant_id 0: the platform.

create table idempotency (
    tenant_id int4 not null,
    principal text not null,
    key text not null,
    request_hash bytea not null,                    -- SHA-256 of method, path and body
    state int2 not null,                            -- 0 begun, 1 answered, 2 answered with a secret, which is not kept
    status int2,
    content_type text,
    location text,
    etag text,
    body bytea,
    created_at timestamptz not null default now(),
    primary key (tenant_id, principal, key)
);
create index idempotency_age on idempotency (created_at);

------------------------------------------------------------------------------------------------------------------------
-- Audit: the end of each chain. Who links takes the row's lock, so that one node does it at a time.

create table audit_head (
    tenant_id int4 primary key,
    chain_no int8 not null,
    chain_hash bytea not null
);
create unique index audit_chain on audit (tenant_id, chain_no) where chain_no is not null;

------------------------------------------------------------------------------------------------------------------------
-- Devices and frames

-- Last reception as of the daily maintenance; readers look at the frames of the last days besides.
alter table device add column seen_at timestamptz;
update device set seen_at = counter_at where counter_at is not null;
-- Lists of frames, newest first, and counts of a day.
create index raw_frame_stored on raw_frame (tenant_id, stored_at);

------------------------------------------------------------------------------------------------------------------------
-- Row level security and rights

do $$
declare
    t text;
    mine constant text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::int4';
begin
    foreach t in array array['idempotency', 'audit_head'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy owner on %I to emt_owner using (true) with check (true)', t);
        execute format('create policy admin on %I to emt_admin using (true) with check (true)', t);
        execute format('create policy tenant on %I to emt_app, emt_ingest, emt_report using (%s) with check (%s)', t, mine, mine);
    end loop;
end
$$;
grant select, insert, update, delete on idempotency to emt_app, emt_admin;
grant select on audit_head to emt_app;
grant select, insert, update on audit_head to emt_admin;

-- Nobody but the chainer numbers entries, and the chainer changes nothing else; the time is the database's.
revoke insert on audit from emt_app, emt_ingest, emt_admin;
grant insert (tenant_id, actor, action, object, detail, peer) on audit to emt_app, emt_ingest, emt_admin;
grant update (chain_no, chain_hash) on audit to emt_admin;
revoke update, delete on audit_anchor from emt_admin;
