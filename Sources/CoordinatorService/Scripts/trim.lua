-- Removes entries that every shard has held for long, and keeps where it cut beside the stream.
--
-- KEYS  1 stream · 2 state of the source (same slot)
-- ARGV  1 first id to keep · 2 '1' = exactly (a finished import), '0' = whole nodes of the stream only
-- Reply entries removed
-- A watermark below `trimmed` means a hole, which `audit` and the reader report.
if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then return 0 end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not first then return 0 end
local removed
if ARGV[2] == '1' then
    removed = redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])
else
    removed = redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[1])
end
if removed > 0 then redis.call('HSET', KEYS[2], 'trimmed', ARGV[1]) end
return removed
