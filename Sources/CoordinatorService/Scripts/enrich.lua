-- The pages of a shard that wait for their articles' metadata: handed out, and their results noted.
--
-- KEYS  1 state (fence) · 2 guard (never exists)
-- ARGV  1 tag · 2 token ('' for 'retry', which an operator asks for)
--       3 'take' | 'note' | 'retry'
--       take:  4 how many from each place at most · 5 refresh age, ms (0 = never)
--       note:  4 results {place, id, kind, …, …} (below)
--       retry: 4 how many dead letters at most · 5 id of one page, or '' for dead letters
-- Reply take   {'OK', {id, place, article id, attempts, misses, 1 = has metadata, …}}
--       note   {'OK', results that were noted, faults, last fault}
--       retry  {'OK', pages asked for again, dead letters that were looked at}
--       {'FENCED', token held}
-- A page waits in one of two places: in the queue, named by its entry, or in the schedule, named by the ms
-- when it is due. It stays there while it is asked for, and a result is noted only if it is there still:
-- the second of two results, or one whose reply was lost, finds it gone and changes nothing.
--
-- Results, five values each:
--   place, id, 'found', metadata as JSON without its last brace,
--       '<after how many ms it is renewed, nothing = never> <article id> <attempts> <misses> <1 = has metadata>'
--   place, id, 'later', '<ms> <article id> <attempts> <misses> <1 = has metadata>', reason
--   place, id, 'dead', '<article id> <attempts>', reason
local state, tag = KEYS[1], ARGV[1]
local queue = 'ST:ENRICH:P:{' .. tag .. '}::'
local schedule = 'SS:ENRICH:P:{' .. tag .. '}::'
local tries = 'H:ENRICH:P:{' .. tag .. '}::'
local counts = 'H:ENRICH::{' .. tag .. '}::'
local dead = 'ST:ENRICHDEAD:P:{' .. tag .. '}::'
local now = clock()

if ARGV[3] ~= 'retry' then
    local held = redis.call('HGET', state, 'token') or ''
    if held ~= ARGV[2] then return {'FENCED', held} end
end

-- As text: a number beyond 2^53 would be another one.
local function article_of(id)
    local reply = redis.pcall('JSON.GET', document_key('P', tag, id), '$.article_id')
    return type(reply) == 'string' and string.match(reply, '^%[(%d+)%]$')
end

local function last_visit(id)
    local values = at_paths(document_key('P', tag, id), {'$.last_visited'})
    return values and tonumber(values['$.last_visited'])
end

local function field_of(entry, name)
    local fields = entry[2]
    for i = 1, #fields, 2 do
        if fields[i] == name then return fields[i + 1] end
    end
end

