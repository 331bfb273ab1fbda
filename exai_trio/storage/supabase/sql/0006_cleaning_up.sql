-- Cleaning up, step by step: what is old is looked for, looked at again under its row's lock, changed, and noted in the audit.

create function public.exai_note(stage_name text, what text, because text, size bigint) returns void
language sql volatile set search_path = '' as $$
    insert into public.audit_log (at, stage, subject, why, bytes)
    values (public.exai_now(), stage_name, what, because, size)
$$;

create function public.exai_note_all(body jsonb) returns void
language sql volatile set search_path = '' as $$
    select public.exai_note(body->>'stage', one->>'subject', one->>'why', (one->>'bytes')::bigint)
    from jsonb_array_elements(body->'changes') as one
$$;

create function public.exai_newest_notes(body jsonb) returns jsonb
language sql stable set search_path = '' as $$
    select coalesce(jsonb_agg(jsonb_build_object('at', extract(epoch from at), 'stage', stage,
        'change', jsonb_build_object('subject', subject, 'why', why, 'bytes', bytes)) order by at desc, id), '[]')
    from (select * from public.audit_log order by at desc, id limit (body->>'most')::integer) as newest
$$;

create function public.exai_is_over(r public.file_references, at timestamptz, grace interval) returns boolean
language sql stable set search_path = '' as $$
    select r.ended_at is null and (
        r.owner like 'call:%' and r.last_used <= at - interval '1 day'
        or r.owner like 'held:%' and r.last_used <= at - interval '30 days'
        or r.owner like 'conversation:%'
            and not exists (select from public.conversations c where c.id = substr(r.owner, 14)
                and c.deleted_at is null and (c.marked_at is null or c.marked_at > at - grace))
            and not exists (select from public.file_references o where o.upload_id = r.upload_id
                and o.principal = r.principal and o.owner like 'call:%' and o.ended_at is null))
$$;

create function public.exai_old_references(at timestamptz, grace interval, most integer, after integer, dry boolean)
returns table (subject text, why text, bytes bigint)
language plpgsql set search_path = '' as $$
declare
    one record;
    reason text;
begin
    for one in select * from public.file_references r where public.exai_is_over(r, at, grace)
        order by r.upload_id, r.owner, r.principal offset after limit most
    loop
        reason := case when one.owner like 'call:%' then 'its call ended'
            when one.owner like 'held:%' then 'unused for 30 days' else 'its conversation is gone' end;
        if not dry then
            perform from public.provider_file_uploads where id = one.upload_id for update;
            update public.file_references r set ended_at = at
            where r.upload_id = one.upload_id and r.owner = one.owner and r.principal = one.principal
                and public.exai_is_over(r, at, grace);
            continue when not found;
        end if;
        return query select one.owner || ' of ' || one.upload_id, reason, 0::bigint;
    end loop;
end $$;

create function public.exai_condemned(at timestamptz, grace interval, most integer, after integer, dry boolean)
returns table (subject text, why text, bytes bigint)
language plpgsql set search_path = '' as $$
declare
    one public.provider_file_uploads;
begin
    for one in select * from public.provider_file_uploads
        where upload_status <> 'deleted' and reference_count = 0 and last_used <= at - grace
            and (lease_until is null or lease_until <= at)
        order by last_used, id offset after limit most for update skip locked
    loop
        if not dry then
            perform public.exai_add_job(one, one.provider_file_id, 'unused', interval '0');
            update public.provider_file_uploads set provider_file_id = '', upload_status = 'deleted' where id = one.id;
        end if;
        return query select one.provider || ':' || one.provider_file_id, 'unused, and nobody refers to it', one.file_size_bytes;
    end loop;
end $$;

create function public.exai_purged(at timestamptz, grace interval, most integer, after integer, dry boolean)
returns table (subject text, why text, bytes bigint)
language plpgsql set search_path = '' as $$
declare
    one public.provider_file_uploads;
begin
    for one in select * from public.provider_file_uploads u
        where upload_status = 'deleted' and reference_count = 0 and file_id = '' and last_used <= at - grace
            and not exists (select from public.file_deletion_jobs j where j.upload_id = u.id)
        order by last_used, id offset after limit most for update skip locked
    loop
        if not dry then
            delete from public.provider_file_uploads where id = one.id;
        end if;
        return query select 'upload:' || one.id, 'deleted everywhere', 0::bigint;
    end loop;
end $$;

