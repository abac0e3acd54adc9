-- Reads entries of a source that are too large to be read as they are, cut to what judging them needs.
--
-- KEYS  1 stream
-- ARGV  1 position: entries after it · 2 last id wanted · 3 how many at most · 4 bytes kept of a field
-- Reply {1 = no more up to the last id wanted, entries}
local entries, ended = entries_after(KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
return {ended and 1 or 0, entries}
