-- Adds entries to a stream whose ids its writer makes, by compare-and-set on the stream's last id. The
-- position of who writes is that last id and nothing else: it goes back with the entries, if a failover
-- takes some, and a writer that did not notice is told instead of leaving a hole.
--
-- KEYS  1 stream · 2 guard (never exists: the same slot)
-- ARGV  1 last id expected, '0-0' for none · 2 entries {id, {field, value, …}, …}, all after it
-- Reply {1, last id}: added · {0, last id}: the stream is elsewhere, nothing was added
local stream, last = KEYS[1], '0-0'
local kind = redis.call('TYPE', stream).ok
if kind == 'stream' then
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
elseif kind ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. stream .. ' is a ' .. kind .. ', not a stream')
end
if last ~= ARGV[1] then return {0, last} end
local entries = cmsgpack.unpack(ARGV[2])
for i = 1, #entries, 2 do
    last = redis.call('XADD', stream, entries[i], unpack(entries[i + 1]))
end
return {1, last}
