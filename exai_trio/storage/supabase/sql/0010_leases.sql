-- Many daemons on one database: who lives, who runs a call, and who tells its client. Leases are by this database's clock.

create table public.daemons (
    executor text primary key,
    name text not null,
    boot_id text not null,
    address text not null,
    version text not null,
    lease_until timestamptz not null,
    draining boolean not null default false
);

create table public.sessions (
    id text primary key,
    principal text not null,
    owner text not null,
    epoch bigint not null,
    acked bigint not null default 0,
    base bigint not null default 0
);

alter table public.journal_calls add column boot_id text;
create index journal_calls_by_session on public.journal_calls (session, request);

-- 'held'; 'taken' if another living daemon has that name; 'replaced' if another process of this home has come since.
create function public.exai_renew(mine text, boot text, told jsonb, lease_s double precision, is_first boolean) returns text
language plpgsql set search_path = '' as $$
declare
    until timestamptz := clock_timestamp() + lease_s * interval '1 second';
begin
    perform pg_advisory_xact_lock(hashtext('exai daemons'));
    if exists (select from public.daemons where name = told->>'name' and executor <> mine and lease_until > clock_timestamp()) then
        return 'taken';
    end if;
    if not is_first and exists (select from public.daemons where executor = mine and boot_id <> boot) then
        return 'replaced';
    end if;
    insert into public.daemons (executor, name, boot_id, address, version, lease_until, draining)
    values (mine, told->>'name', boot, told->>'address', told->>'version', until, (told->>'draining')::boolean)
    on conflict (executor) do update set name = excluded.name, boot_id = excluded.boot_id, address = excluded.address,
        version = excluded.version, lease_until = excluded.lease_until, draining = excluded.draining;
    return 'held';
end $$;

-- The lease ends now: others may have what is open at once.
create function public.exai_release(mine text, boot text) returns void
language sql set search_path = '' as $$
    update public.daemons set lease_until = clock_timestamp(), draining = true where executor = mine and boot_id = boot;
    select pg_notify('exai', '*');
$$;

-- Calls whose executor's lease has ended, and those that an earlier process of this home has left, are this daemon's from now on; with `anew` also what it has already. A
-- daemon without a lease gets nothing, also where this statement has waited for long.
create function public.exai_claim(mine text, boot text, others boolean, anew boolean, most integer) returns setof public.journal_calls
language sql set search_path = '' as $$
    update public.journal_calls set executor = mine, boot_id = boot
    where number in (
            select c.number from public.journal_calls as c left join public.daemons as d on d.executor = c.executor
            where c.outcome_frame is null and case when c.executor = mine then anew or c.boot_id is distinct from boot
                else others and d.lease_until < clock_timestamp() and not exists (
                    select from public.journal_calls as m
                    where m.executor = mine and m.session = c.session and m.request = c.request) end
            order by c.number limit most for update of c skip locked)
        and exists (select from public.daemons where executor = mine and boot_id = boot and lease_until > clock_timestamp())
    returning *
$$;

-- Under which epoch this daemon has the session now; `held` if that is how it has it already, 0 if this principal has none there.
create function public.exai_take(mine text, whose text[], wanted text, held bigint) returns bigint
language plpgsql set search_path = '' as $$
declare
    known public.sessions;
begin
    insert into public.sessions (id, principal, owner, epoch, acked, base)
    select wanted, c.principal, c.executor, 1,
        coalesce((select max(acked) from public.journal_numbers where session = wanted), 0),
        coalesce((select max(base) from public.journal_numbers where session = wanted), 0)
    from public.journal_calls as c where c.session = wanted and c.principal = any(whose) order by c.number limit 1
    on conflict (id) do nothing;
    select * into known from public.sessions where id = wanted and principal = any(whose) for update;
    if not found then
        return 0;
    end if;
    if known.owner = mine and known.epoch = held then
        return held;
    end if;
    update public.sessions set owner = mine, epoch = known.epoch + 1 where id = wanted;
    if not exists (select from public.journal_calls where session = wanted) then -- its next life counts anew
        update public.sessions set acked = 0, base = 0 where id = wanted;
    end if;
    if known.owner <> mine then
        perform pg_notify('exai', known.owner);
    end if;
    return known.epoch + 1;
end $$;

-- An epoch of 0 is no session's: nobody but the executor tells what is kept so.
create function public.exai_owns(mine text, wanted text, held bigint) returns boolean
language sql stable set search_path = '' as $$
    select held = 0 or exists (select from public.sessions where id = wanted and owner = mine and epoch = held)
$$;

