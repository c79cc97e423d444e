-- KEYS[5]: where the winners of a rebuild collect, many at a time. ARGV: epoch, then user and
-- record of each. Answers 1. Redis deletes what a rebuild that stops half-way leaves behind.
redis.call('HSET', KEYS[5], SENTINEL, unpack(ARGV))
redis.call('PEXPIRE', KEYS[5], 600000)
return 1