-- What nobody could read would be handed out for ever, and in front of all others.
local function is_page(id, article)
    return id and #id == 40 and not string.find(id, '[^0-9a-f]') and article
        and not string.find(article, '[^0-9]')
        and (#article < 20 and #article > 0 or #article == 20 and article <= '18446744073709551615')
end

local function take()
    local most, age = tonumber(ARGV[4]), tonumber(ARGV[5])
    local pages = {}
    local function give(id, place, article, attempts, misses, known)
        for _, value in ipairs({id, place, article, attempts, misses, known}) do
            pages[#pages + 1] = value
        end
    end
    for _, entry in ipairs(redis.call('XRANGE', queue, '-', '+', 'COUNT', most)) do
        local id, article = field_of(entry, 'id'), field_of(entry, 'article_id')
        if is_page(id, article) then
            give(id, entry[1], article, '0', '0', '0')
        else
            -- Without a page and an article's number there is nothing to ask for.
            redis.call('XDEL', queue, entry[1])
            redis.call('HINCRBY', counts, 'skipped', 1)
        end
    end
    local due = redis.call('ZRANGE', schedule, '-inf', text(now), 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
    for i = 1, #due, 2 do
        local id, score = due[i], tonumber(due[i + 1])
        local tried = redis.call('HGET', tries, id)
        local article, attempts, misses, known
        local waits = false
        if tried then
            article, attempts, misses, known = string.match(tried, '^(%d+) (%d+) (%d+) ([01])$')
        else
            article, attempts, misses, known = article_of(id), '0', '0', '1'
            -- Only what somebody still reads is renewed.
            local visit = article and age > 0 and last_visit(id)
            if age == 0 then
                article = nil
            elseif visit and visit < score - age then
                redis.call('ZADD', schedule, text(now + age), id)
                waits = true
            end
        end
        if not waits and is_page(id, article) then
            give(id, text(score), article, attempts, misses, known)
        elseif not waits then
            redis.call('ZREM', schedule, id)
            redis.call('HDEL', tries, id)
        end
    end
    return {'OK', pages}
end

-- Takes the page out of the place that is named; false when it is not there any more.
local function let_go(place, id)
    if string.find(place, '-', 1, true) then return redis.call('XDEL', queue, place) == 1 end
    local score = redis.call('ZSCORE', schedule, id)
    if not score or tonumber(score) ~= tonumber(place) then return false end
    redis.call('ZREM', schedule, id)
    return true
end

local function is_there(place, id)
    if string.find(place, '-', 1, true) then
        return #redis.call('XRANGE', queue, place, place) == 1
    end
    local score = redis.call('ZSCORE', schedule, id)
    return score and tonumber(score) == tonumber(place)
end

-- Sooner than what an operator asked for meanwhile it does not become later.
local function wait(id, after)
    redis.call('ZADD', schedule, 'LT', text(now + tonumber(after)), id)
end

local function note_one(place, id, kind, value, extra)
    if not is_there(place, id) then return 0 end
    if kind == 'found' then
        local key = document_key('P', tag, id)
        local exists = redis.call('EXISTS', key) == 1
        let_go(place, id)
        if not exists then
            redis.call('HDEL', tries, id)
            return 1
        end
        local age, rest = string.match(extra, '^(%d*) (%d+ %d+ %d+ [01])$')
        if not attempt('JSON.SET', key, '$.metadata', value .. ',"enriched_at":' .. text(now) .. '}') then
            -- A document that cannot be written is no reason to ask the API again at once.
            redis.call('HSET', tries, id, rest)
            wait(id, 600000)
            return 1
        end
        redis.call('HINCRBY', counts, 'found', 1)
        redis.call('HDEL', tries, id)
        if age ~= '' then wait(id, age) end
    elseif kind == 'later' then
        local after, rest, misses = string.match(value, '^(%d+) (%d+ %d+ (%d+) [01])$')
        let_go(place, id)
        redis.call('HSET', tries, id, rest)
        wait(id, after)
        redis.call('HINCRBY', counts, misses == '0' and 'failed' or 'missing', 1)
        redis.call('HSET', counts, 'reason', extra, 'reason_at', text(now))
    else
        local article, attempts = string.match(value, '^(%d+) (%d+)$')
        let_go(place, id)
        redis.call('HDEL', tries, id)
        redis.call('XADD', dead, 'MAXLEN', '~', 100000, '*', 'id', id, 'article_id', article,
            'attempts', attempts, 'reason', extra)
        redis.call('HINCRBY', counts, 'dead', 1)
        redis.call('HSET', counts, 'reason', extra, 'reason_at', text(now))
    end
    return 1
end

local function note()
    local results = cmsgpack.unpack(ARGV[4])
    local noted = 0
    for i = 1, #results, 5 do
        noted = noted
            + note_one(results[i], results[i + 1], results[i + 2], results[i + 3], results[i + 4])
    end
    keep_faults(state)
    return {'OK', noted, faults.count, faults.last or ''}
end

-- Pages that are asked for again begin anew: with no attempts, due now.
local function again(id, article)
    redis.call('HSET', tries, id, article .. ' 0 0 0')
    redis.call('ZADD', schedule, text(now), id)
end

local function retry()
    if ARGV[5] ~= '' then
        local article = article_of(ARGV[5])
        if not is_page(ARGV[5], article) then return {'OK', 0, 0} end
        again(ARGV[5], article)
        return {'OK', 1, 0}
    end
    local letters = redis.call('XRANGE', dead, '-', '+', 'COUNT', tonumber(ARGV[4]))
    local count = 0
    for _, letter in ipairs(letters) do
        local id, article = field_of(letter, 'id'), field_of(letter, 'article_id')
        if is_page(id, article) then
            again(id, article)
            count = count + 1
        end
        redis.call('XDEL', dead, letter[1])
    end
    return {'OK', count, #letters}
end

if ARGV[3] == 'take' then return take() end
if ARGV[3] == 'note' then return note() end
return retry()
