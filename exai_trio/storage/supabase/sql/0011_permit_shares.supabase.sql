-- Only the service role sees these shares.

alter table public.lane_shares enable row level security;

revoke all on public.lane_shares from public, anon, authenticated;
grant all on public.lane_shares to service_role;

revoke all on function public.exai_share(text, jsonb, double precision) from public, anon, authenticated;
grant execute on function public.exai_share(text, jsonb, double precision) to service_role;

notify pgrst, 'reload schema';
