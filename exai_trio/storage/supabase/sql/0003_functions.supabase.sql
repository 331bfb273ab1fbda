-- Only the service role calls these functions; whoever serves the schema reads it again.

revoke all on function public.exai_append(jsonb), public.exai_prolong(jsonb), public.exai_add_step(jsonb),
    public.exai_name(jsonb), public.exai_delete(jsonb), public.exai_keep_row(text, jsonb), public.exai_apply(jsonb, double precision),
    public.exai_time(jsonb, text),
    public.exai_tail(text, integer, integer, integer), public.exai_named(text, text, double precision),
    public.exai_kept_under(text, jsonb, double precision), public.exai_sweep(double precision, double precision),
    public.exai_state() from public, anon, authenticated;
grant execute on function public.exai_append(jsonb), public.exai_prolong(jsonb), public.exai_add_step(jsonb),
    public.exai_name(jsonb), public.exai_delete(jsonb), public.exai_keep_row(text, jsonb), public.exai_apply(jsonb, double precision),
    public.exai_time(jsonb, text),
    public.exai_tail(text, integer, integer, integer), public.exai_named(text, text, double precision),
    public.exai_kept_under(text, jsonb, double precision), public.exai_sweep(double precision, double precision),
    public.exai_state() to service_role;

notify pgrst, 'reload schema';
