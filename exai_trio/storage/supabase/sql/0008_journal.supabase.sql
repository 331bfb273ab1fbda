-- Only the service role sees these tables and calls these functions.

alter table public.journal_calls enable row level security;
alter table public.journal_numbers enable row level security;

revoke all on public.journal_calls, public.journal_numbers from public, anon, authenticated;
grant all on public.journal_calls, public.journal_numbers to service_role;

revoke all on function public.exai_accept(text, jsonb), public.exai_finish(text, text, text, jsonb),
    public.exai_acknowledge(text, jsonb, jsonb), public.exai_note(text, jsonb),
    public.exai_sweep_calls(text, double precision, double precision, double precision, double precision)
    from public, anon, authenticated;
grant execute on function public.exai_accept(text, jsonb), public.exai_finish(text, text, text, jsonb),
    public.exai_acknowledge(text, jsonb, jsonb), public.exai_note(text, jsonb),
    public.exai_sweep_calls(text, double precision, double precision, double precision, double precision)
    to service_role;

notify pgrst, 'reload schema';
