-- Schedules that order delivery notes, or what was moved before a supply.
-- The rules in the head of 0001 hold. While nodes of both versions run, an older one that runs such a schedule writes its energies:
-- make the first one when all nodes are new.
-- oldest program: 21

alter table export_schedule
    add column document text check (document ~ '^[A-Z0-9]{1,3}$'); -- DE1001 in the place of the use case's first; NULL: that one
