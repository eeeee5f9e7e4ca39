-- What DLMS meters need beside their encryption key, and one frame found by its natural key.

-- Wrapped as the key itself; place: device_key, key_id, authentication key. The title is public: it stands in most frames.
alter table device_key
    add column authentication_blob bytea,
    add column system_title bytea check (octet_length(system_title) = 8);

create index raw_frame_place on raw_frame (tenant_id, gateway_id, seq);
