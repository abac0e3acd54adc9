-- A node says that it is there, and learns in the same moment what it has to know.
--
-- KEYS  1 nodes · 2 lease · 3 map · 4 orders · 5 sources · 6 audit · 7 guard (never exists)
-- ARGV  1 'beat' | 'leave' · 2 node id · 3 name · 4 nonce (16 hex) · 5 joined at, ms ('' = first heartbeat)
--       6 what the node says of itself, JSON · 7 '1' to get all nodes · 8 version of the map it has, or ''
--       9 digest of the sources it has, or ''
-- Reply {'OK', now ms, joined at ms, lease, lease's remaining ms, map version, map body or '',
--        sources' digest, {source, record, …} or {}, {order, value, …}, {name, record, …} or {}}
--       {'SUPERSEDED', nonce of the newer start} · {'LEFT'}
-- A record: `<heartbeat at> <joined at> <nonce> <1 when the start before it ended without a word>
-- <nonces of starts it replaced, the newest first, or -> <JSON>`.
local nodes, audit, id, name, nonce = KEYS[1], KEYS[6], ARGV[2], ARGV[3], ARGV[4]
local now = clock()
local stored = redis.call('HGET', nodes, name) or nil
local stored_joined, stored_nonce, stored_loss, replaced
if stored then
    stored_joined, stored_nonce, stored_loss, replaced = string.match(stored,
        '^%d+ (%d+) (%x+) ([01]) ([%x,-]+) ')
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
replaced = replaced or '-'
if stored_nonce == nonce then
    joined, loss = stored_joined, stored_loss
elseif string.find(replaced, nonce, 1, true) then
    -- A first heartbeat that comes late, or again: what replaced this start lives.
    return {'SUPERSEDED', stored_nonce}
elseif joined == '' then
    joined = text(math.max(now, tonumber(stored_joined or 0) + 1))
    loss = stored_nonce and '1' or '0'
    -- The last eight: later than that no network delivers.
    if stored_nonce then replaced = string.sub(stored_nonce .. ',' .. replaced, 1, 8 * 17 - 1) end
    write_down(audit, 'joined', id, '', version,
        stored_nonce and 'in the place of a start that ended without a word' or 'started')
elseif stored_nonce and tonumber(stored_joined) >= tonumber(joined) then
    return {'SUPERSEDED', stored_nonce}
end
redis.call('HSET', nodes, name, text(now) .. ' ' .. joined .. ' ' .. nonce .. ' ' .. loss .. ' '
    .. replaced .. ' ' .. ARGV[6])

local sources = redis.call('HGETALL', KEYS[5])
local digest = redis.sha1hex(table.concat(sources, '\n'))
return {'OK', text(now), joined, redis.call('GET', KEYS[2]) or '', redis.call('PTTL', KEYS[2]),
    version, version ~= ARGV[8] and redis.call('HGET', KEYS[3], 'body') or '',
    digest, digest ~= ARGV[9] and sources or {}, redis.call('HGETALL', KEYS[4]),
    ARGV[7] == '1' and redis.call('HGETALL', nodes) or {}}
