"""A hosted store to test against: real PostgreSQL and PostgREST, a fake of the Storage API, and a gateway before them."""
