-- Takes documents of another system over. Only adds: what is newer here stays, and the same again
-- changes nothing.
--
-- KEYS  1 state · 2 guard (never exists)
-- ARGV  1 tag · 2 1 to write, 0 to tell only what would be written
--       3 documents {dimension, id, visited ms, document as JSON, metadata as JSON | false,
--         article id | false, …}, parents behind their children
--       4 children {parent id, dimension of the children, {visited ms, JSON without its last brace, …}, …}
-- Reply {outcomes, faults, last fault}: a letter for each document, m made, c changed, u unchanged
local tag, writes = ARGV[1], ARGV[2] == '1'
local documents, children = cmsgpack.unpack(ARGV[3]), cmsgpack.unpack(ARGV[4])

-- The newest 200 of a parent, as `apply` keeps them. One that would fall out again is left out, or
-- the list would change each time.
local grown = {}
for i = 1, #children, 3 do
    local parent, members = children[i], children[i + 2]
    local key = 'SS:LATEST:' .. children[i + 1] .. ':{' .. tag .. '}' .. parent .. '::'
    for j = 1, #members, 2 do
        local visited, held = members[j], redis.call('ZSCORE', key, members[j + 1])
        local lowest = redis.call('ZCARD', key) >= 200
            and tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
        local counts = held and visited > tonumber(held) or not held and (not lowest or visited > lowest)
        if counts then
            grown[parent] = true
            if writes then
                attempt('ZADD', key, 'GT', text(visited), members[j + 1])
                attempt('ZREMRANGEBYRANK', key, 0, -201)
            end
        end
    end
end

local outcomes = {}
local paths = {'$.id', '$.last_visited', '$.metadata.title', '$.metadata.kicker', '$.metadata.display_date'}
for i = 1, #documents, 6 do
    local dimension, id, visited = documents[i], documents[i + 1], documents[i + 2]
    local metadata, article = documents[i + 4], documents[i + 5]
    local key = document_key(dimension, tag, id)
    local held = at_paths(key, paths)
    local change = {}
    if not held or visited > (tonumber(held['$.last_visited']) or 0) then
        change[#change + 1] = '"last_visited":' .. text(visited)
    end
    local isBare = not held
        or not (held['$.metadata.title'] or held['$.metadata.kicker'] or held['$.metadata.display_date'])
    local tells = metadata and isBare
    local differs = #change > 0 or tells or grown[id]
    outcomes[#outcomes + 1] = not held and 'm' or differs and 'c' or 'u'
    if writes and differs then
        if not held then
            attempt('JSON.SET', key, '$', documents[i + 3], 'NX')
            if article and not metadata then
                attempt('XADD', 'ST:ENRICH:P:{' .. tag .. '}::', 'MAXLEN', '~', 1000000, '*', 'id', id,
                    'article_id', article)
            end
        end
        if dimension == 'W' then change[#change + 1] = '"sections":' .. listed('S', tag, id) end
        if dimension ~= 'P' then change[#change + 1] = '"pages":' .. listed('P', tag, id) end
        attempt('JSON.MERGE', key, '$', '{' .. table.concat(change, ',') .. '}')
        -- Merged, a null would take the member away.
        if tells then attempt('JSON.SET', key, '$.metadata', metadata) end
    end
end
return {table.concat(outcomes), faults.count, faults.last or ''}
