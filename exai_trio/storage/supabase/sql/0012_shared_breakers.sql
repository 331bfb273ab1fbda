-- Providers that a daemon has found failing: all daemons know, and one of them probes. Times are by this database's clock.

create table public.lane_breakers (
    name text primary key,
    open_until timestamptz not null,
    prober text,
    probe_until timestamptz
);

-- `opened` is {name: seconds}, `closed` and `wanted` are names. Told: {name: seconds} of all that are open; 0 to whoever is to probe it.
create function public.exai_breakers(mine text, opened jsonb, closed jsonb, wanted jsonb, lease_s double precision) returns jsonb
language plpgsql set search_path = '' as $$
begin
    delete from public.lane_breakers where closed ? name or open_until < clock_timestamp() - interval '1 hour';
    insert into public.lane_breakers (name, open_until)
    select key, clock_timestamp() + value::double precision * interval '1 second' from jsonb_each_text(opened) order by key
    on conflict (name) do update set open_until = greatest(public.lane_breakers.open_until, excluded.open_until), prober = null, probe_until = null;
    update public.lane_breakers set prober = mine, probe_until = clock_timestamp() + lease_s * interval '1 second'
    where wanted ? name and open_until <= clock_timestamp() and (prober is null or prober = mine or probe_until <= clock_timestamp());
    return (select coalesce(jsonb_object_agg(name, case
        when open_until > clock_timestamp() then extract(epoch from open_until - clock_timestamp())
        when prober = mine and probe_until > clock_timestamp() then 0
        else greatest(0.1, extract(epoch from probe_until - clock_timestamp())) end), '{}') from public.lane_breakers);
end $$;
