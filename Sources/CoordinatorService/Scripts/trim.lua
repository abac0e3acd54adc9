-- Removes entries that every shard has held for long, some thousands at a call, and keeps where it cut
-- beside the stream.
--
-- KEYS  1 stream · 2 state of the source (same slot)
-- ARGV  1 first id to keep · 2 '1' = exactly (a finished import), '0' = whole nodes of the stream only
-- Reply entries removed; call it again until it is 0
-- A watermark below `trimmed` means a hole, which `audit` and the reader report: so it is never ahead of
-- what is really gone.
if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then return 0 end
local function first()
    local entry = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
    return entry and entry[1]
end
if not first() then return 0 end
-- Redis stops such a call by itself after a hundred nodes, 10,000 entries unless configured otherwise.
local removed = redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[1])
if removed == 0 and ARGV[2] == '1' then
    -- Exact trimming knows no limit: by now there is a part of one node.
    removed = redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])
end
if removed > 0 then
    local kept = first()
    redis.call('HSET', KEYS[2], 'trimmed', kept and newer(ARGV[1], kept) and kept or ARGV[1])
end
return removed
