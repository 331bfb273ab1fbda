-- Places of an account at a provider, shared by daemons. A share ends with the lease of whoever holds it, by this database's clock.

create table public.lane_shares (
    lane text not null,
    daemon text not null,
    share integer not null,
    wanted integer not null,
    held_until timestamptz not null,
    primary key (lane, daemon)
);

-- `asked` is {lane: {capacity, holds, share, wanted}}. A daemon gets what it asks for as far as it is free, and keeps what it holds.
create function public.exai_share(mine text, asked jsonb, lease_s double precision) returns jsonb
language plpgsql set search_path = '' as $$
declare
    called text;
    ask jsonb;
    free integer;
    given integer;
    lanes jsonb := '{}';
    others jsonb;
begin
    perform pg_advisory_xact_lock(hashtext('exai lanes'));
    delete from public.lane_shares where daemon = mine or held_until < clock_timestamp();
    for called, ask in select key, value from jsonb_each(asked) loop
        select (ask->>'capacity')::integer - coalesce(sum(share), 0), coalesce(jsonb_object_agg(daemon, wanted), '{}') into free, others
        from public.lane_shares where lane = called;
        given := greatest((ask->>'holds')::integer, least((ask->>'share')::integer, free));
        insert into public.lane_shares (lane, daemon, share, wanted, held_until)
        values (called, mine, given, (ask->>'wanted')::integer, clock_timestamp() + lease_s * interval '1 second');
        lanes := lanes || jsonb_build_object(called, jsonb_build_object('share', given, 'others', others));
    end loop;
    return jsonb_build_object('lanes', lanes, 'turn', floor(extract(epoch from clock_timestamp()) / lease_s)::bigint);
end $$;
