-- Grants requests to an HTTP host their places in one sequence of all nodes, and bounds how many are under
-- way. It knows nothing of who is there: whoever asks is given the next places, so that no change of nodes
-- can make two of them use the same.
--
-- KEYS  1 place of the sequence · 2 permits under way · 3 nodes · 4 guard (never exists)
-- ARGV  1 prefix of the permits' names: the node's nonce and a number that it uses once · 2 how many are wanted
--       3 from slot to slot, µs · 4 how many may be under way
--       5 from now to the first slot that the node can use, µs · 6 how long a permit lives, ms
--       7 permits that have ended {name, …}
-- Reply {granted, from now to the first slot µs, ask again after ms, replicas online}
-- Permits that nobody gives back, because their node died, end by themselves.
-- After a failover, a loss of the key or a clock that went back, the sequence begins behind all that may have
-- been granted ahead: slots stay a period apart whatever happened.
local ahead = 1000000
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local period = tonumber(ARGV[3])
local epoch = string.match(redis.call('CLUSTER', 'INFO'), 'cluster_current_epoch:(%d+)') or '0'

for _, name in ipairs(cmsgpack.unpack(ARGV[7])) do redis.call('ZREM', KEYS[2], name) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', text(math.floor(now / 1000)))

local stored = redis.call('HMGET', KEYS[1], 'next', 'epoch', 'seen')
local next = tonumber(stored[1])
local isStranger = not next or stored[2] ~= epoch or now < tonumber(stored[3])
if isStranger then next = now + period + ahead end
redis.call('HSET', KEYS[1], 'epoch', epoch, 'seen', text(now))

local online = 0
for status in string.gmatch(redis.call('INFO', 'replication'), 'slave%d+:[^\r\n]*state=(%a+)') do
    if status == 'online' then online = online + 1 end
end

-- A node gets its share of what is granted ahead at most, so that others find some when they ask.
local first = math.max(next, now + tonumber(ARGV[5]))
local share = math.max(1, math.floor(ahead / period / math.max(1, redis.call('HLEN', KEYS[3]))))
local free = tonumber(ARGV[4]) - redis.call('ZCARD', KEYS[2])
local granted, again = 0, 0
while granted < math.min(tonumber(ARGV[2]), free, share) and first + granted * period <= now + ahead do
    local slot = first + granted * period
    redis.call('ZADD', KEYS[2], text(math.ceil(slot / 1000) + tonumber(ARGV[6])), ARGV[1] .. text(granted))
    granted = granted + 1
end
next = granted > 0 and first + granted * period or next
redis.call('HSET', KEYS[1], 'next', text(next))
redis.call('PEXPIRE', KEYS[1], 86400000)
redis.call('PEXPIRE', KEYS[2], 86400000)
if granted < tonumber(ARGV[2]) then
    -- When the next slot can be granted, or soon: a permit may be given back at any moment.
    again = math.max(20, math.ceil((next - now - ahead) / 1000))
    if granted >= free then again = math.max(again, 50) end
end
return {granted, text(first - now), again, online}
