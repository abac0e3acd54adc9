-- Grants, renews and releases the leader's lease. One key: a script on two gets TRYAGAIN while its slot
-- migrates, and then nobody could be elected.
--
-- KEYS  1 lease
-- ARGV  1 'grant' | 'renew' | 'release' · 2 node id · 3 nonce (16 hex) · 4 ttl, ms · 5 token to be above ('' = none)
-- Reply {1, value, remaining ms} when the caller holds it (release: held it), else {0, value or '', remaining ms}
-- value: `<token> <node id>`, token: `<epoch, 20 digits>-<µs, 20 digits>-<nonce>`, which sorts as it compares.
-- The epoch and the clock are read in the grant: a counter can be handed out twice by a failover that
-- loses its last increment.
local lease, action, node, nonce = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local value = redis.call('GET', lease)
local function mine()
    return value and string.sub(value, 43, 58) == nonce
end
if action == 'grant' then
    if not value or mine() then
        local time = redis.call('TIME')
        local epoch = string.match(redis.call('CLUSTER', 'INFO'), 'cluster_current_epoch:(%d+)') or '0'
        local micros = string.format('%d%06d', time[1], time[2])
        local token = string.rep('0', 20 - #epoch) .. epoch .. '-' .. string.rep('0', 20 - #micros) .. micros
        if ARGV[5] ~= '' and token <= string.sub(ARGV[5], 1, 41) then
            -- The clock went back, or another master's is ahead: above what the shards hold, whatever it says.
            local above = string.sub(ARGV[5], 1, 21)
            local after = string.format('%d', tonumber(string.sub(ARGV[5], 22, 41)) + 1)
            token = above .. string.rep('0', 20 - #after) .. after
        end
        value = token .. '-' .. nonce .. ' ' .. node
        redis.call('SET', lease, value, 'PX', ARGV[4])
        return {1, value, tonumber(ARGV[4])}
    end
elseif mine() then
    if action == 'renew' then
        redis.call('PEXPIRE', lease, ARGV[4])
        return {1, value, tonumber(ARGV[4])}
    end
    redis.call('DEL', lease)
    return {1, value, 0}
end
return {0, value or '', redis.call('PTTL', lease)}
