-- One exchange between an owner of waiters and slots and the queue they are in. Atomic, idempotent.
--
-- KEYS  1 meta     hash    seq: last place or fence given; mean: holding time in ms; boot: the server's run id;
--                          seen: last exchange in ms; quiet: nothing is granted before, in ms
--       2 waiting  zset    places, all of score 0, so in the order of their text: PPPPP:SSSSSSSSSSSSSSSS:id
--       3 leases   zset    places by the end of their lease, in ms
--       4 places   hash    id -> place
--       5 slots    zset    ids by the end of their lease, in ms
--       6 grants   hash    id -> fence:since
-- ARGV  limit, lease in ms, channel, then kind, id, priority, order, fence, since for each operation
local meta, waiting, leases, places, slots, grants = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local limit, lease, channel = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(micros / 1000)
local expires = string.format('%d', now + lease)

local known = redis.call('HMGET', meta, 'seq', 'mean', 'boot', 'seen', 'quiet')
local seq, mean = tonumber(known[1]) or 0, tonumber(known[2]) or 0
local seen, quiet = tonumber(known[4]) or 0, tonumber(known[5]) or 0

-- A server that was started within the last lease, or another one than before, may have forgotten (or never heard
-- of) slots that are held. For one lease it grants nothing: whoever holds one has said so by then, or counts it lost.
local boot, uptime = '', lease
local info = redis.pcall('INFO', 'server')
if type(info) == 'string' then
	boot = string.match(info, 'run_id:(%w+)') or ''
	uptime = (tonumber(string.match(info, 'uptime_in_seconds:(%d+)')) or lease) * 1000
end
if known[3] ~= boot then
	if uptime < lease then
		quiet = math.max(quiet, now - uptime + lease)
	elseif known[3] and now - seen < 2 * lease then
		quiet = math.max(quiet, now + lease)
	end
end

local moved = false

local function drop(place)
	redis.call('ZREM', waiting, place)
	redis.call('ZREM', leases, place)
	redis.call('HDEL', places, string.sub(place, 24))
	moved = true
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', slots, '-inf', now)) do
	redis.call('ZREM', slots, id)
	redis.call('HDEL', grants, id)
end
for _, place in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do drop(place) end

local apply = {}

function apply.enter(id, priority, order)
	if redis.call('ZSCORE', slots, id) then
		redis.call('ZADD', slots, expires, id)
		return
	end
	local place = redis.call('HGET', places, id)
	if not place then
		place = order
		if place == '' then
			seq = math.max(seq + 1, micros)
			place = string.format('%05d:%016d:%s', 50000 - priority, seq, id)
		else
			seq = math.max(seq, tonumber(string.sub(place, 7, 22)))
		end
		redis.call('ZADD', waiting, 0, place)
		redis.call('HSET', places, id, place)
		moved = moved or redis.call('ZRANK', waiting, place) < redis.call('ZCARD', waiting) - 1
	end
	redis.call('ZADD', leases, expires, place)
end

function apply.hold(id, priority, order, fence, since)
	local place = redis.call('HGET', places, id)
	if place then drop(place) end -- from a snapshot older than the grant
	if redis.call('ZSCORE', slots, id) then
		redis.call('ZADD', slots, expires, id)
	elseif now < quiet or redis.call('ZCARD', slots) < limit then
		-- Its owner holds it and the server does not know it: others may be unknown as well. While the server is
		-- quiet, slots beyond the limit are those of an old snapshot, given back since; they expire.
		redis.call('ZADD', slots, expires, id)
		redis.call('HSET', grants, id, fence .. ':' .. since)
		seq = math.max(seq, tonumber(fence))
		quiet = math.max(quiet, now + lease)
	end
end

function apply.leave(id)
	if redis.call('ZREM', slots, id) == 1 then
		local since = string.match(redis.call('HGET', grants, id) or '', ':(%d+)$')
		redis.call('HDEL', grants, id)
		if since then
			local held = math.max(1, now - tonumber(since))
			mean = mean > 0 and math.floor(mean + (held - mean) / 8) or held
		end
	end
	local place = redis.call('HGET', places, id)
	if place then drop(place) end
end

for i = 4, #ARGV, 6 do
	apply[ARGV[i]](ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3], ARGV[i + 4], ARGV[i + 5])
end

local granted = {}
local free = limit - redis.call('ZCARD', slots)
if now >= quiet and free > 0 then
	for _, place in ipairs(redis.call('ZRANGE', waiting, 0, free - 1)) do
		local id = string.sub(place, 24)
		drop(place)
		seq = math.max(seq + 1, micros)
		redis.call('ZADD', slots, expires, id)
		redis.call('HSET', grants, id, string.format('%d:%d', seq, now))
		granted[#granted + 1] = id
	end
end

local left = redis.call('ZCARD', waiting)
local upcoming = 0
if left > 0 then
	if now < quiet then
		upcoming = quiet - now
	else
		local first = redis.call('ZRANGE', slots, 0, 0, 'WITHSCORES')
		if first[2] then upcoming = math.max(1, tonumber(first[2]) - now) end
	end
end

redis.call('HSET', meta, 'seq', string.format('%d', seq), 'mean', string.format('%d', mean),
	'boot', boot, 'seen', string.format('%d', now), 'quiet', string.format('%d', quiet))
redis.call('PEXPIRE', meta, 86400000)
for i = 2, 6 do redis.call('PEXPIRE', KEYS[i], 10 * lease) end
if moved or #granted > 0 then redis.call('PUBLISH', channel, table.concat(granted, ' ')) end

-- The answer, all text: waiting, mean, next, granted ids, then for each operation: phase, order or fence, place or since.
local answer = { tostring(left), string.format('%d', mean), string.format('%d', upcoming), table.concat(granted, ' ') }
for i = 4, #ARGV, 6 do
	local id = ARGV[i + 1]
	local grant, place = redis.call('HGET', grants, id), redis.call('HGET', places, id)
	if grant then
		local fence, since = string.match(grant, '^(%d+):(%d+)$')
		answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = 'holding', fence, since
	elseif place then
		answer[#answer + 1], answer[#answer + 2] = 'waiting', place
		answer[#answer + 1] = string.format('%d', redis.call('ZRANK', waiting, place) + 1)
	else
		answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = 'gone', '', ''
	end
end
return answer
