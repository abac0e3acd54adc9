-- What every script shares: keys of one shard, time, the ladder, series and documents.
-- The loader puts this text before the script's own, after the line `#!lua` and one that names the
-- dimensions that are counted: `local dimensions = {'W', …}`.
-- `#!lua` without flags: refused as a whole on a replica and when Redis is out of memory, so that no
-- script of ours stops between two writes.

local function text(number)
    return string.format('%.0f', number)
end

-- The server's clock, in ms. Redis freezes it while a script runs.
local function clock()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- ladder: {allowance, name, length, keep, name, length, keep, …}, base first; all in ms.
local function ladder(packed)
    local flat = cmsgpack.unpack(packed)
    local tiers = {allowance = flat[1]}
    for i = 2, #flat, 3 do
        tiers[#tiers + 1] = {name = flat[i], length = flat[i + 1], keep = flat[i + 2]}
    end
    return tiers
end

local function floor_to(time, length)
    return time - time % length
end

local function windows_key(tier, tag)
    return 'SS:' .. tier.name .. '::{' .. tag .. '}::'
end

-- Members `<tier number>:<window start>`, score: when the window's keys expire.
local function expiry_key(tag)
    return 'SS:EXPIRY::{' .. tag .. '}::'
end

local function pageviews_key(tier, dimension, tag, start)
    return 'SS:' .. tier.name .. ':' .. dimension .. ':{' .. tag .. '}:' .. start .. ':PG'
end

-- Ends before the id: `HLL:<tier>:<dimension>:{tag}`; the whole key is that .. id .. devices_tail.
local function devices_head(tier, dimension, tag)
    return 'HLL:' .. tier.name .. ':' .. dimension .. ':{' .. tag .. '}'
end

local function devices_tail(start)
    return ':' .. start .. ':UD'
end

local function document_key(dimension, tag, id)
    return 'J::' .. dimension .. ':{' .. tag .. '}' .. id .. '::'
end

local function todo_key(dimension, tag)
    return 'S:TODO:' .. dimension .. ':{' .. tag .. '}::'
end

-- When the keys of a window end: its keep after its end, or after the start of the import that brought
-- it, so that an import of old data is not gone as it arrives.
local function expiry_of(tiers, number, start, floor)
    local tier = tiers[number]
    return math.max(start + tier.length, floor) + tier.keep + tiers.allowance
end

-- Errors of modules are kept, never thrown: they must not hold a watermark back.
local faults = {count = 0}
local function attempt(...)
    local reply = redis.pcall(...)
    if type(reply) == 'table' and reply.err then
        faults.count = faults.count + 1
        faults.last = reply.err
        return nil
    end
    return reply
end

local function keep_faults(state)
    if faults.count > 0 then
        redis.call('HINCRBY', state, 'faults', faults.count)
        redis.call('HSET', state, 'fault', string.sub(faults.last, 1, 300))
    end
end

-- The first value at each path of a document, by path; numbers as text. Nil when there is no document.
local function at_paths(document, paths)
    local reply = redis.pcall('JSON.GET', document, unpack(paths))
    if type(reply) ~= 'string' then return nil end
    local found = cjson.decode(reply)
    if #paths == 1 then found = {[paths[1]] = found} end
    local values = {}
    for _, path in ipairs(paths) do
        local value = found[path] and found[path][1]
        if type(value) == 'number' then value = text(value) end
        if type(value) == 'string' then values[path] = value end
    end
    return values
end

-- The newest sections or pages of a record, as its document lists them.
local function listed(dimension, tag, id)
    local members = redis.call('ZREVRANGE', 'SS:LATEST:' .. dimension .. ':{' .. tag .. '}' .. id .. '::',
        0, 199, 'WITHSCORES')
    local rows = {}
    for i = 1, #members, 2 do
        rows[#rows + 1] = members[i] .. ',"last_visited":' .. text(tonumber(members[i + 1])) .. '}'
    end
    return '[' .. table.concat(rows, ',') .. ']'
end

-- TimeSeries refuses labels with these three characters, for its filters are written with them.
local refused = {['('] = '%28', [')'] = '%29', [','] = '%2C'}

-- Where a record's labels stand in its document; its own id and the figure's names need no look.
local label_paths = {
    W = {website_name = '$.name'},
    S = {website_id = '$.website.id', website_name = '$.website.name', section_name = '$.name'},
    P = {
        website_id = '$.website.id', website_name = '$.website.name', section_id = '$.section.id',
        section_name = '$.section.name', article_id = '$.article_id',
    },
    A = {audio_name = '$.name'}, V = {video_name = '$.name'}, PC = {podcast_name = '$.name'},
}
local own_label = {
    W = 'website_id', S = 'section_id', P = 'page_id',
    A = 'audio_id', V = 'video_id', PC = 'podcast_id',
}
local labels_of = {}

-- The labels of a record's series, read from its document once in a script.
local function series_labels(tier, dimension, metric, tag, id)
    local known = labels_of[dimension .. id]
    if not known then
        known = {[own_label[dimension]] = id}
        local paths = {}
        for _, path in pairs(label_paths[dimension]) do paths[#paths + 1] = path end
        local values = at_paths(document_key(dimension, tag, id), paths) or {}
        for name, path in pairs(label_paths[dimension]) do known[name] = values[path] end
        labels_of[dimension .. id] = known
    end
    local labels = {'ts_name', tier.name, 'dimension', dimension, 'M', metric}
    for name, value in pairs(known) do
        if value ~= '' then
            labels[#labels + 1] = name
            labels[#labels + 1] = string.gsub(value, '[(),]', refused)
        end
    end
    return labels
end

-- A sample older than the series keeps is no fault: an import brings such windows.
local function note_sample(reply)
    if type(reply) == 'table' and reply.err and not string.find(reply.err, 'retention', 1, true) then
        faults.count = faults.count + 1
        faults.last = reply.err
    end
end

local function series_key(tier, dimension, tag, id, metric)
    return 'TS:' .. tier.name .. ':' .. dimension .. ':{' .. tag .. '}' .. id .. '::' .. metric
end

-- What series are made with: {retention, chunk, 1 = pages and items have no labels, tier, its chunk, …}.
local function series_settings(packed)
    local values = cmsgpack.unpack(packed)
    local series = {retention = values[1], chunk = values[2], compact = values[3] == 1, chunks = {}}
    for i = 4, #values, 2 do series.chunks[values[i]] = values[i + 1] end
    return series
end

-- Adds the first sample of a series, with what it is to keep and its labels.
local function first_sample(series, tier, dimension, tag, id, metric, start, value)
    local words = {'TS.ADD', series_key(tier, dimension, tag, id, metric), start, value,
        'RETENTION', series.retention, 'CHUNK_SIZE', series.chunks[tier.name] or series.chunk,
        'DUPLICATE_POLICY', 'LAST'}
    if not series.compact or dimension == 'W' or dimension == 'S' then
        words[#words + 1] = 'LABELS'
        for _, word in ipairs(series_labels(tier, dimension, metric, tag, id)) do
            words[#words + 1] = word
        end
    end
    note_sample(redis.pcall(unpack(words)))
end

-- policy: LAST for a whole figure, SUM for a correction.
local function sample(series, tier, dimension, tag, id, metric, start, value, policy)
    local key = series_key(tier, dimension, tag, id, metric)
    if redis.call('EXISTS', key) == 0 then
        return first_sample(series, tier, dimension, tag, id, metric, start, value)
    end
    note_sample(redis.pcall('TS.ADD', key, start, value, 'ON_DUPLICATE', policy))
end

-- Whole figures of one window: samples {{id, metric, value}, …}. TS.MADD never raises, so every element
-- of its reply is looked at; a series that does not exist yet is an error there.
local function sample_all(series, tier, dimension, tag, start, samples)
    if #samples == 0 then return end
    local arguments = {}
    for _, one in ipairs(samples) do
        arguments[#arguments + 1] = series_key(tier, dimension, tag, one[1], one[2])
        arguments[#arguments + 1] = start
        arguments[#arguments + 1] = one[3]
    end
    local replies = redis.pcall('TS.MADD', unpack(arguments))
    if replies.err then return note_sample(replies) end
    for i, reply in ipairs(replies) do
        local one = samples[i]
        local failed = type(reply) == 'table' and reply.err
        if failed and redis.call('EXISTS', arguments[3 * i - 2]) == 0 then
            first_sample(series, tier, dimension, tag, one[1], one[2], start, one[3])
        else
            note_sample(reply)
        end
    end
end

-- An empty HyperLogLog in the dense form. Merging into the sparse form costs registers × bytes: 50 times
-- as much for the records that most devices visit. Records below these many views never get there.
local function dense()
    return 'HYLL' .. string.rep('\0', 11) .. '\128' .. string.rep('\0', 12288)
end
local dense_from_views, dense_from_bytes, dense_bytes = 400, 1500, 12000

-- Starts a target that does not exist yet: with the largest child when that is dense, else, when much
-- will be merged, with an empty dense one.
local function seed(target, keys)
    if redis.call('EXISTS', target) == 1 then return end
    local total, size, largest = 0, 0, nil
    for _, key in ipairs(keys) do
        local bytes = redis.call('STRLEN', key)
        total = total + bytes
        if bytes > size then size, largest = bytes, key end
    end
    if size > dense_bytes then
        redis.call('COPY', largest, target)
    elseif total > dense_from_bytes then
        redis.call('SET', target, dense())
    end
end

-- Whether one id of a stream comes after another.
local function newer(a, b)
    local am, as = string.match(a, '^(%d+)-(%d+)$')
    local bm, bs = string.match(b, '^(%d+)-(%d+)$')
    if am ~= bm then
        if #am ~= #bm then return #am > #bm end
        return am > bm
    end
    if #as ~= #bs then return #as > #bs end
    return as > bs
end

-- Entries of a stream behind a position, each field cut to `kept` bytes, which show that it is too long:
-- a tracker may send fields of any size, and a thousand large ones are a reply that nobody can hold.
-- A few at a time and 1 MiB at most, so that Redis is not kept busy with them either.
-- Returns the entries, and whether there are no more up to `through`.
local function entries_after(stream, from, through, most, kept)
    local entries, bytes = {}, 0
    while #entries < most and bytes < 1048576 do
        local asked = math.min(16, most - #entries)
        local some = redis.call('XRANGE', stream, '(' .. from, through, 'COUNT', asked)
        for _, entry in ipairs(some) do
            local fields = entry[2]
            for i = 1, #fields do
                bytes = bytes + #fields[i]
                if #fields[i] > kept then fields[i] = string.sub(fields[i], 1, kept) end
            end
            entries[#entries + 1] = entry
        end
        if #some < asked then return entries, true end
        from = some[#some][1]
    end
    return entries, false
end

-- A token above `above` ('' = none): the cluster's epoch, the clock in µs and the holder's nonce, in fixed
-- width, so that texts sort as tokens compare. A counter would be handed out twice by a failover that
-- loses its last increment; neither epoch nor clock alone rises in every fault.
local function mint(above, nonce)
    local time = redis.call('TIME')
    local epoch = string.match(redis.call('CLUSTER', 'INFO'), 'cluster_current_epoch:(%d+)') or '0'
    local micros = string.format('%d%06d', time[1], time[2])
    local place = string.rep('0', 20 - #epoch) .. epoch .. '-' .. string.rep('0', 20 - #micros) .. micros
    if above ~= '' and place <= string.sub(above, 1, 41) then
        -- The clock went back, or another master's is ahead: above what is held, whatever it says.
        local after = string.format('%d', tonumber(string.sub(above, 22, 41)) + 1)
        place = string.sub(above, 1, 21) .. string.rep('0', 20 - #after) .. after
    end
    return place .. '-' .. nonce
end

-- The nonce of the lease's holder, from `<token> <node id>`.
local function holder_nonce(lease)
    return lease and string.sub(lease, 43, 58)
end

-- What happened, for people and for nodes that wait: the newest ten thousand entries are kept.
local function write_down(audit, kind, node, term, version, reason)
    redis.call('XADD', audit, 'MAXLEN', '~', 10000, '*', 'kind', kind, 'node', node, 'term', term,
        'map', version, 'reason', reason)
end
