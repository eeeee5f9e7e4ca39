-- What the event streams ask for once a second: gateways whose connection changed lately. Frames are found by raw_frame_stored,
-- jobs by job_tenant, events by their key.
-- The rules in the head of 0001 hold.

create index gateway_session_changed on gateway_session (tenant_id, greatest(since, ended_at));
