-- Large results that every machine of a principal can ask for, and what an outbox may hold besides conversations.

-- What a machine tells of one of its results: its state goes one way, and the bucket is told of apart.
create function public.exai_keep_payload(body jsonb) returns integer
language plpgsql set search_path = '' as $$
begin
    insert into public.message_bus as b (transaction_id, principal, session_id, request_id, status, size_bytes, stored_bytes,
        compression, sha256, pieces, created_at, delivered_at, expires_at, deleted_at)
    values (body->>'transaction_id', body->>'principal', body->>'session_id', body->>'request_id', body->>'status',
        (body->>'size_bytes')::bigint, (body->>'stored_bytes')::bigint, body->>'compression', body->>'sha256',
        body->'pieces', public.exai_time(body, 'created_at'), public.exai_time(body, 'delivered_at'),
        public.exai_time(body, 'expires_at'), case when body->>'status' = 'expired' then public.exai_now() end)
    on conflict (transaction_id) do update
        set status = excluded.status, stored_bytes = excluded.stored_bytes, compression = excluded.compression,
            sha256 = excluded.sha256, pieces = excluded.pieces,
            delivered_at = coalesce(b.delivered_at, excluded.delivered_at), deleted_at = excluded.deleted_at
        where b.principal = excluded.principal
            and array_position(array['pending', 'stored', 'delivered', 'expired'], b.status)
                <= array_position(array['pending', 'stored', 'delivered', 'expired'], excluded.status);
    return null;
end $$;

-- Whether its row is there to be told that the bucket has it.
create function public.exai_payload_stored(body jsonb) returns boolean
language plpgsql set search_path = '' as $$
begin
    update public.message_bus set storage_path = body->>'path' where transaction_id = body->>'id';
    return found;
end $$;

create function public.exai_payload(body jsonb) returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_build_object('transaction_id', transaction_id, 'principal', principal, 'session_id', coalesce(session_id, ''),
        'request_id', coalesce(request_id, ''), 'status', status, 'size_bytes', size_bytes, 'stored_bytes', stored_bytes,
        'compression', compression, 'sha256', coalesce(sha256, ''), 'pieces', pieces,
        'created_at', extract(epoch from created_at), 'expires_at', extract(epoch from expires_at),
        'delivered_at', extract(epoch from delivered_at))
    from public.message_bus
    where transaction_id = body->>'id' and principal = body->>'principal' and status in ('stored', 'delivered')
        and storage_path is not null and expires_at > public.exai_now()
$$;

-- Those whose time is over and that the bucket still has; what has been over for a day, and is nowhere, is forgotten.
create function public.exai_due_payloads(body jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
    due jsonb;
begin
    delete from public.message_bus where status = 'expired' and storage_path is null
        and deleted_at <= public.exai_now() - interval '1 day';
    update public.message_bus set status = 'expired', deleted_at = public.exai_now()
    where expires_at <= public.exai_now() and status <> 'expired';
    select coalesce(jsonb_agg(jsonb_build_array(transaction_id, coalesce(stored_bytes, 0))), '[]') into due from (
        select transaction_id, stored_bytes from public.message_bus
        where status = 'expired' and storage_path is not null
        order by expires_at limit (body->>'most')::integer) as over;
    return due;
end $$;

create function public.exai_payload_gone(body jsonb) returns void
language plpgsql set search_path = '' as $$
begin
    update public.message_bus set storage_path = null where transaction_id = body->>'id' and storage_path is not null;
    if found then
        perform public.exai_note('expire', 'payload:' || (body->>'id'), 'its time is over', (body->>'freed')::bigint);
    end if;
end $$;

create or replace function public.exai_apply(batch jsonb, ahead double precision)
returns table (entry text, code text, number integer)
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
                when 'upload' then number := public.exai_merge_upload(body);
                when 'abandon' then perform public.exai_abandon(body);
                when 'payload' then number := public.exai_keep_payload(body);
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
