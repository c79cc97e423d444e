#include <chrono>
#include <string>
#include <utility>

#include "adapters/postgres/store_parts.hpp"

namespace sluice::postgres {
namespace {

constexpr std::size_t kNameMax = 128;
constexpr Millis kTtlMax = std::chrono::hours(24);

constexpr Statement kAcquire{
    "acquire_lease",
    "INSERT INTO leases AS l (name, holder, term, until)"
    " VALUES ($1::text, $2::text, 1, now() + $3::bigint * interval '1 millisecond')"
    " ON CONFLICT (name) DO UPDATE"
    "    SET holder = excluded.holder, until = excluded.until,"
    "        term = l.term + (l.holder IS DISTINCT FROM excluded.holder)::integer"
    "  WHERE l.holder IS NULL OR l.holder = excluded.holder OR l.until <= now()"
    " RETURNING term"};

constexpr Statement kTerm{"lease_term", "SELECT term FROM leases WHERE name = $1::text"};

constexpr Statement kRelease{
    "release_lease", "UPDATE leases SET holder = NULL WHERE name = $1::text AND holder = $2::text"};

constexpr Statement kWish{"wish", "SELECT value FROM requests WHERE name = $1::text"};

constexpr Statement kSetWish{
    "request",
    "INSERT INTO requests (name, value) VALUES ($1::text, $2::text)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value, set_at = now()"};

bool valid_name(const std::string& name) { return !name.empty() && name.size() <= kNameMax; }

class PostgresControlStore final : public ControlStore {
 public:
  explicit PostgresControlStore(std::shared_ptr<Connection> connection)
      : connection_(std::move(connection)) {}

  Task<Lease> acquire(Ticks deadline, std::string name, std::string holder, Millis ttl) override {
    co_return acquire_now(deadline, name, holder, ttl);
  }

  Task<> release(Ticks deadline, std::string name, std::string holder) override {
    co_return release_now(deadline, name, holder);
  }

  Task<std::string> requested(Ticks deadline, std::string name) override {
    co_return requested_now(deadline, name);
  }

  Task<> request(Ticks deadline, std::string name, std::string value) override {
    co_return request_now(deadline, name, value);
  }

 private:
  Result<Lease> acquire_now(Ticks deadline, const std::string& name, const std::string& holder,
                            Millis ttl) {
    if (!valid_name(name) || !valid_name(holder)) return Errc::invalid;
    if (ttl < Millis{1} || ttl > kTtlMax) return Errc::invalid;
    Params params;
    params.text(name).text(holder).int8(ttl.count());
    const auto taken = connection_->run(deadline, kAcquire, params);
    if (taken.has_error()) return taken.error();
    if (taken->size() == 1) return Lease{static_cast<std::uint64_t>(taken->int8(0, 0)), true};

    Params named;
    named.text(name);
    const auto other = connection_->run(deadline, kTerm, named);
    if (other.has_error()) return other.error();
    if (other->size() == 0) return Errc::stale;
    return Lease{static_cast<std::uint64_t>(other->int8(0, 0)), false};
  }

  Result<void> release_now(Ticks deadline, const std::string& name, const std::string& holder) {
    Params params;
    params.text(name).text(holder);
    const auto released = connection_->run(deadline, kRelease, params);
    if (released.has_error()) return released.error();
    return {};
  }

  Result<std::string> requested_now(Ticks deadline, const std::string& name) {
    if (!valid_name(name)) return Errc::invalid;
    Params params;
    params.text(name);
    const auto rows = connection_->run(deadline, kWish, params);
    if (rows.has_error()) return rows.error();
    return rows->size() == 0 ? std::string() : std::string(rows->text(0, 0));
  }

  Result<void> request_now(Ticks deadline, const std::string& name, const std::string& value) {
    if (!valid_name(name) || value.size() > kNameMax) return Errc::invalid;
    Params params;
    params.text(name).text(value);
    const auto set = connection_->run(deadline, kSetWish, params);
    if (set.has_error()) return set.error();
    return {};
  }

  std::shared_ptr<Connection> connection_;
};

}  // namespace

std::unique_ptr<ControlStore> create_control_store(std::shared_ptr<Connection> connection) {
  return std::make_unique<PostgresControlStore>(std::move(connection));
}

}  // namespace sluice::postgres
