-- Publishes a shard map under the leader's term: whoever does not hold the lease changes nothing.
--
-- KEYS  1 lease · 2 map · 3 audit · 4 guard (never exists)
-- ARGV  1 the term's token · 2 node id · 3 token that the version is to be above · 4 body, JSON · 5 reason
-- Reply {1, version} · {0, lease or ''}
local lease = redis.call('GET', KEYS[1]) or nil
if not lease or string.sub(lease, 1, 58) ~= ARGV[1] then return {0, lease or ''} end
local above = ARGV[3]
local stored = redis.call('HGET', KEYS[2], 'version') or ''
if stored > above then above = stored end
local version = mint(above, holder_nonce(lease))
redis.call('HSET', KEYS[2], 'version', version, 'body', ARGV[4], 'published', text(clock()))
redis.call('HINCRBY', KEYS[2], 'changes', 1)
write_down(KEYS[3], 'map', ARGV[2], ARGV[1], version, ARGV[5])
return {1, version}
