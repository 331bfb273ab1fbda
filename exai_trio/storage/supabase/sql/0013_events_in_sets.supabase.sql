-- Only the service role calls these functions; the renamed one keeps its grants.

revoke all on function public.exai_take_for(text, text[], text, bigint, bigint), public.exai_note_under(text, text, jsonb)
    from public, anon, authenticated;
grant execute on function public.exai_take_for(text, text[], text, bigint, bigint), public.exai_note_under(text, text, jsonb)
    to service_role;

notify pgrst, 'reload schema';
