-- Files and who refers to them, payloads of the bus, leases, and what is recorded of the daemon's work.

create table public.files (
    id text primary key,
    sha256 text not null,
    filename text not null,
    file_size_bytes bigint not null check (file_size_bytes >= 0),
    principal text not null default 'owner',
    storage_path text,
    metadata jsonb not null default '{}',
    created_at timestamptz not null default now(),
    deleted_at timestamptz
);

create index files_by_content on public.files (sha256);

create table public.provider_file_uploads (
    id text primary key,
    provider text not null,
    account text not null,
    purpose text not null,
    sha256 text not null,
    provider_file_id text,
    file_id text references public.files (id),
    filename text not null,
    file_size_bytes bigint not null check (file_size_bytes >= 0),
    upload_method text,
    upload_status text not null default 'pending'
        check (upload_status in ('pending', 'completed', 'failed', 'deleted')),
    error_message text,
    claimed_by text,
    lease_until timestamptz,
    reference_count integer not null default 0,
    last_used timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint uk_provider_sha256 unique (provider, account, purpose, sha256)
);

create table public.file_references (
    upload_id text not null references public.provider_file_uploads (id) on delete cascade,
    owner text not null,
    principal text not null default 'owner',
    created_at timestamptz not null default now(),
    last_used timestamptz not null default now(),
    primary key (upload_id, owner)
);

create index file_references_by_owner on public.file_references (owner);

create table public.file_deletion_jobs (
    id text primary key,
    provider text not null,
    account text not null,
    provider_file_id text not null,
    upload_id text,
    reason text not null default '',
    attempts integer not null default 0,
    due timestamptz not null default now(),
    claimed_by text,
    claimed_until timestamptz,
    last_error text,
    done_at timestamptz,
    created_at timestamptz not null default now(),
    unique (provider, account, provider_file_id)
);

create table public.message_bus (
    transaction_id text primary key,
    principal text not null,
    session_id text,
    request_id text,
    status text not null default 'pending'
        check (status in ('pending', 'stored', 'delivered', 'expired')),
    size_bytes bigint not null check (size_bytes >= 0),
    stored_bytes bigint,
    compression text not null default 'none',
    sha256 text,
    pieces jsonb not null default '[]',
    storage_path text,
    created_at timestamptz not null default now(),
    delivered_at timestamptz,
    expires_at timestamptz not null,
    deleted_at timestamptz
);

create index message_bus_by_expiry on public.message_bus (expires_at);

create table public.audit_log (
    id text primary key,
    at timestamptz not null default now(),
    stage text not null,
    subject text not null,
    why text not null default '',
    bytes bigint not null default 0,
    principal text,
    details jsonb not null default '{}'
);

create table public.leases (
    name text primary key,
    holder text not null,
    fence bigint not null default 1,
    lease_until timestamptz not null
);

create table public.error_investigations (
    id text primary key,
    error_hash text not null unique,
    error_message text not null,
    error_type text not null default '',
    error_context jsonb not null default '{}',
    investigation_result jsonb,
    fix_recommendation jsonb,
    model_used text,
    investigation_duration_ms double precision,
    kind text not null default '',
    severity text not null default '',
    version text not null default '',
    state text not null default 'waiting',
    attempts integer not null default 0,
    lease_until timestamptz,
    tokens bigint not null default 0,
    cost numeric not null default 0,
    occurrence_count bigint not null default 1,
    created_at timestamptz not null default now(),
    last_occurrence_at timestamptz not null default now(),
    resolved boolean not null default false,
    resolution_notes text,
    resolved_at timestamptz,
    resolved_by text,
    resolved_in text,
    reopened integer not null default 0
);

create table public.auditor_observations (
    id text primary key,
    at timestamptz not null default now(),
    severity text not null check (severity in ('critical', 'warning', 'info')),
    category text not null,
    text text not null,
    details jsonb not null default '{}',
    acknowledged_at timestamptz
);

create table public.usage_hours (
    id text primary key,
    hour timestamptz not null,
    principal text not null,
    project text not null default '',
    tool text not null,
    model text not null,
    provider text not null default '',
    calls bigint not null default 0,
    failures bigint not null default 0,
    tokens jsonb not null default '{}',
    cost numeric not null default 0,
    currency text not null default ''
);
