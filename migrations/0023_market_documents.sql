-- What messages refer to.
-- The rules in the head of 0001 hold.
-- oldest program: 21

alter table location_channel
    -- RFF+Z30: number of the master data message (UTILMD) that announced the exchange of this meter; with readings of gas meters at it.
    add column master_data_number text not null default '' check (length(master_data_number) <= 70);
