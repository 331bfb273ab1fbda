-- Only the service role calls these functions.

revoke all on function public.exai_is_there(public.conversations, text, double precision),
    public.exai_recent(text, double precision, integer), public.exai_find(text, text, double precision),
    public.exai_rename(text, text, text, double precision),
    public.exai_fork(text, text, text, double precision, double precision), public.exai_remove(text, text, double precision)
    from public, anon, authenticated;
grant execute on function public.exai_is_there(public.conversations, text, double precision),
    public.exai_recent(text, double precision, integer), public.exai_find(text, text, double precision),
    public.exai_rename(text, text, text, double precision),
    public.exai_fork(text, text, text, double precision, double precision), public.exai_remove(text, text, double precision)
    to service_role;

notify pgrst, 'reload schema';
