-- Bounded windows, for deployments that keep the heaviest records alone. `most` records of a dimension
-- have a counter in a window, as in an exact one. While there are no more, every counter is exact and
-- nothing else exists. When one more comes, the window is FULL, and has beside its counters
--   H:<tier>:<dimension>:{tag}:<start>:PG
--     floor   no record without a counter has more views than this
--     total   the views of all records
--     sketch  1 while the sketch holds all views that were not counted in a counter
--     <id>    how much of a counter may be too much, where it may be
--   CMS:<tier>:<dimension>:{tag}:<start>:PG   those views, in a count-min sketch
-- A counter is never less than the truth, and less `<id>` never more. Where the sketch fails, for it
-- belongs to a module, the floor alone is the bound: wider, and still right.
local sketch_width, sketch_depth = 1024, 4

local function bounds_key(tier, dimension, tag, start)
    return 'H:' .. tier.name .. ':' .. dimension .. ':{' .. tag .. '}:' .. start .. ':PG'
end

local function sketch_key(tier, dimension, tag, start)
    return 'CMS:' .. tier.name .. ':' .. dimension .. ':{' .. tag .. '}:' .. start .. ':PG'
end

-- The records of a dimension that have a document and series: `SS:KEPT`, by when they were last seen.
local function kept_key(dimension, tag)
    return 'SS:KEPT:' .. dimension .. ':{' .. tag .. '}::'
end

-- How many records of a dimension may have a document and series, for `most` counters of a window.
local function most_kept(most) return most * 4 end

-- Which of some records have series: all, unless the deployment is bounded.
local function having_series(most, dimension, tag, ids)
    local having = {}
    local scores = most > 0 and #ids > 0 and redis.call('ZMSCORE', kept_key(dimension, tag), unpack(ids))
    for i, id in ipairs(ids) do having[id] = not scores or scores[i] ~= false end
    return having
end

local function is_kept(dimension, tag, id)
    return redis.call('ZSCORE', kept_key(dimension, tag), id) ~= false
end

