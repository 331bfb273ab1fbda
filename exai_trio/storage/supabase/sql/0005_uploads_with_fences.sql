-- Uploads, references, deletions and cleaning up as every store of EXAI has them: claims with a fence, references that end and are
-- remembered, deletions that are tried again. Each function is one transaction by the database's clock, and takes one JSON object.

drop trigger count_references on public.file_references;
drop function public.exai_count_references();
drop function public.increment_file_reference(text, text, text);
drop function public.decrement_file_reference(text, text);
drop function public.claim_upload(jsonb);
drop function public.renew_upload(text, text, double precision);
drop function public.finish_upload(text, text, text, text, text);
drop function public.fail_upload(text, text, text, text);
drop function public.exai_condemn(text, text, text, text, text);
drop function public.condemn_uploads(double precision, integer);
drop function public.claim_deletion_jobs(text, integer, double precision);
drop function public.settle_deletion_job(text, text, text, double precision);
drop function public.take_lease(text, text, double precision);

update public.provider_file_uploads set provider_file_id = '' where provider_file_id is null;
alter table public.provider_file_uploads drop constraint provider_file_uploads_file_id_fkey;
update public.provider_file_uploads set file_id = '' where file_id is null;
alter table public.provider_file_uploads
    alter column provider_file_id set default '', alter column provider_file_id set not null,
    alter column file_id set default '', alter column file_id set not null,
    alter column upload_status set default 'deleted',
    add column fence bigint not null default 0,
    add column began_at timestamptz,
    add column uploaded_at timestamptz;
create index provider_file_uploads_by_content on public.provider_file_uploads (sha256);
create index provider_file_uploads_by_file on public.provider_file_uploads (provider_file_id);
create index provider_file_uploads_unused on public.provider_file_uploads (last_used) where reference_count = 0;

alter table public.file_references
    drop constraint file_references_pkey,
    add primary key (upload_id, owner, principal),
    add column ended_at timestamptz;

delete from public.file_deletion_jobs where done_at is not null;
alter table public.file_deletion_jobs
    drop column id, drop column claimed_by, drop column done_at,
    add column id bigint generated always as identity primary key,
    add column sha256 text not null default '',
    add column size bigint not null default 0,
    add column fence bigint not null default 0,
    add column reported_at timestamptz;
alter table public.file_deletion_jobs alter column upload_id set default '';

alter table public.audit_log alter column id set default gen_random_uuid()::text;

create function public.exai_now() returns timestamptz
language sql volatile set search_path = '' as $$ select clock_timestamp() $$;

create function public.exai_seconds(body jsonb, name text) returns interval
language sql immutable set search_path = '' as $$ select make_interval(secs => (body->>name)::double precision) $$;

create function public.exai_count_references() returns trigger
language plpgsql set search_path = '' as $$
declare
    more integer := 0;
begin
    if tg_op <> 'DELETE' and new.ended_at is null then
        more := more + 1;
    end if;
    if tg_op <> 'INSERT' and old.ended_at is null then
        more := more - 1;
    end if;
    update public.provider_file_uploads set reference_count = reference_count + more
    where id = coalesce(new.upload_id, old.upload_id) and more <> 0;
    return null;
end $$;

create trigger count_references after insert or delete or update of ended_at on public.file_references
    for each row execute function public.exai_count_references();

create function public.exai_upload(u public.provider_file_uploads) returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_build_object(
        'id', u.id, 'provider', u.provider, 'account', u.account, 'purpose', u.purpose, 'sha256', u.sha256,
        'provider_file_id', u.provider_file_id, 'file_id', u.file_id, 'filename', u.filename,
        'file_size_bytes', u.file_size_bytes, 'upload_method', coalesce(u.upload_method, 'direct'),
        'upload_status', u.upload_status, 'error_message', coalesce(u.error_message, ''),
        'reference_count', u.reference_count, 'last_used', extract(epoch from u.last_used),
        'uploaded_at', coalesce(extract(epoch from u.uploaded_at), 0), 'began_at', extract(epoch from u.began_at))
$$;

create function public.exai_refer(upload text, holder text, whose text) returns void
language plpgsql set search_path = '' as $$
begin
    insert into public.file_references (upload_id, owner, principal, created_at, last_used)
    values (upload, holder, whose, public.exai_now(), public.exai_now())
    on conflict (upload_id, owner, principal) do update set last_used = excluded.last_used, ended_at = null;
    update public.provider_file_uploads set last_used = public.exai_now() where id = upload;
