"""Lua scripts of the Redis store, each of which Redis runs completely or not at all.

Of each user there is a sorted set ``sasrec:events:USER``, with times as scores, and a set
``sasrec:ids:USER``. A member of the sorted set is the number of arrival (16 digits), item and type
as JSON, and, after a tab, the id if there is one. Redis orders members of equal scores as text, so
by arrival.
"""

EVENTS = "sasrec:events:"
IDS = "sasrec:ids:"
VERSION = "sasrec:version"
N_EVENTS = "sasrec:n_events"

STORE = """
local merge, added = ARGV[1] == 'merge', 0
local number = tonumber(redis.call('GET', 'sasrec:last_number') or '0')
for i = 2, #ARGV, 4 do
  local user, time, body, id = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local events, is_new = 'sasrec:events:' .. user, true
  if merge and time ~= 'inf' then
    for _, old in ipairs(redis.call('ZRANGEBYSCORE', events, time, time)) do
      local stop = string.find(old, '\\t', 17, true)
      if string.sub(old, 17, stop and stop - 1) == body then is_new = false end
    end
  end
  if is_new and id ~= '' then
    is_new = redis.call('SADD', 'sasrec:ids:' .. user, id) == 1
    body = body .. '\\t' .. id
  end
  if is_new then
    number, added = number + 1, added + 1
    redis.call('ZADD', events, time, string.format('%016d', number) .. body)
  end
end
redis.call('SET', 'sasrec:last_number', string.format('%d', number))
redis.call('INCRBY', 'sasrec:n_events', added)
return added
"""
"""Arguments: ``append`` or ``merge``; then user, time, item and type as JSON, and id (or an empty
text) of each event. Returns the number of new events."""

LATEST = """
local answers = {}
for i = 2, #ARGV do
  local rows = redis.call('ZREVRANGE', 'sasrec:events:' .. ARGV[i], 0, ARGV[1], 'WITHSCORES')
  for j = 1, #rows, 2 do
    local stop = string.find(rows[j], '\\t', 17, true)
    rows[j] = string.sub(rows[j], 17, stop and stop - 1)
    if rows[j + 1] == 'inf' then rows[j + 1] = 'Infinity' end
  end
  answers[i - 1] = '[' .. table.concat(rows, ',') .. ']'
end
return answers
"""
"""Arguments: the last position to return of each user, from 0 for the latest event, or -1 for all;
and users. Returns a text per user, which a client parses faster than a list: JSON of item and type,
time, item and type, time, and so on, latest first."""

FORGET = """
local events = 'sasrec:events:' .. ARGV[1]
local count = redis.call('ZCARD', events)
redis.call('DEL', events, 'sasrec:ids:' .. ARGV[1])
redis.call('DECRBY', 'sasrec:n_events', count)
return count
"""
"""Argument: the user. Returns the number of deleted events."""

PRUNE = """
local events, ids = 'sasrec:events:' .. ARGV[1], 'sasrec:ids:' .. ARGV[1]
local old = redis.call('ZRANGEBYSCORE', events, '-inf', '(' .. ARGV[2])
for _, member in ipairs(old) do
  local stop = string.find(member, '\\t', 17, true)
  if stop then redis.call('SREM', ids, string.sub(member, stop + 1)) end
end
redis.call('ZREMRANGEBYSCORE', events, '-inf', '(' .. ARGV[2])
redis.call('DECRBY', 'sasrec:n_events', #old)
return #old
"""
"""Arguments: user and time. Returns the number of deleted events."""
