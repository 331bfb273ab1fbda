-- What is owed to a provider, and whether an upload owes anything, is found by index: both are asked for each row of a cleaning up.

create index file_deletion_jobs_due on public.file_deletion_jobs (provider, account, due) where reported_at is null;
create index file_deletion_jobs_by_upload on public.file_deletion_jobs (upload_id);
