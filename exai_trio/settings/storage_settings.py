"""The settings of what is kept elsewhere than in EXAI_HOME. Pure."""

from exai_trio.settings import values as v
from exai_trio.settings.setting import Group, secret, setting

SUPABASE = Group(
    title="Supabase",
    settings=(
        setting("SUPABASE_URL", v.url(), "the project's URL, such as https://abcdefgh.supabase.co"),
        secret(
            "SUPABASE_KEY",
            v.visible("a key"),
            "a secret key of the project (sb_secret_…, or the service role's); none for browsers",
            sent_to="SUPABASE_URL",
        ),
        setting(
            "SUPABASE_PROJECT_ID", v.visible("an id"), "the project's id, for links to its pages"
        ),
        secret(
            "SUPABASE_DB_URL",
            v.database_url(),
            "the database itself, for `exai storage migrate` and `check` alone",
        ),
        setting(
            "EXAI_HISTORY_DAYS",
            v.whole(1, 3650),
            "how long Supabase keeps conversations after they have ended",
        ),
    ),
)