-- Conversations are marked here as the sweep of the history marks them, so that what they hold is released after the grace.
create function public.exai_expired(at timestamptz, most integer, after integer, dry boolean)
returns table (subject text, why text, bytes bigint)
language plpgsql set search_path = '' as $$
declare
    one text;
begin
    if not dry then
        update public.conversations set marked_at = null where marked_at > at or (marked_at is not null and expires_at > at);
    end if;
    for one in select id from public.conversations where expires_at <= at and marked_at is null
        order by id offset after limit most for update skip locked
    loop
        if not dry then
            update public.conversations set marked_at = at where id = one;
        end if;
        return query select 'conversation:' || one, 'expired', 0::bigint;
    end loop;
end $$;

create function public.exai_old_notes(before timestamptz, most integer, after integer, dry boolean)
returns table (subject text, why text, bytes bigint)
language plpgsql set search_path = '' as $$
declare
    one text;
begin
    for one in select id from public.audit_log where at <= before order by at offset after limit most for update skip locked
    loop
        if not dry then
            delete from public.audit_log where id = one;
        end if;
        return query select 'audit:' || one, 'old', 0::bigint;
    end loop;
end $$;

create function public.exai_clean(body jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
    at timestamptz := public.exai_now();
    grace interval := public.exai_seconds(body, 'grace');
    most integer := (body->>'most')::integer;
    dry boolean := (body->>'dry')::boolean;
    after integer := case when dry then (body->>'after')::integer else 0 end;
    changes jsonb := '[]';
    one record;
    name text := body->>'name';
begin
    for one in
        select o.* from public.exai_expired(at, most, after, dry) o where name = 'expire_conversations'
        union all
        select o.* from public.exai_old_references(at, grace, most, after, dry) o where name = 'release_references'
        union all
        select o.* from public.exai_condemned(at, grace, most, after, dry) o where name = 'condemn_uploads'
        union all
        select o.* from public.exai_purged(at, grace, most, after, dry) o where name = 'purge_uploads'
        union all
        select o.* from public.exai_old_notes(at - public.exai_seconds(body, 'history'), most, after, dry) o
        where name = 'purge_audit'
    loop
        changes := changes || jsonb_build_array(jsonb_build_object('subject', one.subject, 'why', one.why, 'bytes', one.bytes));
        if not dry and name <> 'purge_audit' then
            perform public.exai_note(body->>'stage', one.subject, one.why, one.bytes);
        end if;
    end loop;
    return jsonb_build_object('changes', changes, 'next',
        case when jsonb_array_length(changes) = most then after + most end);
end $$;

create function public.exai_disposable(body jsonb) returns jsonb
language sql stable set search_path = '' as $$
    select coalesce(jsonb_agg(sha256), '[]') from (
        select distinct sha256 from public.provider_file_uploads u
        where upload_status = 'deleted' and reference_count = 0 and file_id <> ''
            and not exists (select from public.file_deletion_jobs j where j.upload_id = u.id and j.reported_at is null)
            and not exists (select from public.provider_file_uploads o
                where o.sha256 = u.sha256 and (o.upload_status <> 'deleted' or o.reference_count > 0))
        limit (body->>'most')::integer) as found
$$;

create function public.exai_unreferenced(body jsonb) returns jsonb
language sql stable set search_path = '' as $$
    select coalesce(jsonb_agg(sha256 order by used), '[]') from (
        select sha256, max(last_used) as used from public.provider_file_uploads where file_id <> ''
        group by sha256 having max(reference_count) = 0 and not bool_or(upload_status = 'pending')
        order by used limit (body->>'most')::integer) as found
$$;

create function public.exai_is_known(body jsonb) returns boolean
language sql stable set search_path = '' as $$
    select exists (select from public.provider_file_uploads
        where sha256 = body->>'sha256' and (upload_status <> 'deleted' or reference_count > 0))
$$;

-- Whether the object may be deleted now. Its uploads are locked, so that no claim comes between; who stores it meanwhile waits.
create function public.exai_begin_disposal(body jsonb) returns boolean
language plpgsql set search_path = '' as $$
declare
    spared boolean;
begin
    perform from public.provider_file_uploads where sha256 = body->>'sha256' order by id for update;
    select exists (select from public.provider_file_uploads
        where sha256 = body->>'sha256' and (reference_count > 0
            or upload_status = 'pending' or (upload_status <> 'deleted' and not (body->>'even_known')::boolean)))
    into spared;
    if spared then
        return false;
    end if;
    insert into public.files (id, sha256, filename, file_size_bytes, deleted_at)
    values (body->>'sha256', body->>'sha256', '', 0, public.exai_now())
    on conflict (id) do update set deleted_at = excluded.deleted_at;
    update public.provider_file_uploads set file_id = '' where sha256 = body->>'sha256';
    return true;
end $$;

create function public.exai_end_disposal(body jsonb) returns void
language plpgsql set search_path = '' as $$
begin
    delete from public.files where id = body->>'sha256' and deleted_at is not null;
    if (body->>'freed')::bigint > 0 then
        perform public.exai_note('delete', 'object:' || (body->>'sha256'), body->>'why', (body->>'freed')::bigint);
    end if;
end $$;

create function public.exai_completed_before(body jsonb) returns jsonb
language sql stable set search_path = '' as $$
    select coalesce(jsonb_agg(jsonb_build_array(id, provider_file_id)), '[]') from public.provider_file_uploads
    where provider = body->>'provider' and account = body->>'account' and upload_status = 'completed'
        and uploaded_at < to_timestamp((body->>'at')::double precision)
$$;

create function public.exai_owed(body jsonb) returns jsonb
language sql stable set search_path = '' as $$
    select coalesce(jsonb_agg(provider_file_id), '[]') from public.file_deletion_jobs
    where provider = body->>'provider' and account = body->>'account'
$$;

create function public.exai_clock(body jsonb) returns double precision
language sql volatile set search_path = '' as $$ select extract(epoch from public.exai_now())::double precision $$;

create function public.claim_deletion_jobs(body jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
    job bigint;
    taken jsonb := '[]';
begin
    for job in
        select j.id from public.file_deletion_jobs j join jsonb_array_elements(body->'accounts') as a
            on j.provider = a->>0 and j.account = a->>1
        where j.due <= public.exai_now() and (j.claimed_until is null or j.claimed_until <= public.exai_now())
            and j.reported_at is null
        order by j.due, j.id limit (body->>'most')::integer for update of j skip locked
    loop
        taken := taken || jsonb_build_array(public.exai_take_job(job, public.exai_seconds(body, 'lease_s')));
    end loop;
    return taken;
end $$;

create function public.exai_finish_job(body jsonb) returns boolean
language plpgsql set search_path = '' as $$
declare
    job public.file_deletion_jobs;
begin
    delete from public.file_deletion_jobs
    where id = (body->>'id')::bigint and fence = (body->>'fence')::bigint returning * into job;
    if not found then
        return false;
    end if;
    perform public.exai_note('delete', job.provider || ':' || job.provider_file_id, job.reason, job.size);
    return true;
end $$;

-- Whether this was the last try.
create function public.exai_fail_job(body jsonb) returns boolean
language plpgsql set search_path = '' as $$
declare
    job public.file_deletion_jobs;
    last boolean;
begin
    update public.file_deletion_jobs
    set attempts = attempts + 1, due = public.exai_now() + public.exai_seconds(body, 'wait_s'), claimed_until = null,
        last_error = body->>'error',
        reported_at = case when attempts + 1 >= (body->>'tries')::integer then public.exai_now() end
    where id = (body->>'id')::bigint and fence = (body->>'fence')::bigint returning * into job;
    last := job.reported_at is not null;
    if last then
        perform public.exai_note('delete', job.provider || ':' || job.provider_file_id,
            format('not deleted after %s tries: %s', job.attempts, body->>'error'), 0);
    end if;
    return coalesce(last, false);
end $$;

-- The fence of the lease and when it ends; null while another holds it.
create function public.take_lease(body jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
    got public.leases;
begin
    insert into public.leases as l (name, holder, fence, lease_until)
    values (body->>'name', body->>'holder', 1, public.exai_now() + public.exai_seconds(body, 'for_s'))
    on conflict (name) do update
        set holder = excluded.holder, lease_until = excluded.lease_until, fence = l.fence + 1
        where l.holder = excluded.holder or l.lease_until <= public.exai_now()
    returning * into got;
    return case when got.name is not null then jsonb_build_object('name', got.name, 'holder', got.holder,
        'fence', got.fence, 'until', extract(epoch from got.lease_until)) end;
end $$;

create function public.exai_renew_lease(body jsonb) returns boolean
language plpgsql set search_path = '' as $$
begin
    update public.leases set lease_until = public.exai_now() + public.exai_seconds(body, 'for_s')
    where name = body->>'name' and holder = body->>'holder' and fence = (body->>'fence')::bigint;
    return found;
end $$;
