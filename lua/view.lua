-- ARGV: epoch, which does not matter.
-- Answers {epoch, version, units, pending, held, state, starts_at_ms, ends_at_ms, revision}.
local lane = load_lane(nil)
if not lane then return 0 end
return {lane.epoch, lane.version, lane.units, pending_count(), lane.held, lane.state,
  lane.starts_at_ms, lane.ends_at_ms, lane.revision}
