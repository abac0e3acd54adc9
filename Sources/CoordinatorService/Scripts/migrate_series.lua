-- Takes samples of another system's series over. A sample that is here already stays: it was counted
-- here, or taken over before.
--
-- KEYS  1 state · 2 guard (never exists)
-- ARGV  1 tag · 2 1 to write, 0 to tell only what would be written · 3 series {retention ms, chunk bytes}
--       4 tier name · 5 dimension · 6 id · 7 metric · 8 samples {window start ms, value, …}, oldest first
-- Reply {{added, there before, older than series keep}, faults, last fault}
local tag, writes = ARGV[1], ARGV[2] == '1'
local series = series_settings(ARGV[3])
local tier, dimension, id, metric = {name = ARGV[4]}, ARGV[5], ARGV[6], ARGV[7]
local samples = cmsgpack.unpack(ARGV[8])

local key = series_key(tier, dimension, tag, id, metric)
local held, newest = {}, samples[#samples - 1]
if redis.call('EXISTS', key) == 1 then
    local last = redis.call('TS.GET', key)
    if last[1] then newest = math.max(newest, last[1]) end
    for _, one in ipairs(redis.call('TS.RANGE', key, samples[1], samples[#samples - 1])) do
        held[one[1]] = true
    end
end
local added, before, old = 0, 0, 0
for i = 1, #samples, 2 do
    local start = samples[i]
    if held[start] then
        before = before + 1
    elseif start < newest - series.retention then
        old = old + 1
    else
        added = added + 1
        if writes then
            sample(series, tier, dimension, tag, id, metric, text(start), samples[i + 1], 'FIRST')
        end
    end
end
return {{added, before, old}, faults.count, faults.last or ''}