-- Notes that a record was seen, if it is certainly heavy or noted already. Where there are too many, the
-- one not seen for longest loses its document and series; its counters stay as long as their windows.
local function keep_record(most, tiers, dimension, tag, id, now, is_heavy)
    local kept = kept_key(dimension, tag)
    local added = redis.call('ZADD', kept, is_heavy and 'GT' or 'XX', now, id)
    if not is_heavy then return is_kept(dimension, tag, id) end
    if added == 1 and redis.call('ZCARD', kept) > most_kept(most) then
        local gone = redis.call('ZPOPMIN', kept)[1]
        local keys = {document_key(dimension, tag, gone), series_key(tiers[2], dimension, tag, gone, 'PG')}
        for number = 2, #tiers do
            keys[#keys + 1] = series_key(tiers[number], dimension, tag, gone, 'UD')
        end
        for _, child in ipairs({'S', 'P'}) do
            keys[#keys + 1] = 'SS:LATEST:' .. child .. ':{' .. tag .. '}' .. gone .. '::'
        end
        redis.call('UNLINK', unpack(keys))
        redis.call('ZREM', 'SS:VISITS::{' .. tag .. '}::', dimension .. gone)
        if dimension == 'P' then
            redis.call('ZREM', 'SS:ENRICH:P:{' .. tag .. '}::', gone)
            redis.call('HDEL', 'H:ENRICH:P:{' .. tag .. '}::', gone)
        end
    end
    return true
end

-- The most views that records without a counter can have, in the order of `ids`.
local function bounds_of(floor, sketch, ids)
    local bounds = {}
    local estimates = sketch and #ids > 0 and attempt('CMS.QUERY', sketch, unpack(ids))
    for i = 1, #ids do
        local estimate = estimates and tonumber(estimates[i])
        bounds[i] = estimate and math.min(floor, estimate) or floor
    end
    return bounds
end

-- Adds {id, views, …} to a sketch; without it, or when it fails, the window goes on with its floor.
local function note_in_sketch(bounds, sketch, pairs)
    for from = 1, #pairs, 4000 do
        local replies = attempt('CMS.INCRBY', sketch, unpack(pairs, from, math.min(from + 3999, #pairs)))
        local failed = not replies
        for _, reply in ipairs(replies or {}) do failed = failed or type(reply) == 'table' end
        if failed then
            redis.call('HDEL', bounds, 'sketch')
            redis.call('DEL', sketch)
            return false
        end
    end
    return true
end

local function new_sketch(bounds, sketch)
    redis.call('DEL', sketch)
    if not attempt('CMS.INITBYDIM', sketch, sketch_width, sketch_depth) then return false end
    redis.call('HSET', bounds, 'sketch', 1)
    return true
end

local function sum_of(counters)
    local rows, sum = redis.call('ZRANGE', counters, 0, -1, 'WITHSCORES'), 0
    for i = 2, #rows, 2 do sum = sum + tonumber(rows[i]) end
    return sum
end

-- Adds what a full part can have of records without a counter there to `sums`, and what any of it may be
-- too much to `spread`, by the places of `ids`.
local function add_bounds(tier, dimension, tag, start, ids, scores, sums, spread)
    local bounds = bounds_key(tier, dimension, tag, start)
    local held = redis.call('HMGET', bounds, 'floor', 'sketch')
    if not held[1] then return end
    local errors = redis.call('HMGET', bounds, unpack(ids))
    local without, places = {}, {}
    for i, id in ipairs(ids) do
        if scores[i] then
            spread[i] = spread[i] + tonumber(errors[i] or 0)
        else
            without[#without + 1], places[#places + 1] = id, i
        end
    end
    local upper = bounds_of(tonumber(held[1]), held[2] and sketch_key(tier, dimension, tag, start), without)
    for k, i in ipairs(places) do
        sums[i], spread[i] = sums[i] + upper[k], spread[i] + upper[k]
    end
end

-- Ends the merge of one dimension of a bounded window: no more counters than `most`, and bounds for the
-- rest, made of those of its parts. CMS.MERGE overwrites its target, so doing it twice changes nothing;
-- what loses its counter now is added to it after that, in the same step.
-- Returns the ids that lost their counters.
local function settle_bounded(most, tier, below, dimension, tag, start, children)
    local counters = pageviews_key(tier, dimension, tag, start)
    local bounds, sketch = bounds_key(tier, dimension, tag, start), sketch_key(tier, dimension, tag, start)
    local floor, total, is_full, sketches, is_sketched = 0, 0, false, {}, true
    for _, child in ipairs(children) do
        local held = redis.call('HMGET', bounds_key(below, dimension, tag, child), 'floor', 'total', 'sketch')
        if held[1] then
            is_full, floor, total = true, floor + tonumber(held[1]), total + tonumber(held[2])
            is_sketched = is_sketched and held[3]
            sketches[#sketches + 1] = sketch_key(below, dimension, tag, child)
        else
            total = total + sum_of(pageviews_key(below, dimension, tag, child))
        end
    end
    local excess = redis.call('ZCARD', counters) - most
    if not is_full and excess <= 0 then return {} end
    local dropped, tail = {}, {}
    local rows = excess > 0 and redis.call('ZRANGE', counters, 0, excess - 1, 'WITHSCORES') or {}
    for i = 1, #rows, 2 do
        local error = tonumber(redis.call('HGET', bounds, rows[i]) or 0)
        dropped[#dropped + 1] = rows[i]
        tail[#tail + 1] = rows[i]
        tail[#tail + 1] = text(tonumber(rows[i + 1]) - error)
        floor = math.max(floor, tonumber(rows[i + 1]))
    end
    if #dropped > 0 then
        redis.call('ZREMRANGEBYRANK', counters, 0, excess - 1)
        redis.call('HDEL', bounds, unpack(dropped))
    end
    redis.call('HDEL', bounds, 'sketch')
    redis.call('HSET', bounds, 'floor', text(floor), 'total', text(total))
    if is_sketched and new_sketch(bounds, sketch) then
        if #sketches == 0 or attempt('CMS.MERGE', sketch, #sketches, unpack(sketches)) then
            note_in_sketch(bounds, sketch, tail)
        else
            redis.call('HDEL', bounds, 'sketch')
            redis.call('DEL', sketch)
        end
    end
    return dropped
end

-- Counts {id, views, devices, …} in a bounded window.
-- Returns the counters of the records that have one now, the ids that lost theirs, and the records whose
-- views are certainly more than those of any record without a counter.
local function count_bounded(most, window, dimension, tag, entries)
    local counters = pageviews_key(window.tier, dimension, tag, window.start)
    local bounds = bounds_key(window.tier, dimension, tag, window.start)
    local sketch = sketch_key(window.tier, dimension, tag, window.start)
    local held = redis.call('HMGET', bounds, 'floor', 'sketch')
    local floor, has_sketch = tonumber(held[1]), held[2] and true
    local size = redis.call('ZCARD', counters)
    local counted, lost, new, all = {}, {}, {}, 0
    for j = 1, #entries, 3 do
        local id = entries[j]
        if redis.call('ZSCORE', counters, id) then
            counted[id] = tonumber(redis.call('ZINCRBY', counters, entries[j + 1], id))
        elseif not floor and size < most then
            redis.call('ZADD', counters, entries[j + 1], id)
            counted[id], size = entries[j + 1], size + 1
        else
            new[#new + 1] = j
        end
        all = all + entries[j + 1]
    end
    if floor then redis.call('HINCRBY', bounds, 'total', text(all)) end
    if #new > 0 then
        if not floor then
            local rest = 0
            for _, j in ipairs(new) do rest = rest + entries[j + 1] end
            redis.call('HSET', bounds, 'floor', 0, 'total', text(sum_of(counters) + rest))
            floor, has_sketch = 0, new_sketch(bounds, sketch)
        end
        local ids, tail = {}, {}
        for i, j in ipairs(new) do ids[i] = entries[j] end
        local before = bounds_of(floor, has_sketch and sketch, ids)
        for i, j in ipairs(new) do
            local id, views = ids[i], entries[j + 1]
            local score = before[i] + views
            local lowest = size >= most and redis.call('ZRANGE', counters, 0, 0, 'WITHSCORES')
            if not lowest or score > tonumber(lowest[2]) then
                if lowest then
                    local out, had = lowest[1], tonumber(lowest[2])
                    local error = tonumber(redis.call('HGET', bounds, out) or 0)
                    redis.call('ZREM', counters, out)
                    redis.call('HDEL', bounds, out)
                    tail[#tail + 1] = out
                    tail[#tail + 1] = text(had - error)
                    floor = math.max(floor, had)
                    counted[out] = nil
                    lost[#lost + 1] = out
                    size = size - 1
                end
                redis.call('ZADD', counters, score, id)
                if before[i] > 0 then redis.call('HSET', bounds, id, text(before[i])) end
                counted[id], size = score, size + 1
            else
                tail[#tail + 1] = id
                tail[#tail + 1] = text(views)
                floor = math.max(floor, score)
            end
        end
        redis.call('HSET', bounds, 'floor', text(floor))
        if has_sketch then note_in_sketch(bounds, sketch, tail) end
    end
    local heavy, ids = {}, {}
    for id in pairs(counted) do ids[#ids + 1] = id end
    local errors = floor and #ids > 0 and redis.call('HMGET', bounds, unpack(ids))
    for i, id in ipairs(ids) do
        heavy[id] = not floor or counted[id] - tonumber(errors[i] or 0) > floor
    end
    if window.ends then
        redis.call('PEXPIREAT', bounds, window.ends)
        redis.call('PEXPIREAT', sketch, window.ends)
    end
    return counted, lost, heavy
end
