-- Indexes have no rights of their own.

notify pgrst, 'reload schema';
