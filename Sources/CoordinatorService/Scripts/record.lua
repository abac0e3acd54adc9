-- Writes down what a leader saw, under its term: elections, lost nodes, runs that are done.
--
-- KEYS  1 lease · 2 audit · 3 runs · 4 nodes · 5 guard (never exists)
-- ARGV  1 nonce (16 hex) · 2 node id · 3 entries {kind, node, reason, …}
--       4 runs {tier, length ms, done to ms in all shards, sealed to ms in any, …} · 5 nodes to forget {name, nonce, …}
-- Reply 1 · 0 when the lease is another's: nothing is changed
local lease = redis.call('GET', KEYS[1]) or nil
if holder_nonce(lease) ~= ARGV[1] then return 0 end
local term = string.sub(lease, 1, 58)
local entries = cmsgpack.unpack(ARGV[3])
for i = 1, #entries, 3 do write_down(KEYS[2], entries[i], entries[i + 1], term, '', entries[i + 2]) end

-- A field of runs: `<done to> <sealed to> <runs done>`.
local runs = cmsgpack.unpack(ARGV[4])
for i = 1, #runs, 4 do
    local tier, length, done, sealed = runs[i], runs[i + 1], runs[i + 2], runs[i + 3]
    local stored = redis.call('HGET', KEYS[3], tier)
    local before, count = string.match(stored or '', '^(%d+) %d+ (%d+)$')
    local finished = 0
    if before and done > tonumber(before) then
        finished = (done - tonumber(before)) / length
        write_down(KEYS[2], 'run', ARGV[2], term, '', tier .. ': ' .. text(finished)
            .. (finished == 1 and ' window' or ' windows') .. ' done in all shards, up to ' .. text(done))
    end
    -- A failover may have taken windows back: what the shards say is the truth.
    redis.call('HSET', KEYS[3], tier, text(done) .. ' ' .. text(sealed) .. ' '
        .. text(tonumber(count or 0) + finished))
end

local forgotten = cmsgpack.unpack(ARGV[5])
for i = 1, #forgotten, 2 do
    local stored = redis.call('HGET', KEYS[4], forgotten[i])
    if stored and string.match(stored, '^%d+ %d+ (%x+) ') == forgotten[i + 1] then
        redis.call('HDEL', KEYS[4], forgotten[i])
    end
end
return 1
