-- Only the service role sees these tables and calls these functions.

alter table public.daemons enable row level security;
alter table public.sessions enable row level security;

revoke all on public.daemons, public.sessions from public, anon, authenticated;
grant all on public.daemons, public.sessions to service_role;

revoke all on function public.exai_renew(text, text, jsonb, double precision, boolean),
    public.exai_release(text, text),
    public.exai_claim(text, text, boolean, boolean, integer),
    public.exai_take(text, text[], text, bigint),
    public.exai_owns(text, text, bigint),
    public.exai_accept_under(text, text, bigint, jsonb),
    public.exai_finish_under(text, bigint, integer, text, text, jsonb),
    public.exai_hand_over_under(text, bigint, integer, text, text, jsonb, jsonb),
    public.exai_acknowledge_own(text, jsonb, jsonb),
    public.exai_note_under(text, text, jsonb),
    public.exai_compare(text, jsonb, jsonb, jsonb),
    public.exai_sweep_shared(text, double precision, double precision, double precision, double precision),
    public.exai_daemons()
    from public, anon, authenticated;
grant execute on function public.exai_renew(text, text, jsonb, double precision, boolean),
    public.exai_release(text, text),
    public.exai_claim(text, text, boolean, boolean, integer),
    public.exai_take(text, text[], text, bigint),
    public.exai_owns(text, text, bigint),
    public.exai_accept_under(text, text, bigint, jsonb),
    public.exai_finish_under(text, bigint, integer, text, text, jsonb),
    public.exai_hand_over_under(text, bigint, integer, text, text, jsonb, jsonb),
    public.exai_acknowledge_own(text, jsonb, jsonb),
    public.exai_note_under(text, text, jsonb),
    public.exai_compare(text, jsonb, jsonb, jsonb),
    public.exai_sweep_shared(text, double precision, double precision, double precision, double precision),
    public.exai_daemons()
    to service_role;

notify pgrst, 'reload schema';
