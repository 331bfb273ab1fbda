-- Only the service role calls these functions; whoever serves the schema reads it again.

do $$
declare
    called regprocedure;
begin
    for called in select oid::regprocedure from pg_proc where pronamespace = 'public'::regnamespace and prokind = 'f' loop
        execute format('revoke all on function %s from public, anon, authenticated', called);
        execute format('grant execute on function %s to service_role', called);
    end loop;
end $$;

notify pgrst, 'reload schema';
