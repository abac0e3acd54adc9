-- Applies what a batch of one source means for one shard, exactly once, by compare-and-set on the
-- watermark. It carries no fencing token: two readers may both run, and nothing is counted twice.
--
-- KEYS  1 state (ledger and watermarks) · 2 guard (never exists)
-- ARGV  1 tag · 2 source · 3 watermark expected ('' = none yet) · 4 watermark after · 5 settings stamp
--       6 ladder · 7 series {retention ms, chunk bytes} · 8 floor: start of the import in ms, 0 for a live source
--       9 ledger {counted, read, reason, n, reason, n, …}
--      10 deltas {window start, dimension, {id, views, {device, …} | false, …}, …}
--      11 documents {dimension, id, visited ms, document as JSON | false, article id | false, …}
--      12 children {parent id, dimension of the children, {visited ms, JSON without its last brace, …}, …}
--      13 dead letters {entry id, reason, detail, {field, value, …}, …}
--      14 when the deployment was initialised, ms · 15 how many records a bounded window counts, 0 = all
-- Reply {'OK', faults, last fault} · {'WATERMARK', stored or ''} · {'SETTINGS', stamp held} · {'UNCLAIMED'}
-- Invariant: what is read again after a failover that lost a suffix gives the same figures.
local state, tag, source = KEYS[1], ARGV[1], ARGV[2]
local held = redis.call('HMGET', state, 'settings', 'wm:' .. source, 'floor', 'open', 'flushed')
if not held[1] then return {'UNCLAIMED'} end
if held[1] ~= ARGV[5] then return {'SETTINGS', held[1]} end
if (held[2] or '') ~= ARGV[3] then return {'WATERMARK', held[2] or ''} end

local tiers = ladder(ARGV[6])
local series = series_settings(ARGV[7])
local now = clock()
local floor = tonumber(ARGV[8])
local initialised = tonumber(ARGV[14])
local deltas = cmsgpack.unpack(ARGV[10])
local most = tonumber(ARGV[15])

