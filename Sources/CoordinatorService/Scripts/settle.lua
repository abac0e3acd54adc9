-- Notes how far the shards hold a source, unless its record was written anew meanwhile: a source
-- that was opened again, by a second replay or a grown file, must not be taken for a finished one.
--
-- KEYS  1 sources · 2 guard (never exists)
-- ARGV  1 the source's key · 2 its record as the caller knows it, JSON · 3 the record to write
-- Reply 1 when it is written, 0 when another record stands there
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if not stored then return 0 end
local held, known = cjson.decode(stored), cjson.decode(ARGV[2])
-- Whoever opens a source or says how far it is writes one of these anew.
for _, name in ipairs({'startedAt', 'markedAt', 'isFinished', 'lastID'}) do
    if held[name] ~= known[name] then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
