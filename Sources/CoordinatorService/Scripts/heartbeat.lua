-- A node says that it is there, and learns in the same moment what it has to know.
--
-- KEYS  1 nodes · 2 lease · 3 map · 4 orders · 5 sources · 6 audit · 7 guard (never exists)
-- ARGV  1 'beat' | 'leave' · 2 node id · 3 name · 4 nonce (16 hex) · 5 joined at, ms ('' = first heartbeat)
--       6 what the node says of itself, JSON · 7 '1' to get all nodes · 8 version of the map it has, or ''
--       9 digest of the sources it has, or '' · 10 its time to live, ms
-- Reply {'OK', now ms, joined at ms, lease, lease's remaining ms, map version, map body or '',
--        sources' digest, {source, record, …} or {}, {order, value, …}, {name, record, …} or {}}
--       {'SUPERSEDED', nonce of the other start} · {'LEFT'}
-- A record: `<heartbeat at> <joined at> <nonce> <1 when the start before it ended without a word> <JSON>`.
local nodes, audit, id, name, nonce = KEYS[1], KEYS[6], ARGV[2], ARGV[3], ARGV[4]
local now = clock()
local stored = redis.call('HGET', nodes, name) or nil
local stored_at, stored_joined, stored_nonce, stored_loss
if stored then
    stored_at, stored_joined, stored_nonce, stored_loss = string.match(stored,
        '^(%d+) (%d+) (%x+) ([01]) ')
end
local version = redis.call('HGET', KEYS[3], 'version') or ''
if ARGV[1] == 'leave' then
    if stored_nonce == nonce then
        redis.call('HDEL', nodes, name)
        write_down(audit, 'left', id, '', version, 'stopped in an orderly way')
    end
    return {'LEFT'}
end

local joined, loss = ARGV[5], '0'
if stored_nonce == nonce then
    joined, loss = stored_joined, stored_loss
elseif joined == '' or stored_nonce and tonumber(stored_joined) >= tonumber(joined) then
    -- A first heartbeat takes the place, also one of a dead start that comes late: nobody can tell.
    -- A later one takes it back from a start that has been silent for its time to live.
    if joined ~= '' and now - tonumber(stored_at) <= tonumber(ARGV[10]) then
        return {'SUPERSEDED', stored_nonce}
    end
    joined = text(math.max(now, tonumber(stored_joined or 0) + 1))
    loss = stored_nonce and '1' or '0'
    write_down(audit, 'joined', id, '', version,
        stored_nonce and 'in the place of a start that ended without a word' or 'started')
end
redis.call('HSET', nodes, name, text(now) .. ' ' .. joined .. ' ' .. nonce .. ' ' .. loss .. ' '
    .. ARGV[6])

local sources = redis.call('HGETALL', KEYS[5])
local digest = redis.sha1hex(table.concat(sources, '\n'))
return {'OK', text(now), joined, redis.call('GET', KEYS[2]) or '', redis.call('PTTL', KEYS[2]),
    version, version ~= ARGV[8] and redis.call('HGET', KEYS[3], 'body') or '',
    digest, digest ~= ARGV[9] and sources or {}, redis.call('HGETALL', KEYS[4]),
    ARGV[7] == '1' and redis.call('HGETALL', nodes) or {}}
