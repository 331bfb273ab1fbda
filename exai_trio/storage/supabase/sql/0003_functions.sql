-- What the daemon asks of the database: each count, claim and append is one function call. Times are unix seconds of the daemon's
-- clock; `ahead` is by how much it is ahead of the database's, whose time counts.

create function public.exai_time(body jsonb, name text) returns timestamptz
language sql stable set search_path = '' as $$
    select to_timestamp((body->>name)::double precision - coalesce((body->>'ahead')::double precision, 0))
$$;

create function public.exai_append(body jsonb) returns integer
language plpgsql set search_path = '' as $$
declare
    conversation text := body->>'conversation';
    numbered integer;
    one jsonb;
begin
    if jsonb_array_length(body->'messages') > 0 and not exists (
        select from jsonb_array_elements(body->'messages') as given
        where given->>'key' is null or not exists (
            select from public.messages where idempotency_key = given->>'key')
    ) then
        return coalesce((select max(number) from public.messages where conversation_id = conversation), 0);
    end if;
    perform public.exai_prolong(body);
    select coalesce(max(number), 0) into numbered from public.messages where conversation_id = conversation;
    for one in select value from jsonb_array_elements(body->'messages') loop
        insert into public.messages (conversation_id, number, role, content, metadata, idempotency_key, created_at)
        values (conversation, numbered + 1, one->>'role', one->>'content', one->'metadata', one->>'key',
                public.exai_time(one || jsonb_build_object('ahead', body->'ahead'), 'at'))
        on conflict (idempotency_key) do nothing;
        if found then
            numbered := numbered + 1;
        end if;
    end loop;
    return numbered;
end $$;

-- The row of the conversation is there, locked, and ends no earlier than the body says.
create function public.exai_prolong(body jsonb) returns void
language plpgsql set search_path = '' as $$
begin
    insert into public.conversations (id, principal, created_at, expires_at)
    values (body->>'conversation', body->>'principal', public.exai_time(body, 'now'), public.exai_time(body, 'expires_at'))
    on conflict (id) do update
        set expires_at = greatest(public.conversations.expires_at, excluded.expires_at),
            marked_at = null, deleted_at = null
        where public.conversations.principal = excluded.principal;
    if not found then
        raise exception 'the conversation is somebody else''s' using errcode = '23514';
    end if;
end $$;

create function public.exai_add_step(body jsonb) returns integer
language plpgsql set search_path = '' as $$
declare
    conversation text := body->>'conversation';
    numbered integer;
begin
    perform public.exai_prolong(body);
    select coalesce(max(number), 0) into numbered from public.workflow_steps where conversation_id = conversation;
    insert into public.workflow_steps (conversation_id, number, tool, data, idempotency_key, created_at)
    values (conversation, numbered + 1, body->>'tool', body->'data', body->>'key',
            public.exai_time(body, 'at'))
    on conflict (idempotency_key) do nothing;
    return case when found then numbered + 1 else numbered end;
end $$;

create function public.exai_name(body jsonb) returns integer
language plpgsql set search_path = '' as $$
begin
    update public.conversations set name = null
    where principal = body->>'principal' and name = body->>'name' and id <> body->>'conversation'
        and (expires_at <= now() or deleted_at is not null);
    update public.conversations set name = nullif(body->>'name', '')
    where id = body->>'conversation' and principal = body->>'principal';
    return null;
end $$;

create function public.exai_delete(body jsonb) returns integer
language plpgsql set search_path = '' as $$
begin
    update public.conversations set deleted_at = now(), name = null
    where id = body->>'conversation' and principal = body->>'principal' and deleted_at is null;
    return null;
end $$;

-- A row of a table of records, in the place of the one with its id. What the table has no column for is left out.
create function public.exai_keep_row(kind text, body jsonb) returns integer
language plpgsql set search_path = '' as $$
declare
    identity text := case
        when kind = 'message_bus' then 'transaction_id'
        when kind in ('audit_log', 'auditor_observations', 'error_investigations', 'usage_hours') then 'id'
    end;
    names text;
    changes text;