end $$;

-- The provider's id, or the claim to upload it, or how long another's claim lasts. The owner's reference is there in any case.
create function public.claim_upload(body jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
    one public.provider_file_uploads;
    at timestamptz;
    held boolean;
    rivals integer;
begin
    insert into public.provider_file_uploads (id, provider, account, purpose, sha256, filename, file_size_bytes,
        upload_method, last_used)
    values (gen_random_uuid()::text, body->>'provider', body->>'account', body->>'purpose', body->>'sha256',
        body->>'filename', (body->>'size')::bigint, body->>'method', public.exai_now())
    on conflict on constraint uk_provider_sha256 do nothing;
    select * into one from public.provider_file_uploads
    where provider = body->>'provider' and account = body->>'account' and purpose = body->>'purpose'
        and sha256 = body->>'sha256'
    for update;
    at := public.exai_now();
    held := exists (select from public.file_references
                    where upload_id = one.id and principal = body->>'principal');
    perform public.exai_refer(one.id, body->>'owner', body->>'principal');
    if one.upload_status = 'completed' then
        return jsonb_build_object('upload', public.exai_upload(one), 'held', held);
    end if;
    if one.upload_status = 'pending' and one.lease_until > at and one.claimed_by <> body->>'by' then
        return jsonb_build_object('wait_s', extract(epoch from one.lease_until - at));
    end if;
    update public.provider_file_uploads
    set upload_status = 'pending', fence = fence + 1, claimed_by = body->>'by',
        lease_until = at + public.exai_seconds(body, 'lease_s'), filename = body->>'filename',
        file_size_bytes = (body->>'size')::bigint, upload_method = body->>'method', error_message = null,
        began_at = coalesce(began_at, at), updated_at = at
    where id = one.id;
    select count(*) into rivals from public.provider_file_uploads
    where provider = one.provider and account = one.account and file_size_bytes = (body->>'size')::bigint
        and began_at is not null and id <> one.id;
    return jsonb_build_object('upload', public.exai_upload(one), 'fence', one.fence + 1, 'rivals', rivals);
end $$;

create function public.renew_upload(body jsonb) returns boolean
language plpgsql set search_path = '' as $$
begin
    update public.provider_file_uploads
    set lease_until = public.exai_now() + public.exai_seconds(body, 'lease_s'), last_used = public.exai_now()
    where id = body->>'id' and fence = (body->>'fence')::bigint and upload_status = 'pending';
    return found;
end $$;

-- Whether the bucket has, or may be given, the object of this content: not while somebody deletes it.
create function public.exai_begin_object(body jsonb) returns boolean
language plpgsql set search_path = '' as $$
begin
    insert into public.files (id, sha256, filename, file_size_bytes)
    values (body->>'sha256', body->>'sha256', '', (body->>'size')::bigint)
    on conflict (id) do update set deleted_at = null
        where public.files.deleted_at is null
            or public.files.deleted_at <= public.exai_now() - public.exai_seconds(body, 'lease_s');
    return found;
end $$;

-- The bucket has it: whoever stored the content on their machine before has it there now.
create function public.exai_object_stored(body jsonb) returns void
language plpgsql set search_path = '' as $$
begin
    update public.files set storage_path = body->>'path' where id = body->>'sha256';
    update public.provider_file_uploads set file_id = body->>'sha256'
    where sha256 = body->>'sha256' and file_id = '' and upload_method in ('gateway', 'storage');
end $$;

create function public.exai_note_object(body jsonb) returns boolean
language plpgsql set search_path = '' as $$
begin
    update public.provider_file_uploads set file_id = body->>'file', last_used = public.exai_now()
    where id = body->>'id' and fence = (body->>'fence')::bigint and upload_status = 'pending';
    return found;
end $$;

-- Unless another upload has that very file: some services give one id for one content.
create function public.exai_add_job(u public.provider_file_uploads, file text, why text, later interval) returns void
language sql volatile set search_path = '' as $$
    insert into public.file_deletion_jobs (upload_id, provider, account, provider_file_id, sha256, size, reason, due)
    select u.id, u.provider, u.account, file, u.sha256, u.file_size_bytes, why, public.exai_now() + later
    where file <> '' and u.provider <> 'storage' and not exists (
        select from public.provider_file_uploads o
        where o.provider = u.provider and o.account = u.account and o.provider_file_id = file and o.id <> u.id)
    on conflict (provider, account, provider_file_id) do nothing
$$;

-- The upload; null if the file is of no use: it is queued to be deleted, or is being deleted already.
create function public.finish_upload(body jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
    one public.provider_file_uploads;
    file text := body->>'file';
    fenced bigint := (body->>'fence')::bigint;
begin
    select * into one from public.provider_file_uploads where id = body->'upload'->>'id' for update;
    if one.provider_file_id = file then
        return public.exai_upload(one);
    end if;
    if one.id is null then
        one := jsonb_populate_record(null::public.provider_file_uploads, body->'upload');
    end if;
    if one.fence = fenced and one.upload_status = 'pending' then
        delete from public.file_deletion_jobs
        where provider = one.provider and account = one.account and provider_file_id = file and fence = 0;
    end if;
    if exists (select from public.file_deletion_jobs where provider = one.provider and account = one.account
               and provider_file_id = file and fence > 0) then
        update public.provider_file_uploads
        set upload_status = case when upload_status = 'pending' then 'failed' else upload_status end,
            error_message = 'deleted meanwhile', claimed_by = null, lease_until = null, began_at = null
        where id = one.id and fence = fenced;
        return null;
    end if;
    update public.provider_file_uploads
    set upload_status = 'completed', provider_file_id = file, filename = body->>'filename', claimed_by = null,
        lease_until = null, began_at = null, error_message = null, uploaded_at = public.exai_now(),
        last_used = public.exai_now(), updated_at = public.exai_now()
    where id = one.id and fence = fenced and upload_status = 'pending'
    returning * into one;
    if found then
        return public.exai_upload(one);
    end if;
    select * into one from public.provider_file_uploads where id = body->'upload'->>'id';
    if one.id is null then
        one := jsonb_populate_record(null::public.provider_file_uploads, body->'upload');
    end if;
    perform public.exai_add_job(one, file, 'uploaded too late', interval '0');
    return null;
end $$;

create function public.decrement_file_reference(body jsonb) returns void
language sql volatile set search_path = '' as $$
    update public.file_references set ended_at = public.exai_now()
    where upload_id = body->>'id' and owner = body->>'owner' and principal = body->>'principal' and ended_at is null
$$;

create function public.increment_file_reference(body jsonb) returns boolean
language plpgsql set search_path = '' as $$
begin
    perform from public.provider_file_uploads
    where id = body->>'id' and upload_status = 'completed' for update;
    if not found then
        return false;
    end if;
    perform public.exai_refer(body->>'id', body->>'owner', body->>'principal');
    return true;
end $$;

create function public.fail_upload(body jsonb) returns void
language plpgsql set search_path = '' as $$
begin
    update public.provider_file_uploads
    set upload_status = 'failed', error_message = body->>'error', claimed_by = null, lease_until = null,
        last_used = public.exai_now(), updated_at = public.exai_now()
    where id = body->>'id' and fence = (body->>'fence')::bigint and upload_status = 'pending';
    perform public.decrement_file_reference(body);
end $$;

create function public.exai_note_gone(body jsonb) returns void
language sql volatile set search_path = '' as $$
    update public.provider_file_uploads set upload_status = 'deleted', provider_file_id = ''
    where id = body->>'id' and provider_file_id = body->>'file'
$$;

create function public.exai_end_owner(body jsonb) returns integer
language plpgsql set search_path = '' as $$
declare
    ended integer;
begin
    perform from public.provider_file_uploads where id in (
        select upload_id from public.file_references
        where owner = body->>'owner' and principal = body->>'principal' and ended_at is null)
    order by id for update;
    update public.file_references set ended_at = public.exai_now()
    where owner = body->>'owner' and principal = body->>'principal' and ended_at is null;
    get diagnostics ended = row_count;
    return ended;
end $$;

create function public.exai_job(j public.file_deletion_jobs) returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_build_object('id', j.id, 'provider', j.provider, 'account', j.account,
        'provider_file_id', j.provider_file_id, 'sha256', j.sha256, 'size', j.size, 'reason', j.reason,
        'attempts', j.attempts, 'fence', j.fence)
$$;

create function public.exai_take_job(job bigint, lease interval) returns jsonb
language plpgsql set search_path = '' as $$
declare
    taken public.file_deletion_jobs;
begin
    update public.file_deletion_jobs set fence = fence + 1, claimed_until = public.exai_now() + lease
    where id = job returning * into taken;
    return public.exai_job(taken);
end $$;

create function public.exai_abandon(body jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
    one public.provider_file_uploads;
    kept bigint;
begin
    for one in select * from public.provider_file_uploads
        where provider = body->>'provider' and account = body->>'account' and provider_file_id = body->>'file'
        order by id for update
    loop
        delete from public.file_references where upload_id = one.id and principal = body->>'principal';
    end loop;
    select max(reference_count) into kept from public.provider_file_uploads
    where provider = body->>'provider' and account = body->>'account' and provider_file_id = body->>'file';
    if one.id is null or kept > 0 then
        return null;
    end if;
    update public.provider_file_uploads set provider_file_id = '', upload_status = 'deleted'
    where provider = body->>'provider' and account = body->>'account' and provider_file_id = body->>'file';
    perform public.exai_add_job(one, body->>'file', 'deleted by its holder', interval '0');
    return (select public.exai_take_job(id, public.exai_seconds(body, 'lease_s')) from public.file_deletion_jobs
            where provider = body->>'provider' and account = body->>'account' and provider_file_id = body->>'file');
end $$;

create function public.exai_held_uploads(body jsonb) returns jsonb
language sql stable set search_path = '' as $$
    select coalesce(jsonb_agg(public.exai_upload(u) order by u.uploaded_at, u.created_at, u.id), '[]')
    from public.provider_file_uploads u
    where provider = body->>'provider' and account = body->>'account' and upload_status = 'completed'
        and exists (select from public.file_references r
                    where r.upload_id = u.id and r.principal = body->>'principal')
$$;

create function public.exai_holders(body jsonb) returns jsonb
language sql stable set search_path = '' as $$
    select coalesce(jsonb_object_agg(file, held), '{}') from (
        select file, coalesce(jsonb_agg(distinct principal) filter (where principal is not null), '[]') as held
        from (
            select u.provider_file_id as file, r.principal from public.provider_file_uploads u
            left join public.file_references r on r.upload_id = u.id
            where u.provider = body->>'provider' and u.account = body->>'account' and u.provider_file_id <> ''
            union all
            select j.provider_file_id, r.principal from public.file_deletion_jobs j
            left join public.file_references r on r.upload_id = j.upload_id
            where j.provider = body->>'provider' and j.account = body->>'account') as known
        group by file) as each
$$;

-- What a machine has given to a provider while it was alone. Another file of that content stays for those who were told of it.
create function public.exai_merge_upload(body jsonb) returns integer
language plpgsql set search_path = '' as $$
declare
    one public.provider_file_uploads;
    theirs jsonb := body->'upload';
    reference jsonb;
begin
    insert into public.provider_file_uploads (id, provider, account, purpose, sha256, filename, file_size_bytes,
        upload_method, last_used)
    values (theirs->>'id', theirs->>'provider', theirs->>'account', theirs->>'purpose', theirs->>'sha256',
        theirs->>'filename', (theirs->>'file_size_bytes')::bigint, theirs->>'upload_method', public.exai_now())
    on conflict on constraint uk_provider_sha256 do nothing;
    select * into one from public.provider_file_uploads
    where provider = theirs->>'provider' and account = theirs->>'account' and purpose = theirs->>'purpose'
        and sha256 = theirs->>'sha256'
    for update;
    if one.upload_status <> 'completed' and theirs->>'upload_status' = 'completed' then
        update public.provider_file_uploads
        set upload_status = 'completed', provider_file_id = theirs->>'provider_file_id', claimed_by = null,
            lease_until = null, began_at = null, error_message = null, fence = fence + 1,
            uploaded_at = public.exai_now(), last_used = public.exai_now()
        where id = one.id;
    elsif one.provider_file_id <> theirs->>'provider_file_id' then
        one.provider_file_id := theirs->>'provider_file_id';
        perform public.exai_add_job(one, theirs->>'provider_file_id', 'another upload of this content',
            interval '30 days');
    end if;
    for reference in select value from jsonb_array_elements(body->'references') loop
        if (reference->>'ended')::boolean then
            perform public.decrement_file_reference(reference || jsonb_build_object('id', one.id));
        else
            perform public.exai_refer(one.id, reference->>'owner', reference->>'principal');
        end if;
    end loop;
    return null;
end $$;
