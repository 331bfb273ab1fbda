-- Only the service role sees these tables.

alter table public.files enable row level security;
alter table public.provider_file_uploads enable row level security;
alter table public.file_references enable row level security;
alter table public.file_deletion_jobs enable row level security;
alter table public.message_bus enable row level security;
alter table public.audit_log enable row level security;
alter table public.leases enable row level security;
alter table public.error_investigations enable row level security;
alter table public.auditor_observations enable row level security;
alter table public.usage_hours enable row level security;

revoke all on public.files, public.provider_file_uploads, public.file_references, public.file_deletion_jobs,
    public.message_bus, public.audit_log, public.leases, public.error_investigations, public.auditor_observations,
    public.usage_hours from public, anon, authenticated;
grant all on public.files, public.provider_file_uploads, public.file_references, public.file_deletion_jobs,
    public.message_bus, public.audit_log, public.leases, public.error_investigations, public.auditor_observations,
    public.usage_hours to service_role;
