-- Only the service role sees these breakers.

alter table public.lane_breakers enable row level security;

revoke all on public.lane_breakers from public, anon, authenticated;
grant all on public.lane_breakers to service_role;

revoke all on function public.exai_breakers(text, jsonb, jsonb, jsonb, double precision) from public, anon, authenticated;
grant execute on function public.exai_breakers(text, jsonb, jsonb, jsonb, double precision) to service_role;

notify pgrst, 'reload schema';
