"""`exai storage`: what looks after the store, here and at Supabase."""
