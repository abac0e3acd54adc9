-- Reads a source behind a position, and says how far "nothing more" reaches.
--
-- KEYS  1 stream · 2 state of the source (same slot)
-- ARGV  1 position: entries after it · 2 how many at most · 3 'live' | 'import' · 4 bytes kept of a field
--       5 position of the reading before, '' = none · 6 entries between the two
-- Reply {clock ms, position that may become a watermark, replicas online, trimmed to or '', entries, 1 = no more}
-- Only a position returned here may become a watermark. When nothing is left of a live source, the
-- stream's last id is first moved up to the clock: else an entry made in the same ms, after a clock step
-- or on a promoted node with another clock, could get an id at or below a watermark and be lost.
-- XSETID writes in every case, so that a WAIT on the same connection covers all that was read.
-- The state says how many entries were ever added up to a position: nobody has to read a backlog to know
-- how long it is.
local stream, from, most = KEYS[1], ARGV[1], tonumber(ARGV[2])

-- Entries after one position up to another; nil when they are many.
local function between(low, high)
    local count = 0
    while count < 1024 do
        local some = redis.call('XRANGE', stream, '(' .. low, high, 'COUNT', 16)
        count = count + #some
        if #some < 16 then return count end
        low = some[16][1]
    end
end

-- How many entries were ever added up to the position of the reading before; nil when nobody knows.
local function added_before(position)
    local known = redis.call('HMGET', KEYS[2], 'at', 'added')
    local at, added = known[1], tonumber(known[2])
    if not added or at == position then return added end
    -- Another node read since, or this one reads again what a shard has lost.
    local back = newer(at, position)
    local count = back and between(position, at) or not back and between(at, position)
    return count and added + (back and -count or count)
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local before = string.format('%d-0', now - 1)
local kind = redis.call('TYPE', stream).ok
if kind == 'none' then
    if ARGV[3] ~= 'live' then return {now, from, 0, '', {}, 1} end
    redis.call('XADD', stream, before, 'created', '1')
    redis.call('XTRIM', stream, 'MAXLEN', 0)
elseif kind ~= 'stream' then
    return redis.error_reply('WRONGTYPE ' .. stream .. ' is a ' .. kind .. ', not a stream')
end
local entries, ended = {}, false
if most > 0 then entries, ended = entries_after(stream, from, '+', most, tonumber(ARGV[4])) end
local last, added
local info = redis.call('XINFO', 'STREAM', stream)
for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
    if info[i] == 'entries-added' then added = info[i + 1] end
end
local position = from
if #entries > 0 then position = entries[#entries][1] end
if ended and ARGV[3] == 'live' then
    if newer(before, last) then last = before end
    if newer(last, position) then position = last end
end
redis.call('XSETID', stream, last)
if ARGV[5] ~= '' then
    if not ended then
        local before = added_before(ARGV[5])
        added = before and before + ARGV[6] + #entries
    end
    if added then
        redis.call('HSET', KEYS[2], 'at', position, 'added', text(added))
    else
        redis.call('HDEL', KEYS[2], 'at', 'added')
    end
end
local online = 0
for state in string.gmatch(redis.call('INFO', 'replication'), 'slave%d+:[^\r\n]*state=(%a+)') do
    if state == 'online' then online = online + 1 end
end
return {now, position, online, redis.call('HGET', KEYS[2], 'trimmed') or '', entries,
    ended and 1 or 0}
