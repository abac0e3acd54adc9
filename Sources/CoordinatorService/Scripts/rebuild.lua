-- Makes records of a merged window again from the tier below, as the merge made them, and says what that
-- changes. It takes no token: what it writes follows from what lies in the slot in the same step, so it
-- needs no owner and cannot race one. `apply` folds an event into a window and its parts in one step, too,
-- so parts and whole agree before and after. Only while the window above is being merged it has to wait:
-- devices that were merged there cannot be taken out again.
--
-- KEYS  1 state · 2 guard (never exists)
-- ARGV  1 tag · 2 settings stamp · 3 ladder · 4 series · 5 tier number · 6 window, ms
--       7 dimension · 8 parts that the caller found {start, …} · 9 ids {id, …} · 10 '1' = write
-- Reply {'OK', {id, views before, after, devices before, after, 1 = series differs, …}, faults, last fault}
--       {'SETTINGS', stamp held} · {'BUSY'}: the window above is being merged
--       {'ELSEWHERE'}: the window is not merged, it or a part has expired, or there are other parts
-- Devices before are -1 where the key holds something else.
local state, tag = KEYS[1], ARGV[1]
local tiers = ladder(ARGV[3])
local series = series_settings(ARGV[4])
local number, start = tonumber(ARGV[5]), tonumber(ARGV[6])
local dimension, writes = ARGV[7], ARGV[10] == '1'
local parts, ids = cmsgpack.unpack(ARGV[8]), cmsgpack.unpack(ARGV[9])
local tier, below, above = tiers[number], tiers[number - 1], tiers[number + 1]
local held = redis.call('HMGET', state, 'settings', 'open', 'floor', 'done:' .. tier.name,
    above and 'done:' .. above.name or 'settings')
if held[1] ~= ARGV[2] then return {'SETTINGS', held[1] or ''} end
if start + tier.length > tonumber(held[4] or 0) then return {'ELSEWHERE'} end
if above and held[2] == number + 1 .. ':' .. text(floor_to(start, above.length)) then return {'BUSY'} end

-- Whatever has a second left or less may go before its successor comes.
local now, expiry = clock() + 1000, expiry_key(tag)
local function is_gone(of, first)
    local ends = redis.call('ZSCORE', expiry, of .. ':' .. text(first))
    return ends and tonumber(ends) <= now
end
local children = redis.call('ZRANGE', windows_key(below, tag), text(start),
    '(' .. text(start + tier.length), 'BYSCORE')
if #children ~= #parts or is_gone(number, start) then return {'ELSEWHERE'} end
for i, child in ipairs(children) do
    if tonumber(child) ~= parts[i] or is_gone(number - 1, tonumber(child)) then return {'ELSEWHERE'} end
end

-- Everything is read before anything is written: an error leaves all as it is.
local counters = pageviews_key(tier, dimension, tag, text(start))
local head, tail = devices_head(tier, dimension, tag), devices_tail(text(start))
local records, before = {}, redis.call('ZMSCORE', counters, unpack(ids))
for i, id in ipairs(ids) do
    records[i] = {id = id, was = tonumber(before[i] or 0), is = before[i] and true, views = 0, keys = {}}
end
for _, child in ipairs(children) do
    local scores = redis.call('ZMSCORE', pageviews_key(below, dimension, tag, child), unpack(ids))
    for i, record in ipairs(records) do
        if scores[i] then
            record.views = record.views + tonumber(scores[i])
            record.keys[#record.keys + 1] = devices_head(below, dimension, tag) .. record.id
                .. devices_tail(child)
        end
    end
end

-- Whether a series shows something else than a figure, where it can show one at all.
local function differs(key, figure)
    local found = redis.pcall('TS.RANGE', key, text(start), text(start))
    if found.err then return figure > 0 and not string.find(found.err, 'WRONGTYPE', 1, true) end
    local sample = found[1]
    if sample then return tonumber(sample[2].ok or sample[2]) ~= figure end
    local newest = redis.call('TS.GET', key)[1]
    return figure > 0 and not (newest and start <= newest - series.retention)
end
for _, record in ipairs(records) do
    record.target = head .. record.id .. tail
    local had = redis.pcall('PFCOUNT', record.target)
    record.had = type(had) == 'number' and had or -1
    record.devices = 0
    if #record.keys > 0 then record.devices = attempt('PFCOUNT', unpack(record.keys)) end
    record.pg = number == 2 and series_key(tier, dimension, tag, record.id, 'PG')
    record.ud = series_key(tier, dimension, tag, record.id, 'UD')
    record.shown = record.devices
        and (record.pg and differs(record.pg, record.views) or differs(record.ud, record.devices))
end

-- When the window's keys end: what was written down, or what its merge would write now.
local ends = redis.call('ZSCORE', expiry, number .. ':' .. text(start))
if not ends and (not above or start < tonumber(held[5] or 0)) then
    ends = text(expiry_of(tiers, number, start, tonumber(held[3] or 0)))
end
local function expire(key)
    if ends then redis.call('PEXPIREAT', key, ends) else redis.call('PERSIST', key) end
end

local function write_devices(record)
    redis.call('DEL', record.target)
    if record.devices == 0 then return end
    if #record.keys == 1 then
        redis.call('COPY', record.keys[1], record.target)
        redis.call('PERSIST', record.target)
    else
        seed(record.target, record.keys)
        redis.call('PFMERGE', record.target, unpack(record.keys))
    end
    expire(record.target)
end
local function write_sample(key, metric, record, figure)
    if figure > 0 then
        sample(series, tier, dimension, tag, record.id, metric, text(start), figure, 'LAST')
    elseif redis.call('EXISTS', key) == 1 then
        redis.pcall('TS.DEL', key, text(start), text(start))
    end
end
local changed = {}
for _, record in ipairs(records) do
    -- A part whose devices cannot be read is a fault of its own: its record is left as it is.
    if record.devices then
        local exists = #record.keys > 0
        if record.was ~= record.views or record.had ~= record.devices or record.shown
            or (record.is and not exists) then
            for _, value in ipairs({record.id, text(record.was), text(record.views), text(record.had),
                text(record.devices), record.shown and 1 or 0}) do
                changed[#changed + 1] = value
            end
        end
        if writes then
            if exists then
                redis.call('ZADD', counters, text(record.views), record.id)
            else
                redis.call('ZREM', counters, record.id)
            end
            write_devices(record)
            if record.pg then write_sample(record.pg, 'PG', record, record.views) end
            write_sample(record.ud, 'UD', record, record.devices)
        end
    end
end
if writes then
    expire(counters)
    if #children > 0 then
        redis.call('ZADD', windows_key(tier, tag), text(start), text(start))
        if ends then redis.call('ZADD', expiry, 'NX', ends, number .. ':' .. text(start)) end
    else
        local holds = 0
        for _, letter in ipairs(dimensions) do
            holds = holds + redis.call('EXISTS', pageviews_key(tier, letter, tag, text(start)))
        end
        if holds == 0 then
            redis.call('ZREM', windows_key(tier, tag), text(start))
            redis.call('ZREM', expiry, number .. ':' .. text(start))
        end
    end
    keep_faults(state)
end
return {'OK', changed, faults.count, faults.last or ''}
