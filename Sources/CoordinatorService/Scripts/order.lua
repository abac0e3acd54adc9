-- Writes what an operator asks for, and that it was asked for.
--
-- KEYS  1 orders · 2 lease · 3 audit · 4 guard (never exists)
-- ARGV  1 'set' | 'clear' · 2 field · 3 value · 4 term that must still hold ('' = any) · 5 subject · 6 reason
-- Reply {1} when something changed, {0} when it was so already, {-1, lease or ''} when the term is over
local lease = redis.call('GET', KEYS[2]) or ''
if ARGV[4] ~= '' and string.sub(lease, 1, 58) ~= ARGV[4] then return {-1, lease} end
local changed
if ARGV[1] == 'set' then
    changed = redis.call('HGET', KEYS[1], ARGV[2]) ~= ARGV[3]
    redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
else
    changed = redis.call('HDEL', KEYS[1], ARGV[2]) == 1
end
if not changed then return {0} end
write_down(KEYS[3], 'order', ARGV[5], string.sub(lease, 1, 58), '', ARGV[6])
return {1}
