-- The journal of calls: what was accepted, how it ended, and up to which number its client has acknowledged. Times are unix seconds.
-- Each daemon sees its own calls alone: `executor` is the id of its home.

create table public.journal_calls (
    number bigint generated always as identity primary key,
    executor text not null,
    session text not null,
    request text not null,
    principal text not null,
    resumable boolean not null,
    seq bigint not null,
    roots jsonb not null,
    timeout double precision not null,
    at double precision not null,
    attempts integer not null,
    lasting boolean not null,
    frame text not null,
    outcome_seq bigint,
    outcome_at double precision,
    outcome_frame text,
    marked_at double precision,
    unique (executor, session, request)
);

create index journal_calls_open on public.journal_calls (executor, session) where outcome_frame is null;
create index journal_calls_by_principal on public.journal_calls (executor, principal);

create table public.journal_numbers (
    executor text not null,
    session text not null,
    acked bigint not null default 0,
    base bigint not null default 0,
    primary key (executor, session)
);

-- A new call, in the place of an older one of its id.
create function public.exai_accept(mine text, call jsonb) returns boolean
language plpgsql set search_path = '' as $$
begin
    delete from public.journal_calls
    where executor = mine and session = call->>'session' and request = call->>'request';
    insert into public.journal_calls
        (executor, session, request, principal, resumable, seq, roots, timeout, at, attempts, lasting, frame)
    values (mine, call->>'session', call->>'request', call->>'principal', (call->>'resumable')::boolean, (call->>'seq')::bigint,
        call->'roots', (call->>'timeout')::double precision, (call->>'at')::double precision,
        (call->>'attempts')::integer, (call->>'lasting')::boolean, call->>'frame');
    return true;
end $$;

-- The outcome of a call, of which the first counts; false if no such call is kept.
create function public.exai_finish(mine text, whose text, called text, outcome jsonb) returns boolean
language plpgsql set search_path = '' as $$
begin
    update public.journal_calls
    set outcome_seq = (outcome->>'seq')::bigint, outcome_at = (outcome->>'at')::double precision,
        outcome_frame = outcome->>'frame'
    where executor = mine and session = whose and request = called and outcome_frame is null;
    return found or exists (select from public.journal_calls where executor = mine and session = whose and request = called);
end $$;

create function public.exai_acknowledge(mine text, acks jsonb, sure jsonb) returns boolean
language plpgsql set search_path = '' as $$
begin
    insert into public.journal_numbers (executor, session, acked)
    select mine, key, value::bigint from jsonb_each_text(acks)
    where exists (select from public.journal_calls where executor = mine and session = key)
    order by key
    on conflict (executor, session) do update set acked = greatest(public.journal_numbers.acked, excluded.acked);
    update public.journal_calls as c set lasting = false
    from jsonb_each(sure) as told
    where c.executor = mine and c.session = told.key and c.lasting and c.outcome_seq > 0
        and c.outcome_seq <= (acks->>told.key)::bigint and c.outcome_seq > (told.value->>'above')::bigint
        and not (told.value->'but_for') ? c.request;
    return true;
end $$;

-- Events in the order in which they happened, as an array of arrays; for each whether its call is kept.
create function public.exai_note(mine text, events jsonb) returns boolean[]
language plpgsql set search_path = '' as $$
declare
    event jsonb;
    kept boolean;
    known boolean[] := '{}';
begin
    for event in select value from jsonb_array_elements(events) loop
        case event->>0
            when 'accepted' then kept := public.exai_accept(mine, event->1);
            when 'run again' then
                update public.journal_calls set attempts = attempts + 1
                where executor = mine and session = event->>1 and request = event->>2;
                kept := found;
            when 'finished' then
                perform public.exai_finish(mine, event->>1, event->>2, event->3);
                kept := true;
            when 'handed over' then
                kept := public.exai_finish(mine, event->>1, event->>2, event->3);
                if kept then
                    perform public.exai_accept(mine, event->4);
                end if;
            when 'acknowledged' then kept := public.exai_acknowledge(mine, event->1, event->2);
            when 'numbered from' then
                insert into public.journal_numbers (executor, session, base) values (mine, event->>1, (event->>2)::bigint)
                on conflict (executor, session) do update set base = excluded.base;
                kept := true;
        end case;
        known := known || kept;
    end loop;
    return known;
end $$;

-- Calls are forgotten whose outcome is acknowledged, unless a handle may ask for them, or whose mark is a grace old. Without a time
-- that is trusted (null) nothing is old.
create function public.exai_sweep_calls(
    mine text, at_time double precision, kept_s double precision, grace_s double precision, unnumbered_s double precision
) returns integer
language plpgsql set search_path = '' as $$
declare
    gone integer;
begin
    update public.journal_calls set marked_at = null
    where executor = mine and marked_at is not null and (marked_at > at_time
        or outcome_at > at_time - case when outcome_seq > 0 then kept_s else unnumbered_s end);
    delete from public.journal_calls as c
    where c.executor = mine and c.outcome_frame is not null and (
        (c.outcome_seq > 0 and not c.lasting
            and c.outcome_seq <= coalesce((select acked from public.journal_numbers where executor = mine and session = c.session), 0))
        or c.marked_at <= at_time - case when c.outcome_seq > 0 then grace_s else unnumbered_s end);
    get diagnostics gone = row_count;
    update public.journal_calls set marked_at = at_time
    where executor = mine and outcome_frame is not null and marked_at is null
        and outcome_at <= at_time - case when outcome_seq > 0 then kept_s else unnumbered_s end;
    delete from public.journal_numbers as n
    where n.executor = mine
        and not exists (select from public.journal_calls where executor = mine and session = n.session);
    return gone;
end $$;
