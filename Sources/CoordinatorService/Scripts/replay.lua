-- Moves dead letters of a shard to a stream that is read like a tracker's. They leave the one and are in
-- the other in one step: a letter is replayed once, whoever asks for it and whatever dies meanwhile.
--
-- KEYS  1 dead letters · 2 stream of the replays · 3 guard (never exists) · all in the shard's slot
-- ARGV  1 '1' = count them at their first arrival, whatever their own time says · 2 letters {id, …}
-- Reply letters moved: those that are gone, or that nobody of ours wrote, are passed over
-- The new entry's id is of now, and it is judged by that; an event without a time of its own gets the one
-- of its first arrival, so that it counts where it would have.
local moved = 0
for _, id in ipairs(cmsgpack.unpack(ARGV[2])) do
    local letter = redis.call('XRANGE', KEYS[1], id, id)[1]
    local fields = letter and letter[2]
    if fields and fields[1] == 'source' and fields[3] == 'id' and fields[5] == 'reason' then
        local arrival = string.match(fields[4], '^(%d+)-%d+$')
        local event, timed = {}, false
        for i = 9, #fields, 2 do
            local keeps = fields[i] ~= 'dt' or (ARGV[1] ~= '1' and fields[i + 1] ~= '')
            if keeps then
                -- What was played has its id there under another name: `id` is the entry's.
                event[#event + 1] = fields[i] == 'item' and 'id' or fields[i]
                event[#event + 1] = fields[i + 1]
                timed = timed or fields[i] == 'dt'
            end
        end
        if not timed then
            event[#event + 1] = 'dt'
            event[#event + 1] = arrival or ''
        end
        redis.call('XADD', KEYS[2], '*', unpack(event))
        redis.call('XDEL', KEYS[1], id)
        moved = moved + 1
    end
end
return moved