create function public.exai_accept_under(mine text, boot text, held bigint, call jsonb) returns text
language plpgsql set search_path = '' as $$
begin
    if held > 0 then
        insert into public.sessions (id, principal, owner, epoch)
        values (call->>'session', call->>'principal', mine, held) on conflict (id) do nothing;
        if not public.exai_owns(mine, call->>'session', held) then
            return 'superseded';
        end if;
    end if;
    delete from public.journal_calls
    where session = call->>'session' and request = call->>'request' and (held > 0 or executor = mine);
    insert into public.journal_calls
        (executor, boot_id, session, request, principal, resumable, seq, roots, timeout, at, attempts, lasting, frame)
    values (mine, boot, call->>'session', call->>'request', call->>'principal', (call->>'resumable')::boolean,
        (call->>'seq')::bigint, call->'roots', (call->>'timeout')::double precision, (call->>'at')::double precision,
        (call->>'attempts')::integer, (call->>'lasting')::boolean, call->>'frame');
    return 'kept';
end $$;

-- The fence. An outcome counts in the run that it names (-1: any of this daemon's), while this daemon is the executor and there is none;
-- attempt 0 is the owner of the session, who may end a call wherever it runs, and gives a number to an outcome that has none. 'untold': it
-- counts, and another daemon that owns the session tells it.
create function public.exai_finish_under(
    mine text, held bigint, attempt integer, whose text, called text, outcome jsonb
) returns text
language plpgsql set search_path = '' as $$
declare
    call public.journal_calls;
    owns boolean := public.exai_owns(mine, whose, held);
    told bigint := case when owns then (outcome->>'seq')::bigint else -1 end;
    became text := case when owns then 'kept' else 'untold' end;
begin
    select * into call from public.journal_calls where session = whose and request = called
    order by executor = mine desc, number desc limit 1 for update;
    if not found then
        return 'unknown';
    end if;
    if call.outcome_frame is null then
        if not (case when attempt = 0 then owns else call.executor = mine and attempt in (-1, call.attempts) end) then
            return 'stands';
        end if;
        update public.journal_calls set executor = mine, outcome_seq = told, outcome_at = (outcome->>'at')::double precision,
            outcome_frame = outcome->>'frame' where number = call.number;
        if told < 0 then
            perform pg_notify('exai', owner) from public.sessions where id = whose;
        elsif call.executor <> mine then
            perform pg_notify('exai', call.executor);
        end if;
        return became;
    end if;
    if call.outcome_seq = told and call.outcome_frame = outcome->>'frame' then -- it is said a second time
        return became;
    end if;
    if call.outcome_seq < 0 and owns and told >= 0 and call.outcome_frame = outcome->>'frame' then
        update public.journal_calls set outcome_seq = told where number = call.number;
        return 'kept';
    end if;
    return case when call.executor = mine and attempt < 0 then 'kept' else 'stands' end;
end $$;

-- The handle is the outcome, by the owner of the session; the work goes on under it where it runs.
create function public.exai_hand_over_under(
    mine text, held bigint, attempt integer, whose text, called text, outcome jsonb, going_on jsonb
) returns text
language plpgsql set search_path = '' as $$
declare
    call public.journal_calls;
    result text;
begin
    select * into call from public.journal_calls where session = whose and request = called
    order by executor = mine desc, number desc limit 1 for update;
    result := public.exai_finish_under(mine, held, attempt, whose, called, outcome);
    if result in ('kept', 'untold') then
        perform public.exai_accept_under(call.executor, call.boot_id, 0, going_on || jsonb_build_object('attempts',
            case when attempt = 0 then call.attempts else (going_on->>'attempts')::integer end));
    end if;
    return result;
end $$;

create function public.exai_acknowledge_own(mine text, acks jsonb, sure jsonb) returns text
language plpgsql set search_path = '' as $$
begin
    insert into public.sessions (id, principal, owner, epoch, acked)
    select key, c.principal, mine, 0, value::bigint
    from jsonb_each_text(acks) cross join lateral
        (select principal from public.journal_calls where session = key and executor = mine limit 1) as c
    order by key
    on conflict (id) do update set acked = greatest(public.sessions.acked, excluded.acked) where public.sessions.owner = mine;
    update public.sessions as s set acked = greatest(s.acked, told.value::bigint)
    from jsonb_each_text(acks) as told where s.id = told.key and s.owner = mine;
    update public.journal_calls as c set lasting = false
    from jsonb_each(sure) as told join public.sessions as s on s.id = told.key and s.owner = mine
    where c.session = told.key and c.lasting and c.outcome_seq > 0
        and c.outcome_seq <= (acks->>told.key)::bigint and c.outcome_seq > (told.value->>'above')::bigint
        and not (told.value->'but_for') ? c.request;
    return 'kept';
end $$;

-- Entries are {event, epoch, attempt}, in the order in which they happened; for each what became of it: 'kept', 'unknown' (no such call is
-- kept), 'untold' (another daemon tells it), 'stands' (another daemon has the call, or it has an outcome), 'superseded' (another daemon has the session).
create function public.exai_note_under(mine text, boot text, entries jsonb) returns text[]
language plpgsql set search_path = '' as $$
declare
    entry jsonb;
    event jsonb;
    held bigint;
    run integer;
    became text;
    results text[] := '{}';
begin
    perform from public.sessions as s
    where s.id in (select coalesce(value->'event'->1->>'session', value->'event'->>1) from jsonb_array_elements(entries))
    order by s.id for update;
    for entry in select value from jsonb_array_elements(entries) loop
        event := entry->'event';
        held := (entry->>'epoch')::bigint;
        run := (entry->>'attempt')::integer;
        case event->>0
            when 'accepted' then became := public.exai_accept_under(mine, boot, held, event->1);
            when 'run again' then
                update public.journal_calls set attempts = attempts + 1
                where executor = mine and session = event->>1 and request = event->>2 and outcome_frame is null;
                became := case when found then 'kept'
                    when exists (select from public.journal_calls where session = event->>1 and request = event->>2) then 'stands'
                    else 'unknown' end;
            when 'finished' then became := public.exai_finish_under(mine, held, run, event->>1, event->>2, event->3);
            when 'handed over' then
                became := public.exai_hand_over_under(mine, held, run, event->>1, event->>2, event->3, event->4);
            when 'acknowledged' then became := public.exai_acknowledge_own(mine, event->1, event->2);
            when 'numbered from' then
                update public.sessions set base = (event->>2)::bigint where id = event->>1 and owner = mine and held in (0, epoch);
                if not found and held = 0 then
                    insert into public.sessions (id, principal, owner, epoch, base)
                    select c.session, c.principal, mine, 0, (event->>2)::bigint from public.journal_calls as c
                    where c.session = event->>1 limit 1 on conflict (id) do nothing;
                end if;
                became := 'kept';
        end case;
        results := results || became;
    end loop;
    return results;
end $$;

-- What a daemon believes beside what is so. `held`: its sessions and their epochs; `running`: session, request and handle of calls that run
-- there, under the one or the other; `waiting`: session and request of those whose outcome is awaited there. Told: sessions that it has not; calls that it runs no more; outcomes, null where no such
-- call is kept.
create function public.exai_compare(mine text, held jsonb, running jsonb, waiting jsonb) returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_build_object(
        'superseded', coalesce((select jsonb_agg(h.key) from jsonb_each_text(held) as h join public.sessions as s on s.id = h.key
            where s.owner <> mine or s.epoch <> h.value::bigint), '[]'),
        'lost', coalesce((select jsonb_agg(jsonb_build_array(r.value->0, r.value->1)) from jsonb_array_elements(running) as r
            where exists (select from public.journal_calls where session = r.value->>0 and request = r.value->>1)
                and not exists (select from public.journal_calls
                    where session in (r.value->>0, r.value->>2) and request = r.value->>1 and executor = mine
                        and outcome_frame is null)), '[]'),
        'stored', coalesce((select jsonb_agg(w.value || to_jsonb(array[c.outcome_frame]))
            from jsonb_array_elements(waiting) as w left join public.journal_calls as c
                on c.session = w.value->>0 and c.request = w.value->>1
            where c.number is null or c.outcome_frame is not null), '[]'))
$$;

-- As exai_sweep_calls, of the calls of all daemons that have leases; and daemons that are gone for a day and have left nothing.
create function public.exai_sweep_shared(
    mine text, at_time double precision, kept_s double precision, grace_s double precision, unnumbered_s double precision
) returns integer
language plpgsql set search_path = '' as $$
declare
    swept text[] := array_append(array(select executor from public.daemons), mine);
    gone integer;
begin
    update public.journal_calls set marked_at = null
    where executor = any(swept) and marked_at is not null and (marked_at > at_time
        or outcome_at > at_time - case when outcome_seq > 0 then kept_s else unnumbered_s end);
    delete from public.journal_calls as c
    where c.executor = any(swept) and c.outcome_frame is not null and (
        (c.outcome_seq > 0 and not c.lasting
            and c.outcome_seq <= coalesce((select acked from public.sessions where id = c.session), 0))
        or c.marked_at <= at_time - case when c.outcome_seq > 0 then grace_s else unnumbered_s end);
    get diagnostics gone = row_count;
    update public.journal_calls set marked_at = at_time
    where executor = any(swept) and outcome_frame is not null and marked_at is null
        and outcome_at <= at_time - case when outcome_seq > 0 then kept_s else unnumbered_s end;
    delete from public.sessions as s
    where s.owner = any(swept) and not exists (select from public.journal_calls where session = s.id);
    delete from public.daemons as d
    where d.lease_until < clock_timestamp() - interval '1 day' and not exists (select from public.journal_calls where executor = d.executor)
        and not exists (select from public.sessions where owner = d.executor); -- they are swept in its name
    return gone;
end $$;

-- Who lives, for how long yet, and what each runs.
create function public.exai_daemons() returns table (
    name text, executor text, boot_id text, address text, version text, draining boolean, lease_s double precision, running bigint, owned bigint)
language sql stable set search_path = '' as $$
    select d.name, d.executor, d.boot_id, d.address, d.version, d.draining,
        extract(epoch from d.lease_until - clock_timestamp())::double precision,
        (select count(*) from public.journal_calls as c where c.executor = d.executor and c.outcome_frame is null),
        (select count(*) from public.sessions as s where s.owner = d.executor)
    from public.daemons as d order by d.name, d.executor
$$;
