-- Conversations, their messages and workflow steps; which migrations have been applied.

create table public.schema_version (
    version integer primary key,
    description text not null,
    sha256 text not null,
    applied_at timestamptz not null default now()
);

create table public.conversations (
    id text primary key,
    principal text not null default 'owner',
    name text,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    marked_at timestamptz,
    deleted_at timestamptz
);

create unique index conversations_by_name on public.conversations (principal, name) where name is not null;
create index conversations_by_expiry on public.conversations (expires_at);

create table public.messages (
    id bigint generated always as identity primary key,
    conversation_id text not null references public.conversations (id) on delete cascade,
    number integer not null,
    role text not null check (role in ('user', 'assistant')),
    content text not null,
    metadata jsonb not null default '{}',
    idempotency_key text unique,
    created_at timestamptz not null default now(),
    unique (conversation_id, number)
);

create table public.workflow_steps (
    id bigint generated always as identity primary key,
    conversation_id text not null references public.conversations (id) on delete cascade,
    number integer not null,
    tool text not null,
    data jsonb not null,
    idempotency_key text unique,
    created_at timestamptz not null default now(),
    unique (conversation_id, number)
);
