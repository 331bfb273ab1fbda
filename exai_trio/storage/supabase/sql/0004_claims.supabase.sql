-- Only the service role calls these functions; whoever serves the schema reads it again.

revoke all on function public.exai_count_references(), public.increment_file_reference(text, text, text),
    public.decrement_file_reference(text, text), public.claim_upload(jsonb),
    public.renew_upload(text, text, double precision), public.finish_upload(text, text, text, text, text),
    public.fail_upload(text, text, text, text), public.exai_condemn(text, text, text, text, text),
    public.condemn_uploads(double precision, integer), public.claim_deletion_jobs(text, integer, double precision),
    public.settle_deletion_job(text, text, text, double precision), public.take_lease(text, text, double precision)
    from public, anon, authenticated;
grant execute on function public.exai_count_references(), public.increment_file_reference(text, text, text),
    public.decrement_file_reference(text, text), public.claim_upload(jsonb),
    public.renew_upload(text, text, double precision), public.finish_upload(text, text, text, text, text),
    public.fail_upload(text, text, text, text), public.exai_condemn(text, text, text, text, text),
    public.condemn_uploads(double precision, integer), public.claim_deletion_jobs(text, integer, double precision),
    public.settle_deletion_job(text, text, text, double precision), public.take_lease(text, text, double precision)
    to service_role;

notify pgrst, 'reload schema';
