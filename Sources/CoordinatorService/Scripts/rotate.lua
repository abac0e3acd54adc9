-- Takes the rotation of a shard one step further: seals what is due, merges, records. It takes its place
-- from the slot, never from the caller, so that a successor goes on where a dead node stopped.
--
-- KEYS  1 state (fence and ledger) · 2 guard (never exists)
-- ARGV  1 tag · 2 token · 3 settings stamp · 4 ladder · 5 series {retention ms, chunk bytes} · 6 grace, ms
--       7 sources that rotation waits for {source, …} · 8 effort: how many records to merge at most
--       9 tiers that are paused {name, …}: no window of theirs is sealed
--      10 how many records a bounded window counts, 0 = all
-- Reply {'FENCED', token held} · {'SETTINGS', stamp held}
--       {'DONE' | 'OPEN' | 'IDLE', tier number, window, records merged, faults, last fault, next due ms,
--        {sealed to, done to, …} by tier}
--       next due: the clock at which the shard may have work again; 0 = at once.
--
-- From the moment a window is sealed, `apply` folds its late events into it and into the children, and
-- asks for the record again in the list of what is still to merge. A merge SETS the pageviews to the sum
-- of the children, which hold everything until the window is done, and only ADDS to the devices: doing a
-- record twice changes nothing.
local state, tag = KEYS[1], ARGV[1]
local tiers = ladder(ARGV[4])
local fields = {'settings', 'token', 'open', 'floor'}
for number = 2, #tiers do
    fields[#fields + 1] = 'sealed:' .. tiers[number].name
    fields[#fields + 1] = 'done:' .. tiers[number].name
end
local sources = cmsgpack.unpack(ARGV[7])
for _, source in ipairs(sources) do fields[#fields + 1] = 'wm:' .. source end
local held = redis.call('HMGET', state, unpack(fields))
if held[2] ~= ARGV[2] then
    if held[2] then redis.call('HINCRBY', state, 'fenced', 1) end
    return {'FENCED', held[2] or ''}
end
if held[1] ~= ARGV[3] then return {'SETTINGS', held[1] or ''} end

local series = series_settings(ARGV[5])
local grace = tonumber(ARGV[6])
local most = tonumber(ARGV[10])
local floor = tonumber(held[4] or 0)
local sealed, done = {}, {}
for number = 2, #tiers do
    sealed[number] = tonumber(held[5 + (number - 2) * 2])
    done[number] = tonumber(held[6 + (number - 2) * 2])
end
local now = clock()
local number, start
local expiry = expiry_key(tag)

-- Until when every listed source has been read, and the clock has gone, beyond the grace.
local horizon = now
for i = 1, #sources do
    local mark = held[4 + (#tiers - 1) * 2 + i]
    horizon = math.min(horizon, mark and tonumber(string.match(mark, '^(%d+)-')) or 0)
end
horizon = horizon - grace

local function children_of(number, start)
    return redis.call('ZRANGE', windows_key(tiers[number - 1], tag), text(start),
        '(' .. text(start + tiers[number].length), 'BYSCORE')
end

local function forget_expired()
    local gone = redis.call('ZRANGE', expiry, '-inf', text(now), 'BYSCORE', 'LIMIT', 0, 64)
    for _, member in ipairs(gone) do
        local number, start = string.match(member, '^(%d+):(%-?%d+)$')
        redis.call('ZREM', windows_key(tiers[tonumber(number)], tag), start)
        redis.call('ZREM', expiry, member)
    end
end

local paused = {}
for _, name in ipairs(cmsgpack.unpack(ARGV[9])) do paused[name] = true end

-- The first window that is due, or nil. Stretches without a single event are passed over in one step.
local function seal_next()
    for number = 2, #tiers do
        local tier, below = tiers[number], tiers[number - 1]
        local limit = floor_to(number == 2 and horizon or math.min(horizon, done[number - 1]), tier.length)
        if limit > sealed[number] and not paused[tier.name] then
            local child = redis.call('ZRANGE', windows_key(below, tag), text(sealed[number]), '+inf',
                'BYSCORE', 'LIMIT', 0, 1)[1]
            local window = child and floor_to(tonumber(child), tier.length) or limit
            local pass = math.min(window, limit)
            if pass > sealed[number] then
                sealed[number], done[number] = pass, pass
                redis.call('HSET', state, 'sealed:' .. tier.name, text(pass), 'done:' .. tier.name, text(pass))
            end
            if window < limit then
                redis.call('HSET', state, 'open', number .. ':' .. text(window),
                    'sealed:' .. tier.name, text(window + tier.length), 'collected', '0')
                sealed[number] = window + tier.length
                redis.call('ZADD', windows_key(tier, tag), text(window), text(window))
                return number, window
            end
        end
    end
end

-- The ids of the children go to the list of what is to merge, some thousands at a call: a call that
-- listed many merges none, so that neither kind keeps Redis busy for long.
local most_listed, listed_and_merged = 4000, 500
-- `collected` is there until all are listed, and stays 0: a version that knows fewer dimensions begins
-- again, and lists nothing less. How far this version is stands in `listed`.
local function collect(children)
    local places = redis.call('HMGET', state, 'collected', 'listed')
    if not places[1] then return true end
    local all, many = #children * #dimensions, #dimensions
    local collected, listed = tonumber(places[2] or 0), 0
    while collected < all and listed < most_listed do
        local child = children[math.floor(collected / many) + 1]
        local dimension = dimensions[collected % many + 1]
        local ids = redis.call('ZRANGE', pageviews_key(tiers[number - 1], dimension, tag, child), 0, -1)
        for from = 1, #ids, 4000 do
            redis.call('SADD', todo_key(dimension, tag), unpack(ids, from, math.min(from + 3999, #ids)))
        end
        listed = listed + #ids
        collected = collected + 1
    end
    if collected < all then
        redis.call('HSET', state, 'listed', collected)
        return false
    end
    redis.call('HDEL', state, 'collected', 'listed')
    return listed <= listed_and_merged
end

-- Merges the children's devices into the target; returns how many there are, nil when there are none.
-- Only a target that does not exist is copied: what a late event put there stays.
local function merge_devices(target, keys, views)
    if #keys > 1 or redis.call('COPY', keys[1], target) == 0 then
        if views >= dense_from_views then seed(target, keys) end
        attempt('PFMERGE', target, unpack(keys))
    end
    local devices = attempt('PFCOUNT', target)
    if devices == 0 then
        -- PFMERGE of nothing makes an empty key.
        redis.call('DEL', target)
        return nil
    end
    return devices
end

-- The children's scores of some records: sums, and the keys and expiries of the devices that are there.
local function gather(number, children, dimension, ids)
    local below = tiers[number - 1]
    local sums, keys, ends, spread = {}, {}, {}, {}
    for i = 1, #ids do sums[i], keys[i], ends[i], spread[i] = 0, {}, {}, 0 end
    local head = devices_head(below, dimension, tag)
    for _, child in ipairs(children) do
        local tail = devices_tail(child)
        local expires = text(expiry_of(tiers, number - 1, tonumber(child), floor))
        local scores = redis.call('ZMSCORE', pageviews_key(below, dimension, tag, child), unpack(ids))
        for i = 1, #ids do
            if scores[i] then
                sums[i] = sums[i] + tonumber(scores[i])
                local own = keys[i]
                own[#own + 1] = head .. ids[i] .. tail
                ends[i][#own] = expires
            end
        end
        if most > 0 then add_bounds(below, dimension, tag, child, ids, scores, sums, spread) end
    end
    return sums, keys, ends, spread
end

-- How much a counter of a bounded window may be too much, for some that were made of their parts; and
-- none for those whose parts lost theirs meanwhile.
local function mark(tier, dimension, first, ids, keys, spread)
    local bounds = bounds_key(tier, dimension, tag, first)
    for i, id in ipairs(ids) do
        if #keys[i] > 0 and spread[i] > 0 then
            redis.call('HSET', bounds, id, text(spread[i]))
        else
            redis.call('HDEL', bounds, id)
        end
        if #keys[i] == 0 then
            redis.call('ZREM', pageviews_key(tier, dimension, tag, first), id)
            redis.call('UNLINK', devices_head(tier, dimension, tag) .. id .. devices_tail(first))
        end
    end
end

local function merge(number, start, children, dimension, ids)
    local tier, first = tiers[number], text(start)
    local sums, keys, ends, spread = gather(number, children, dimension, ids)
    if most > 0 then mark(tier, dimension, first, ids, keys, spread) end
    local having = having_series(most, dimension, tag, ids)
    local scores = {}
    for i = 1, #ids do
        if #keys[i] > 0 then
            scores[#scores + 1] = text(sums[i])
            scores[#scores + 1] = ids[i]
        end
    end
    if #scores == 0 then return end
    redis.call('ZADD', pageviews_key(tier, dimension, tag, first), unpack(scores))
    local head, tail = devices_head(tier, dimension, tag), devices_tail(first)
    local top_ends = number == #tiers and text(expiry_of(tiers, number, start, floor))
    local samples = {}
    for i = 1, #ids do
        if #keys[i] > 0 then
            local target = head .. ids[i] .. tail
            local devices = merge_devices(target, keys[i], sums[i])
            if number == 2 and having[ids[i]] then samples[#samples + 1] = {ids[i], 'PG', text(sums[i])} end
            if devices then
                if having[ids[i]] then samples[#samples + 1] = {ids[i], 'UD', devices} end
                if top_ends then redis.call('PEXPIREAT', target, top_ends) end
            end
            for j, key in ipairs(keys[i]) do redis.call('PEXPIREAT', key, ends[i][j]) end
        end
    end
    sample_all(series, tier, dimension, tag, first, samples)
end

local function close(number, start, children)
    local function expire(of, first)
        local ends = text(expiry_of(tiers, of, tonumber(first), floor))
        redis.call('ZADD', expiry, ends, of .. ':' .. first)
        for _, dimension in ipairs(dimensions) do
            redis.call('PEXPIREAT', pageviews_key(tiers[of], dimension, tag, first), ends)
            if most > 0 then
                redis.call('PEXPIREAT', bounds_key(tiers[of], dimension, tag, first), ends)
                redis.call('PEXPIREAT', sketch_key(tiers[of], dimension, tag, first), ends)
            end
        end
    end
    for _, dimension in ipairs(most > 0 and dimensions or {}) do
        local lost = settle_bounded(most, tiers[number], tiers[number - 1], dimension, tag, text(start), children)
        local head, tail = devices_head(tiers[number], dimension, tag), devices_tail(text(start))
        for _, id in ipairs(lost) do redis.call('UNLINK', head .. id .. tail) end
    end
    for _, child in ipairs(children) do expire(number - 1, child) end
    if number == #tiers then expire(number, text(start)) end
    redis.call('HDEL', state, 'open')
    done[number] = start + tiers[number].length
    redis.call('HSET', state, 'done:' .. tiers[number].name, text(start + tiers[number].length))
    redis.call('HINCRBY', state, 'rotations', 1)
end

-- When anything can be due again: the clock has passed the next base parent's end and the grace.
local function next_due()
    return text(sealed[2] + tiers[2].length + grace)
end

local function progress()
    local places = {}
    for at = 2, #tiers do
        places[#places + 1] = text(sealed[at])
        places[#places + 1] = text(done[at])
    end
    return places
end

if held[3] then
    number, start = string.match(held[3], '^(%d+):(%-?%d+)$')
    number, start = tonumber(number), tonumber(start)
else
    forget_expired()
    number, start = seal_next()
    if not number then return {'IDLE', 0, 0, 0, 0, '', next_due(), progress()} end
end
local children = children_of(number, start)
local merged, finished = 0, false
if collect(children) then
    local effort = tonumber(ARGV[8])
    for _, dimension in ipairs(dimensions) do
        while merged < effort do
            local ids = redis.call('SPOP', todo_key(dimension, tag), math.min(effort - merged, 64))
            if #ids == 0 then break end
            merge(number, start, children, dimension, ids)
            merged = merged + #ids
        end
    end
    if merged < effort then
        close(number, start, children)
        finished = true
    end
end
keep_faults(state)
return {finished and 'DONE' or 'OPEN', number, text(start), merged, faults.count, faults.last or '', '0', progress()}
