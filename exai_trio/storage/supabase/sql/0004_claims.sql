-- Uploads without doubles, references, deletion jobs and leases: each step is one call, under the lock of its row, by the
-- database's clock.

create function public.exai_count_references() returns trigger
language plpgsql set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        update public.provider_file_uploads set reference_count = reference_count + 1, last_used = now()
        where id = new.upload_id;
    else
        update public.provider_file_uploads set reference_count = reference_count - 1, last_used = now()
        where id = old.upload_id;
    end if;
    return null;
end $$;

create trigger count_references after insert or delete on public.file_references
    for each row execute function public.exai_count_references();

-- Whether it is new: said twice, it counts once.
create function public.increment_file_reference(upload text, holder text, whose text) returns boolean
language plpgsql set search_path = '' as $$
begin
    insert into public.file_references (upload_id, owner, principal) values (upload, holder, whose)
    on conflict (upload_id, owner) do update set last_used = now();
    return (select xmax = 0 from public.file_references where upload_id = upload and owner = holder);
end $$;

create function public.decrement_file_reference(upload text, holder text) returns boolean
language plpgsql set search_path = '' as $$
begin
    delete from public.file_references where upload_id = upload and owner = holder;
    return found;
end $$;

-- The provider's id, or the lease to upload it, or how long to wait for another's lease. The reference of `owner` is there in any case.
create function public.claim_upload(claim jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
    one public.provider_file_uploads;
    held boolean;
begin
    insert into public.provider_file_uploads (id, provider, account, purpose, sha256, filename, file_size_bytes)
    values (claim->>'id', claim->>'provider', claim->>'account', claim->>'purpose', claim->>'sha256',
            claim->>'filename', (claim->>'size')::bigint)
    on conflict on constraint uk_provider_sha256 do nothing;
    select * into one from public.provider_file_uploads
    where provider = claim->>'provider' and account = claim->>'account' and purpose = claim->>'purpose'
        and sha256 = claim->>'sha256'
    for update;
    held := exists (select from public.file_references
                    where upload_id = one.id and principal = claim->>'principal');
    perform public.increment_file_reference(one.id, claim->>'owner', claim->>'principal');
    if one.upload_status = 'completed' and one.provider_file_id is not null then
        return jsonb_build_object('upload', one.id, 'provider_file_id', one.provider_file_id,
                                  'file_id', one.file_id, 'reused', held);
    end if;
    if one.claimed_by is not null and one.claimed_by <> claim->>'holder' and one.lease_until > now() then
        return jsonb_build_object('upload', one.id,
                                  'wait_s', extract(epoch from one.lease_until - now())::double precision);
    end if;
    update public.provider_file_uploads
    set claimed_by = claim->>'holder', upload_status = 'pending', error_message = null, updated_at = now(),
        lease_until = now() + make_interval(secs => (claim->>'lease_s')::double precision)
    where id = one.id;
    return jsonb_build_object('upload', one.id, 'lease', true, 'file_id', one.file_id);
end $$;

create function public.renew_upload(upload text, holder text, lease_s double precision) returns boolean
language plpgsql set search_path = '' as $$
begin
    update public.provider_file_uploads set lease_until = now() + make_interval(secs => lease_s)
    where id = upload and claimed_by = holder and upload_status = 'pending';
    return found;
end $$;

-- Whether it is the holder's still. The file of one who comes late is queued to be deleted.
create function public.finish_upload(upload text, holder text, provider_id text, stored text, method text)
returns boolean
language plpgsql set search_path = '' as $$
declare
    one public.provider_file_uploads;
begin
    select * into one from public.provider_file_uploads where id = upload for update;
    if one.claimed_by = holder and one.upload_status = 'pending' then
        update public.provider_file_uploads
        set provider_file_id = provider_id, file_id = stored, upload_method = method, upload_status = 'completed',
            claimed_by = null, lease_until = null, last_used = now(), updated_at = now()
        where id = upload;
        return true;
    end if;
    if one.id is not null and one.provider_file_id is distinct from provider_id then
        perform public.exai_condemn(one.provider, one.account, provider_id, one.id, 'late');
    end if;
    return false;
end $$;

create function public.fail_upload(upload text, holder text, why text, referring text) returns boolean
language plpgsql set search_path = '' as $$
begin
    update public.provider_file_uploads
    set upload_status = 'failed', error_message = why, claimed_by = null, lease_until = null, updated_at = now()
    where id = upload and claimed_by = holder;
    perform public.decrement_file_reference(upload, referring);
    return found;
end $$;

create function public.exai_condemn(provider_name text, account_name text, provider_id text, upload text, why text)
returns void
language sql set search_path = '' as $$
    insert into public.file_deletion_jobs (id, provider, account, provider_file_id, upload_id, reason)
    values (gen_random_uuid()::text, provider_name, account_name, provider_id, upload, why)
    on conflict (provider, account, provider_file_id) do nothing
$$;

-- The ids of uploads that nobody holds, unused for the grace, become jobs, and their rows are empty: a new claim starts afresh.
create function public.condemn_uploads(grace_s double precision, most integer) returns integer
language plpgsql set search_path = '' as $$
declare
    one public.provider_file_uploads;
    condemned integer := 0;
begin
    for one in
        select * from public.provider_file_uploads as u
        where reference_count = 0 and provider_file_id is not null
            and last_used <= now() - make_interval(secs => grace_s)
        order by last_used limit most for update skip locked
    loop
        continue when exists (select from public.file_references where upload_id = one.id);
        perform public.exai_condemn(one.provider, one.account, one.provider_file_id, one.id, 'unused');
        update public.provider_file_uploads
        set provider_file_id = null, upload_status = 'deleted', updated_at = now()
        where id = one.id;
        condemned := condemned + 1;
    end loop;
    return condemned;
end $$;

-- Jobs that are due, for this holder alone while its lease lasts.
create function public.claim_deletion_jobs(holder text, most integer, lease_s double precision)
returns setof public.file_deletion_jobs
language sql set search_path = '' as $$
    update public.file_deletion_jobs
    set claimed_by = holder, claimed_until = now() + make_interval(secs => lease_s), attempts = attempts + 1
    where id in (
        select id from public.file_deletion_jobs
        where done_at is null and due <= now() and (claimed_until is null or claimed_until <= now())
        order by due limit most for update skip locked)
    returning *
$$;

create function public.settle_deletion_job(job text, holder text, fault text, again_s double precision) returns boolean
language plpgsql set search_path = '' as $$
begin
    update public.file_deletion_jobs
    set done_at = case when fault is null then now() end, last_error = fault, claimed_by = null, claimed_until = null,
        due = case when fault is null then due else now() + make_interval(secs => again_s) end
    where id = job and claimed_by = holder;
    return found;
end $$;

-- The fence of the lease, which grows with each take-over; null while another holds it.
create function public.take_lease(lease text, taker text, seconds double precision) returns bigint
language plpgsql set search_path = '' as $$
declare
    got bigint;
begin
    insert into public.leases as l (name, holder, lease_until)
    values (lease, taker, now() + make_interval(secs => seconds))
    on conflict (name) do update
        set holder = excluded.holder, lease_until = excluded.lease_until,
            fence = l.fence + (l.holder <> excluded.holder)::integer
        where l.holder = excluded.holder or l.lease_until <= now()
    returning fence into got;
    return got;
end $$;
