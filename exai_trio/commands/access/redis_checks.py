"""What `exai doctor` looks at of a Redis that daemons share: whether it answers, and whether it may throw away what was revoked."""

from exai_trio.commands.checking.findings import Finding
from exai_trio.config import Config
from exai_trio.errors import StorageError

_KEEPS = "noeviction"
_AWAY = "check REDIS_URL, and that Redis runs there; new tokens are refused until it answers"
_EVICTS = "set `maxmemory-policy noeviction`: what is thrown away may be a token's entry, and that token is refused then"


async def look(config: Config) -> tuple[Finding, ...]:
    """Raises nothing but Cancelled, which changes nothing."""
    if not config.redis_url:
        return ()
    from exai_trio.access.redis_connection import open_redis  # only where it is asked for

    async with open_redis(config.redis_url, config.deployment, patient=True) as redis:
        try:
            policy = await redis.policy()
        except StorageError as fault:
            return (Finding.fault(fault.message, _AWAY),)
    if policy == _KEEPS:
        return (Finding.ok(f"Redis answers, and keeps what it has ({policy})"),)
    return (Finding.warn(f"Redis may evict: maxmemory-policy is {policy}", _EVICTS),)
