"""What Redis is asked to do in one step, in Lua. Pure: text only.

Every key lives for a time or is bounded: an entry until a week after its token, the list of changes to its newest ten thousand.
"""

from typing import Final

# KEYS: change, changes. Gives `name` the next number among the changes.
_COUNT: Final = """
local function count(name)
    local number = redis.call('INCR', KEYS[1])
    redis.call('EXPIRE', KEYS[1], 34560000)
    redis.call('ZADD', KEYS[2], number, name)
    redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -10001)
    redis.call('EXPIRE', KEYS[2], 34560000)
    return number
end
"""

# KEYS: change, changes, entry, all, of the subject. ARGV: id, seconds to live, until when, fields and values.
ADD: Final = (
    _COUNT
    + """
for at = 4, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1]) end
redis.call('EXPIRE', KEYS[3], ARGV[2])
for at = 4, 5 do
    redis.call('ZADD', KEYS[at], ARGV[3], ARGV[1])
    redis.call('EXPIRE', KEYS[at], 34560000)
end
return count('t' .. ARGV[1])
"""
)

# KEYS: entry, cut.
LOOK_UP: Final = "return {redis.call('HGETALL', KEYS[1]), redis.call('GET', KEYS[2])}"

# KEYS: change, changes, entry. ARGV: id, time.
REVOKE: Final = (
    _COUNT
    + """
if redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
if redis.call('HSETNX', KEYS[3], 'revoked_at', ARGV[2]) == 0 then return 0 end
count('t' .. ARGV[1])
return 1
"""
)

# KEYS: change, changes, of the subject, cut. ARGV: subject, time, seconds that the cut lives, what entries' keys begin with.
REVOKE_ALL: Final = (
    _COUNT
    + """
local revoked = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[2], '+inf')) do
    local entry = ARGV[4] .. id
    if redis.call('EXISTS', entry) == 1 and redis.call('HSETNX', entry, 'revoked_at', ARGV[2]) == 1 then
        revoked = revoked + 1
        count('t' .. id)
    end
end
redis.call('SET', KEYS[4], ARGV[2], 'EX', ARGV[3])
count('s' .. ARGV[1])
return revoked
"""
)

# KEYS: change, changes, entry. ARGV: id, fields and values.
CHANGE: Final = (
    _COUNT
    + """
if redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
for at = 2, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1]) end
count('t' .. ARGV[1])
return 1
"""
)

# KEYS: entries. ARGV: for each a time and an address.
NOTE_USES: Final = """
for at, entry in ipairs(KEYS) do
    if redis.call('EXISTS', entry) == 1 then
        redis.call('HSET', entry, 'used_at', ARGV[2 * at - 1], 'used_from', ARGV[2 * at])
    end
end
return 1
"""

# KEYS: change, changes. ARGV: number, what entries' keys begin with, what cuts' keys begin with.
CHANGES: Final = """
local number = tonumber(redis.call('GET', KEYS[1]) or '0')
local since = tonumber(ARGV[1])
if number < since then since = 0 end
local found = {number}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. since, '+inf')) do
    local rest = string.sub(name, 2)
    if string.sub(name, 1, 1) == 't' then
        found[#found + 1] = {name, redis.call('HGETALL', ARGV[2] .. rest)}
    else
        found[#found + 1] = {name, redis.call('GET', ARGV[3] .. rest)}
    end
end
return found
"""

# KEYS: all. ARGV: how entries' keys begin.
ALL: Final = """
local found = {}
for at, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    found[at] = redis.call('HGETALL', ARGV[1] .. id)
end
return found
"""

# KEYS: calls of a principal in the last minute. ARGV: how many may be, a name of the call. Returns milliseconds until one may be.
RATE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most = tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 60000)
local calls = redis.call('ZCARD', KEYS[1])
if calls < most then
    redis.call('ZADD', KEYS[1], now, ARGV[2])
    redis.call('PEXPIRE', KEYS[1], 60000)
    return 0
end
local oldest = redis.call('ZRANGE', KEYS[1], calls - most, calls - most, 'WITHSCORES')
return math.max(1, oldest[2] + 60000 - now)
"""

# KEYS: as above. Returns how many there are.
RATE_NOW: Final = """
local time = redis.call('TIME')
return redis.call('ZCOUNT', KEYS[1], '(' .. (time[1] * 1000 + math.floor(time[2] / 1000) - 60000), '+inf')
"""