local sealed, done = {}, {}
do
    local fields = {}
    for number = 2, #tiers do
        fields[#fields + 1] = 'sealed:' .. tiers[number].name
        fields[#fields + 1] = 'done:' .. tiers[number].name
    end
    local values = redis.call('HMGET', state, unpack(fields))
    for number = 2, #tiers do
        sealed[number] = tonumber(values[(number - 2) * 2 + 1])
        done[number] = tonumber(values[(number - 2) * 2 + 2])
    end
end
local open_tier, open_start
if held[4] then
    open_tier, open_start = string.match(held[4], '^(%d+):(%-?%d+)')
    open_tier, open_start = tonumber(open_tier), tonumber(open_start)
end

-- Where an event of a base window lands: the base window, and every ancestor that is sealed.
local expiry = expiry_key(tag)
local windows, plans = {}, {}
local function window_of(number, start, late)
    local tier = tiers[number]
    local first = floor_to(start, tier.length)
    local member = number .. ':' .. text(first)
    local window = windows[member]
    if window then return window end
    window = {number = number, tier = tier, start = text(first), member = member, alive = true,
        index = windows_key(tier, tag), figures = {}}
    if late then
        local settled = number == #tiers
        if not settled and start < sealed[number + 1] then
            local parent = floor_to(start, tiers[number + 1].length)
            window.requeue = open_tier == number + 1 and open_start == parent
            settled = not window.requeue
        end
        -- What is being merged gets it from its parts, or both would hold it once more.
        window.merging = most > 0 and open_tier == number and open_start == first
        if settled then
            local stored = redis.call('ZSCORE', expiry, member)
            -- A window of the deployment's own time that is not kept any more had events: an import
            -- does not open it again with only its own.
            local from = first >= initialised and 0 or floor
            local ends = stored and tonumber(stored) or expiry_of(tiers, number, first, from)
            window.ends, window.alive = text(ends), ends > now
        end
    end
    windows[member] = window
    return window
end
local function plan(start)
    local found = plans[start]
    if found then return found end
    local late, last = start < sealed[2], 1
    while last < #tiers and start < sealed[last + 1] do last = last + 1 end
    found = {late = late, windows = {}}
    for number = 1, last do found.windows[number] = window_of(number, start, late) end
    plans[start] = found
    return found
end

-- Types first: an error after the first write would count again at every retry.
local function expect(key, kind)
    local found = redis.call('TYPE', key).ok
    if found ~= kind and found ~= 'none' then
        return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ', not a ' .. kind
            .. ': nothing was applied')
    end
end
for i = 1, #deltas, 3 do
    for _, window in ipairs(plan(deltas[i]).windows) do
        local wrong = window.alive
            and (expect(pageviews_key(window.tier, deltas[i + 1], tag, window.start), 'zset')
                or expect(window.index, 'zset')
                or most > 0 and expect(bounds_key(window.tier, deltas[i + 1], tag, window.start), 'hash'))
        if wrong then return wrong end
    end
end

-- In pieces, because unpack takes 7,999 values at most.
local function in_pieces(values, command, key, option)
    for from = 1, #values, 4000 do
        local to = math.min(from + 3999, #values)
        if option then
            attempt(command, key, option, unpack(values, from, to))
        else
            attempt(command, key, unpack(values, from, to))
        end
    end
end

-- Counters and devices. What a sealed window's series must show is noted, once for each record.
local function figure(window, dimension, id)
    local records = window.figures[dimension]
    if not records then
        records = {}
        window.figures[dimension] = records
    end
    local record = records[id]
    if not record then
        record = {views = 0}
        records[id] = record
    end
    return record
end
local heavy = {}
local function land(window, dimension, entries)
    local counters = pageviews_key(window.tier, dimension, tag, window.start)
    local head, tail = devices_head(window.tier, dimension, tag), devices_tail(window.start)
    if not window.indexed then
        redis.call('ZADD', window.index, window.start, window.start)
        if window.ends then redis.call('ZADD', expiry, 'NX', window.ends, window.member) end
        window.indexed = true
    end
    local counted, lost
    if most > 0 then
        local certain
        counted, lost, certain = count_bounded(most, window, dimension, tag, entries)
        for _, id in ipairs(lost) do redis.call('UNLINK', head .. id .. tail) end
        for id, is in pairs(certain) do heavy[dimension .. id] = heavy[dimension .. id] or is end
    end
    for j = 1, #entries, 3 do
        local id, devices = entries[j], entries[j + 2]
        local views
        if counted then
            views = counted[id]
        else
            views = redis.call('ZINCRBY', counters, entries[j + 1], id)
        end
        if devices and views then
            local key = head .. id .. tail
            in_pieces(devices, 'PFADD', key)
            if window.ends then redis.call('PEXPIREAT', key, window.ends) end
        end
        if window.number > 1 and views then
            local record = figure(window, dimension, id)
            record.views = views
            record.devices = record.devices or devices
        end
    end
    if window.ends then redis.call('PEXPIREAT', counters, window.ends) end
    if window.requeue then
        local ids = {}
        for j = 1, #entries, 3 do ids[#ids + 1] = entries[j] end
        for _, id in ipairs(lost or {}) do ids[#ids + 1] = id end
        in_pieces(ids, 'SADD', todo_key(dimension, tag))
    end
end
-- A page view counts in W, S and P, a play in one dimension: each event is tallied once.
local function tallied(dimension) return dimension ~= 'S' and dimension ~= 'P' end
local late_views = 0
for i = 1, #deltas, 3 do
    local dimension, entries = deltas[i + 1], deltas[i + 2]
    local planned = plan(deltas[i])
    if planned.late and tallied(dimension) then
        for j = 1, #entries, 3 do late_views = late_views + entries[j + 1] end
    end
    for _, window in ipairs(planned.windows) do
        if window.merging then
            -- Its parts hold the event, and ask for the record again.
        elseif window.alive then
            land(window, dimension, entries)
        elseif window.number == 2 then
            for j = 1, #entries, 3 do
                local record = figure(window, dimension, entries[j])
                record.views = record.views + entries[j + 1]
            end
        end
    end
end

-- Ledger and watermark. The watermark is written twice: a hand that moves one is found by `audit`.
local ledger = cmsgpack.unpack(ARGV[9])
local function count(field, by)
    if by > 0 then redis.call('HINCRBY', state, field, by) end
end
count('counted:' .. source, ledger[1])
count('read:' .. source, ledger[2])
for i = 3, #ledger, 2 do count('refused:' .. source .. ':' .. ledger[i], ledger[i + 1]) end
count('late', late_views)
redis.call('HSET', state, 'wm:' .. source, ARGV[4], 'at:' .. source, ARGV[4])
if floor > tonumber(held[3] or 0) then redis.call('HSET', state, 'floor', ARGV[8]) end

local letters = cmsgpack.unpack(ARGV[13])
for i = 1, #letters, 4 do
    attempt('XADD', 'ST:DEADLETTER::{' .. tag .. '}::', 'MAXLEN', '~', 100000, '*', 'source', source,
        'id', letters[i], 'reason', letters[i + 1], 'detail', letters[i + 2], unpack(letters[i + 3]))
end

-- Documents: made on first sight; later visits wait in one sorted set, so that a record is written at
-- most once a minute however fast its events come, and the newest visit is never lost.
local visits = 'SS:VISITS::{' .. tag .. '}::'

-- A document that an older program made gets what it lacks; the rest of it may be newer than ours.
local function upgrade(key, json)
    local held = at_paths(key, {'$.schema_version'})
    if not held then return end
    local whole = cjson.decode(json)
    if (tonumber(held['$.schema_version']) or 0) < whole.schema_version then
        local change = {schema_version = whole.schema_version, words = whole.words}
        attempt('JSON.MERGE', key, '$', cjson.encode(change))
    end
end
local documents = cmsgpack.unpack(ARGV[11])
local function document(i)
    local dimension, id, visited, json = documents[i], documents[i + 1], documents[i + 2], documents[i + 3]
    local made = false
    if most > 0 and not keep_record(most, tiers, dimension, tag, id, now, heavy[dimension .. id]) then return end
    if json then
        made = attempt('JSON.SET', document_key(dimension, tag, id), '$', json, 'NX')
        if made and documents[i + 4] then
            attempt('XADD', 'ST:ENRICH:P:{' .. tag .. '}::', 'MAXLEN', '~',
                most > 0 and most_kept(most) or 1000000, '*', 'id', id, 'article_id', documents[i + 4])
        end
        if not made then upgrade(document_key(dimension, tag, id), json) end
    end
    if not made or dimension == 'W' or dimension == 'S' then
        attempt('ZADD', visits, 'GT', text(visited), dimension .. id)
    end
end
for i = 1, #documents, 5 do document(i) end
local children = cmsgpack.unpack(ARGV[12])
for i = 1, #children, 3 do
    local key = 'SS:LATEST:' .. children[i + 1] .. ':{' .. tag .. '}' .. children[i] .. '::'
    -- A parent that has no document has no lists; of which dimension it is, the children do not say.
    if most == 0 or is_kept('W', tag, children[i]) or is_kept('S', tag, children[i]) then
        in_pieces(children[i + 2], 'ZADD', key, 'GT')
        attempt('ZREMRANGEBYRANK', key, 0, -201)
    end
end

-- Visits that wait are written in the next minute of the clock, a few ms' worth at a call.
local minute = math.floor(now / 60000)
if minute > tonumber(held[5] or 0) then
    local effort = 24
    local weights = {S = 6, W = 12}
    while effort > 0 do
        local popped = redis.call('ZPOPMIN', visits)
        if not popped[1] then
            redis.call('HSET', state, 'flushed', minute)
            break
        end
        local dimension, id = string.sub(popped[1], 1, -41), string.sub(popped[1], -40)
        effort = effort - (weights[dimension] or 1)
        local key = document_key(dimension, tag, id)
        local stored = at_paths(key, {'$.last_visited'})
        if stored then
            local last = tonumber(stored['$.last_visited']) or 0
            local newest = text(math.max(last, tonumber(popped[2])))
            local change = '{"last_visited":' .. newest
            if dimension == 'W' then change = change .. ',"sections":' .. listed('S', tag, id) end
            if dimension == 'W' or dimension == 'S' then
                change = change .. ',"pages":' .. listed('P', tag, id)
            end
            attempt('JSON.MERGE', key, '$', change .. '}')
        end
    end
end

-- Series of windows that were sealed before these events came: whole figures while the window is kept,
-- and a correction of the pageviews after that.
local function correct(window, dimension, id, record)
    if most > 0 and not is_kept(dimension, tag, id) then return end
    if not window.alive then
        sample(series, window.tier, dimension, tag, id, 'PG', window.start, record.views, 'SUM')
        return
    end
    if window.number == 2 then
        sample(series, window.tier, dimension, tag, id, 'PG', window.start, record.views, 'LAST')
    end
    if record.devices then
        local devices = attempt('PFCOUNT',
            devices_head(window.tier, dimension, tag) .. id .. devices_tail(window.start))
        if devices then
            sample(series, window.tier, dimension, tag, id, 'UD', window.start, devices, 'LAST')
        end
    end
end
for _, window in pairs(windows) do
    for dimension, records in pairs(window.figures) do
        for id, record in pairs(records) do correct(window, dimension, id, record) end
    end
end
keep_faults(state)
return {'OK', faults.count, faults.last or ''}
