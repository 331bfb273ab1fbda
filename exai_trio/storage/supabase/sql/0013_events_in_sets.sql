-- What daemons write most is written in sets: new calls of sessions that they have, and outcomes of calls that they run. One by one each
-- cost twice as much. Everything else is done one by one, as before.

alter table public.journal_calls add constraint journal_calls_by_name unique (session, request, executor);
alter table public.journal_calls drop constraint journal_calls_executor_session_request_key;
drop index public.journal_calls_by_session;
drop index public.journal_calls_by_principal;
create index journal_calls_by_principal on public.journal_calls (principal);

-- Under which epoch this daemon has the session now, as exai_take; null if its client, which comes for the `came`th time (0: it does not count), has come
-- to another one since.
alter table public.sessions add column visit bigint not null default 0;

create function public.exai_take_for(mine text, whose text[], wanted text, held bigint, came bigint) returns bigint
language plpgsql set search_path = '' as $$
declare
    epoch_now bigint;
begin
    perform from public.sessions where id = wanted for update;
    if came > 0 and exists (select from public.sessions where id = wanted and principal = any(whose) and visit > came) then
        return null;
    end if;
    epoch_now := public.exai_take(mine, whose, wanted, held);
    if epoch_now > 0 then
        update public.sessions set visit = came where id = wanted and visit < came;
    end if;
    return epoch_now;
end $$;

alter function public.exai_note_under(text, text, jsonb) rename to exai_note_singly;

-- As exai_note_singly, which is left what is named twice in these entries, and what is otherwise than it nearly always is. Rows are reached by
-- their indexes: the table is all but empty at one moment, and has thousands at the next, and a plan outlives both.
create function public.exai_note_under(mine text, boot text, entries jsonb) returns text[]
language plpgsql set search_path = '' set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
    written bigint[];
    others bigint[];
    rest jsonb;
    told text[];
    results text[];
begin
    perform from public.sessions as s
    where s.id in (select coalesce(value->'event'->1->>'session', value->'event'->>1) from jsonb_array_elements(entries))
    order by s.id for update;
    with said as (
        select e.place, e.epoch, e.attempt, e.event->>0 as kind, e.event->1 as call, e.event->3 as outcome,
            coalesce(e.event->1->>'session', e.event->>1) as whose, coalesce(e.event->1->>'request', e.event->>2) as called
        from rows from (jsonb_to_recordset(entries) as (event jsonb, epoch bigint, attempt integer))
            with ordinality as e(event, epoch, attempt, place)
    ), named as (
        select *, count(*) over (partition by whose, called) as times from said
    ), usual as materialized (
        select *, (select c.ctid from public.journal_calls as c where c.session = whose and c.request = called
            order by c.executor = mine desc limit 1) as spot
        from named where times = 1 and kind in ('accepted', 'finished')
            and (epoch = 0 or (select s.owner = mine and s.epoch = named.epoch from public.sessions as s where s.id = whose))
    ), accepted as (
        insert into public.journal_calls
            (executor, boot_id, session, request, principal, resumable, seq, roots, timeout, at, attempts, lasting, frame)
        select mine, boot, whose, called, call->>'principal', (call->>'resumable')::boolean, (call->>'seq')::bigint, call->'roots',
            (call->>'timeout')::double precision, (call->>'at')::double precision, (call->>'attempts')::integer,
            (call->>'lasting')::boolean, call->>'frame'
        from usual where kind = 'accepted' and spot is null order by place
    ), ended as ( -- the fence: if it is moved meanwhile, it is not there
        update public.journal_calls as c
        set outcome_seq = (u.outcome->>'seq')::bigint, outcome_at = (u.outcome->>'at')::double precision, outcome_frame = u.outcome->>'frame'
        from usual as u
        where u.kind = 'finished' and (u.outcome->>'seq')::bigint >= 0
            and c.ctid = u.spot and c.executor = mine and c.outcome_frame is null and u.attempt in (-1, c.attempts)
        returning u.place
    )
    select array(select place from usual where kind = 'accepted' and spot is null union all select place from ended) into written;
    select array_agg(place order by place), jsonb_agg(value order by place) into others, rest
    from jsonb_array_elements(entries) with ordinality as e(value, place) where place <> all(written);
    results := array_fill('kept'::text, array[jsonb_array_length(entries)]);
    if rest is not null then
        told := public.exai_note_singly(mine, boot, rest);
        for number in 1..cardinality(others) loop
            results[others[number]] := told[number];
        end loop;
    end if;
    return results;
end $$;