begin
    if identity is null then
        raise exception 'no such kind of entry' using errcode = '22023';
    end if;
    select string_agg(format('%I', attname), ', '), string_agg(format('%1$I = excluded.%1$I', attname), ', ')
    into names, changes
    from pg_attribute
    where attrelid = format('public.%I', kind)::regclass and attnum > 0 and not attisdropped and body ? attname;
    execute format(
        'insert into public.%1$I (%2$s) select %2$s from jsonb_populate_record(null::public.%1$I, $1)'
        ' on conflict (%3$I) do update set %4$s', kind, names, identity, changes) using body;
    return null;
end $$;

-- Entries of an outbox in the given order, each of which may fail alone; what is sent again changes nothing.
create function public.exai_apply(batch jsonb, ahead double precision) returns table (entry text, code text, number integer)
language plpgsql set search_path = '' as $$
declare
    one jsonb;
    body jsonb;
begin
    for one in select value from jsonb_array_elements(batch) loop
        entry := one->>'id';
        code := null;
        number := null;
        body := (one->'body') || jsonb_build_object('ahead', ahead);
        begin
            case one->>'kind'
                when 'messages' then number := public.exai_append(body);
                when 'step' then number := public.exai_add_step(body);
                when 'name' then number := public.exai_name(body);
                when 'delete' then number := public.exai_delete(body);
                else number := public.exai_keep_row(one->>'kind', body);
            end case;
        exception when others then
            if sqlstate not like '22%' and sqlstate not like '23%' then
                raise;
            end if;
            code := sqlstate;
            number := null;
        end;
        return next;
    end loop;
end $$;

-- What a conversation has beyond these numbers, at most so much of each; no row if there is none.
create function public.exai_tail(conversation text, after_message integer, after_step integer, most integer)
returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_build_object(
        'principal', c.principal,
        'name', c.name,
        'created_at', extract(epoch from c.created_at)::double precision,
        'expires_at', extract(epoch from c.expires_at)::double precision,
        'messages', coalesce((
            select jsonb_agg(jsonb_build_array(m.number, m.role, m.content, m.metadata, m.idempotency_key,
                extract(epoch from m.created_at)::double precision) order by m.number)
            from (select * from public.messages where conversation_id = c.id and number > after_message
                  order by number limit most) as m), '[]'),
        'steps', coalesce((
            select jsonb_agg(jsonb_build_array(s.number, s.tool, s.data, s.idempotency_key,
                extract(epoch from s.created_at)::double precision) order by s.number)
            from (select * from public.workflow_steps where conversation_id = c.id and number > after_step
                  order by number limit most) as s), '[]'))
    from public.conversations as c
    where c.id = conversation and c.deleted_at is null
$$;

create function public.exai_named(whose text, wanted text, at double precision) returns text
language sql stable set search_path = '' as $$
    select id from public.conversations
    where principal = whose and name = wanted and deleted_at is null and expires_at > to_timestamp(at)
$$;

create function public.exai_kept_under(whose text, keys jsonb, at double precision) returns text
language sql stable set search_path = '' as $$
    select c.id from public.conversations as c
    where c.principal = whose and c.deleted_at is null and c.expires_at > to_timestamp(at) and c.id in (
        select conversation_id from public.messages
        where idempotency_key in (select jsonb_array_elements_text(keys))
        union all
        select conversation_id from public.workflow_steps
        where idempotency_key in (select jsonb_array_elements_text(keys)))
    limit 1
$$;

create function public.exai_sweep(at double precision, grace double precision) returns integer
language plpgsql set search_path = '' as $$
declare
    gone integer;
begin
    update public.conversations set marked_at = null
    where marked_at > to_timestamp(at) or (marked_at <= to_timestamp(at) and expires_at > to_timestamp(at));
    delete from public.conversations where marked_at <= to_timestamp(at - grace);
    get diagnostics gone = row_count;
    update public.conversations set marked_at = to_timestamp(at)
    where expires_at <= to_timestamp(at) and marked_at is null;
    return gone;
end $$;

-- The database's time, and what it has been migrated to.
create function public.exai_state() returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_build_object(
        'now', extract(epoch from clock_timestamp())::double precision,
        'version', coalesce((select max(version) from public.schema_version), 0))
$$;
