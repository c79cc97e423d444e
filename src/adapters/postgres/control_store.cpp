#include <chrono>
#include <string>
#include <utility>

#include "adapters/postgres/store_parts.hpp"

namespace sluice::postgres {
namespace {

constexpr std::size_t kNameMax = 128;
constexpr Millis kTtlMax = std::chrono::hours(24);

constexpr Statement kAcquire{
    "acquire",
    "INSERT INTO leases AS l (name, holder, term, until)"
    " VALUES ($1::text, $2::text, 1, now() + $3::bigint * interval '1 millisecond')"
    " ON CONFLICT (name) DO UPDATE"
    "    SET holder = excluded.holder, until = excluded.until,"
    "        term = l.term + (l.holder IS DISTINCT FROM excluded.holder)::integer"
    "  WHERE l.holder IS NULL OR l.holder = excluded.holder OR l.until <= now()"
    " RETURNING term"};

constexpr Statement kTerm{"lease_term", "SELECT term FROM leases WHERE name = $1::text", "acquire"};

constexpr Statement kRelease{
    "release", "UPDATE leases SET holder = NULL WHERE name = $1::text AND holder = $2::text"};

constexpr Statement kRequested{
    "requested", "SELECT coalesce(max(value), '') FROM requests WHERE name = $1::text"};

constexpr Statement kRequest{
    "request",
    "INSERT INTO requests (name, value) VALUES ($1::text, $2::text)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value, set_at = now()"};

bool valid_name(const std::string& name) { return !name.empty() && name.size() <= kNameMax; }

class PostgresControlStore final : public ControlStore {
 public:
  explicit PostgresControlStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<Lease> acquire(Ticks deadline, std::string name, std::string holder, Millis ttl) override {
    if (!valid_name(name) || !valid_name(holder)) co_return Errc::invalid;
    if (ttl < Millis{1} || ttl > kTtlMax) co_return Errc::invalid;
    Params params(name, holder, ttl.count());
    const auto term = co_await client_->find<std::uint64_t>(deadline, kAcquire, std::move(params));
    if (!term) co_return term.error();
    if (*term) co_return Lease{**term, true};

    Params named(name);
    const auto other = co_await client_->find<std::uint64_t>(deadline, kTerm, std::move(named));
    if (!other) co_return other.error();
    if (!*other) co_return Errc::stale;
    co_return Lease{**other, false};
  }

  Task<> release(Ticks deadline, std::string name, std::string holder) override {
    return client_->change(deadline, kRelease, Params(name, holder));
  }

  Task<std::string> requested(Ticks deadline, std::string name) override {
    if (!valid_name(name)) co_return Errc::invalid;
    Params params(name);
    co_return co_await client_->get<std::string>(deadline, kRequested, std::move(params));
  }

  Task<> request(Ticks deadline, std::string name, std::string value) override {
    if (!valid_name(name) || value.size() > kNameMax) co_return Errc::invalid;
    Params params(name, value);
    co_return co_await client_->change(deadline, kRequest, std::move(params));
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<ControlStore> create_control_store(std::shared_ptr<Client> client) {
  return std::make_unique<PostgresControlStore>(std::move(client));
}

}  // namespace sluice::postgres
