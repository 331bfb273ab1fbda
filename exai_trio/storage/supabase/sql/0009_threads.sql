-- Conversations as a person looks after them, where they are in this database alone. Times are unix seconds of the database's clock.

create function public.exai_is_there(c public.conversations, whose text, at double precision) returns boolean
language sql stable set search_path = '' as $$
    select c.principal = whose and c.deleted_at is null and c.expires_at > to_timestamp(at)
$$;

create function public.exai_recent(whose text, at double precision, most integer)
returns table (id text, name text, created_at double precision, expires_at double precision, turns bigint, tool text, model text,
    opening text, last_at double precision)
language sql stable set search_path = '' as $$
    select c.id, coalesce(c.name, ''), extract(epoch from c.created_at)::double precision,
        extract(epoch from c.expires_at)::double precision,
        (select count(*) from public.messages as m where m.conversation_id = c.id),
        coalesce(last.metadata->>'tool_name', step.tool, ''),
        coalesce((select m.metadata->>'model_used' from public.messages as m
            where m.conversation_id = c.id and m.metadata ? 'model_used' order by m.number desc limit 1), ''),
        coalesce((select left(m.content, 200) from public.messages as m
            where m.conversation_id = c.id and m.role = 'user' order by m.number limit 1), ''),
        extract(epoch from greatest(c.created_at, last.created_at, step.created_at))::double precision as last_at
    from public.conversations as c
    left join lateral (select m.metadata, m.created_at from public.messages as m
        where m.conversation_id = c.id order by m.number desc limit 1) as last on true
    left join lateral (select s.tool, s.created_at from public.workflow_steps as s
        where s.conversation_id = c.id order by s.number desc limit 1) as step on true
    where public.exai_is_there(c, whose, at)
    order by last_at desc, c.id limit most
$$;

-- The one with that id, else the one of that name, else those whose ids begin so.
create function public.exai_find(whose text, wanted text, at double precision) returns setof text
language plpgsql stable set search_path = '' as $$
begin
    return query select c.id from public.conversations as c where c.id = wanted and public.exai_is_there(c, whose, at);
    if not found then
        return query select c.id from public.conversations as c where c.name = wanted and public.exai_is_there(c, whose, at);
    end if;
    if not found then
        return query select c.id from public.conversations as c
            where starts_with(c.id, wanted) and public.exai_is_there(c, whose, at) order by c.id;
    end if;
end $$;

-- False if there is none with that id, or another one that is there has that name.
create function public.exai_rename(whose text, conversation text, called text, at double precision) returns boolean
language plpgsql set search_path = '' as $$
begin
    update public.conversations as c set name = null
    where c.principal = whose and c.name = called and c.id <> conversation and not public.exai_is_there(c, whose, at);
    update public.conversations as c set name = nullif(called, '')
    where c.id = conversation and public.exai_is_there(c, whose, at);
    return found;
exception when unique_violation then
    return false;
end $$;

-- Without the keys, which name the originals. False if there is none to copy.
create function public.exai_fork(whose text, original text, copy text, at double precision, until double precision) returns boolean
language plpgsql set search_path = '' as $$
begin
    insert into public.conversations (id, principal, created_at, expires_at)
    select copy, c.principal, to_timestamp(at), to_timestamp(until) from public.conversations as c
    where c.id = original and public.exai_is_there(c, whose, at);
    if not found then
        return false;
    end if;
    insert into public.messages (conversation_id, number, role, content, metadata, created_at)
    select copy, m.number, m.role, m.content, m.metadata, m.created_at from public.messages as m where m.conversation_id = original;
    insert into public.workflow_steps (conversation_id, number, tool, data, created_at)
    select copy, s.number, s.tool, s.data, s.created_at from public.workflow_steps as s where s.conversation_id = original;
    return true;
end $$;

-- Whether it was there.
create function public.exai_remove(whose text, conversation text, at double precision) returns boolean
language sql set search_path = '' as $$
    with gone as (
        delete from public.conversations as c where c.id = conversation and c.principal = whose
        returning public.exai_is_there(c, whose, at) as was_there
    )
    select coalesce(bool_or(was_there), false) from gone
$$;
