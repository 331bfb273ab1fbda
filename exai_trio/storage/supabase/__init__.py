"""The store at Supabase. Imported only where STORAGE_BACKEND=supabase, or by commands that look after it."""
