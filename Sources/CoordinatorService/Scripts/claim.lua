-- Claims a shard for an owner, and starts its state when there is none.
--
-- KEYS  1 state (fence and ledger) · 2 guard (never exists: while the slot migrates the whole script gets TRYAGAIN)
-- ARGV  1 tag · 2 token · 3 owner · 4 settings stamp · 5 ladder · 6 start of rotation, ms
-- Reply {'OK', field, value, …} · {'REFUSED', token held} · {'SETTINGS', stamp held}
-- A greater token replaces, the same one again is fine (its reply was lost), a smaller one is refused.
local state, tag, token = KEYS[1], ARGV[1], ARGV[2]
local held = redis.call('HMGET', state, 'token', 'settings')
if held[2] and held[2] ~= ARGV[4] then return {'SETTINGS', held[2]} end
if held[1] and held[1] > token then return {'REFUSED', held[1]} end
redis.call('HSET', state, 'token', token, 'owner', ARGV[3])
if not held[2] then
    local tiers = ladder(ARGV[5])
    local start = tonumber(ARGV[6])
    local fields = {'settings', ARGV[4]}
    for number = 2, #tiers do
        local floor = text(floor_to(start, tiers[number].length))
        for _, kind in ipairs({'sealed:', 'done:'}) do
            fields[#fields + 1] = kind .. tiers[number].name
            fields[#fields + 1] = floor
        end
    end
    redis.call('HSET', state, unpack(fields))
end
return {'OK', unpack(redis.call('HGETALL', state))}
