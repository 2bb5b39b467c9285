-- Counts calls per destination. Every call is a lease, renewed by the process that makes it.
--
-- KEYS  1 leases  zset  call by the end of its lease, in ms
--       2 calls   hash  call -> destination
--       3 loads   hash  destination -> number of calls
--       4 ended   zset  destination by the end of its last call, in ms
--       5 turns   hash  group -> next turn
-- ARGV  operation, lease in ms, then by operation
--       take   rule (first, load, idle), call, destinations: the index of the one picked, from 0
--       renew  call, destination, call, destination, …
--       end    call, call, …
--       turn   group: the turn, from 0
local leases, calls, loads, ended, turns = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local operation, lease = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local remember = 10000

local function add(id, destination)
	if not redis.call('ZSCORE', leases, id) then
		redis.call('HSET', calls, id, destination)
		redis.call('HINCRBY', loads, destination, 1)
	end
	redis.call('ZADD', leases, string.format('%d', now + lease), id)
end

local function drop(id)
	local destination = redis.call('HGET', calls, id)
	redis.call('ZREM', leases, id)
	redis.call('HDEL', calls, id)
	if not destination then return end
	if redis.call('HINCRBY', loads, destination, -1) <= 0 then redis.call('HDEL', loads, destination) end
	redis.call('ZADD', ended, string.format('%d', now), destination)
	redis.call('ZREMRANGEBYRANK', ended, 0, -remember - 1)
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do drop(id) end

local function before(rule, a, b)
	if rule == 'load' and a.calls ~= b.calls then return a.calls < b.calls end
	if rule == 'idle' and (a.calls > 0) ~= (b.calls > 0) then return a.calls == 0 end
	return a.ended < b.ended
end

local function pick(rule)
	local best, chosen = nil, 5
	if rule == 'first' then return chosen end
	for i = 5, #ARGV do
		local one = {
			calls = tonumber(redis.call('HGET', loads, ARGV[i]) or 0),
			ended = tonumber(redis.call('ZSCORE', ended, ARGV[i]) or 0),
		}
		if not best or before(rule, one, best) then best, chosen = one, i end
	end
	return chosen
end

local answer = 0
if operation == 'take' then
	local known = redis.call('HGET', calls, ARGV[4]) -- asked again
	if known then
		for i = 5, #ARGV do
			if ARGV[i] == known then answer = i - 5 end
		end
	else
		local chosen = pick(ARGV[3])
		add(ARGV[4], ARGV[chosen])
		answer = chosen - 5
	end
elseif operation == 'renew' then
	for i = 3, #ARGV, 2 do add(ARGV[i], ARGV[i + 1]) end
elseif operation == 'end' then
	for i = 3, #ARGV do drop(ARGV[i]) end
elseif operation == 'turn' then
	answer = redis.call('HINCRBY', turns, ARGV[3], 1) - 1
end

for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], 10 * lease) end
redis.call('PEXPIRE', ended, 604800000)
redis.call('PEXPIRE', turns, 604800000)
return answer
