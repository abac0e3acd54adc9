-- Grants, renews and releases the leader's lease. One key: a script on two gets TRYAGAIN while its slot
-- migrates, and then nobody could be elected.
--
-- KEYS  1 lease
-- ARGV  1 'grant' | 'renew' | 'release' · 2 node id · 3 nonce (16 hex) · 4 ttl, ms
--       5 grant: token to be above ('' = none); release: the token that is given back
-- Reply {1, value, remaining ms} when the caller holds it (release: held it), else {0, value or '', remaining ms}
-- value: `<token> <node id>`, token: `<epoch, 20 digits>-<µs, 20 digits>-<nonce>`, which sorts as it compares.
local lease, action, node, nonce, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local value = redis.call('GET', lease) or nil
local mine = value and holder_nonce(value) == nonce
if action == 'grant' then
    if not value or mine then
        value = mint(ARGV[5], nonce) .. ' ' .. node
        redis.call('SET', lease, value, 'PX', ttl)
        return {1, value, ttl}
    end
    -- A life longer than a grant comes from a clock that was set back, one without end from a hand:
    -- nobody waits for that. A holder that is there renews long before.
    local life = redis.call('PTTL', lease)
    if life < 0 or life > ttl then redis.call('PEXPIRE', lease, ttl) end
elseif mine then
    if action == 'renew' then
        redis.call('PEXPIRE', lease, ttl)
        return {1, value, ttl}
    end
    -- A release that comes late must not free a later term of the same node.
    if string.sub(value, 1, 58) == ARGV[5] then
        redis.call('DEL', lease)
        return {1, value, 0}
    end
end
return {0, value or '', redis.call('PTTL', lease)}
