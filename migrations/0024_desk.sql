-- Whose files a target takes; who made a key; lists of files by what became of them.
-- The rules in the head of 0001 hold.
-- oldest program: 21

alter table delivery_target
    -- MP-ID, or the name of a recipient of reports: only files for this party go here. '': files of every party.
    add column partner text not null default '' check (length(partner) <= 100);

alter table api_key
    -- platform_user.id of who made it, also by way of another key; NULL: nobody's in the tenant, as those that operators make. The key ends with this user's membership.
    add column user_id int8;
update api_key k set user_id = m.user_id from membership m join platform_user u on u.id = m.user_id
    where m.tenant_id = k.tenant_id and k.created_by = 'user:' || u.name;
-- Made by a key of theirs.
do $$
begin
    loop
        update api_key k set user_id = m.user_id from api_key m
        where k.user_id is null and m.user_id is not null and m.tenant_id = k.tenant_id
          and k.created_by = 'key:' || m.key_id || ' ' || m.name;
        exit when not found;
    end loop;
end
$$;

create index export_file_receiver on export_file (tenant_id, receiver, file_id);
create index export_file_period on export_file (tenant_id, period_to, file_id);
create index export_file_state on export_file (tenant_id, state, file_id) where state not in (0, 1, 2);
