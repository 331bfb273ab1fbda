-- Only the service role sees these tables.

alter table public.schema_version enable row level security;
alter table public.conversations enable row level security;
alter table public.messages enable row level security;
alter table public.workflow_steps enable row level security;

revoke all on public.schema_version, public.conversations, public.messages, public.workflow_steps
    from public, anon, authenticated;
grant all on public.schema_version, public.conversations, public.messages, public.workflow_steps to service_role;
