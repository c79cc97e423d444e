#include <utility>

#include "adapters/sqlite/client.hpp"

namespace sluice::sqlite {
namespace {

constexpr std::size_t kWishMax = 128;

struct Control {
  Connection& c;
  Statement acquire_{c,
                     "INSERT INTO leases (name, holder, term, until_ms) VALUES (?1, ?2, 1, ?4)"
                     " ON CONFLICT (name) DO UPDATE SET"
                     " term = term + (holder <> ?2), holder = ?2, until_ms = ?4"
                     " WHERE holder = ?2 OR until_ms <= ?3"};
  Statement term_{c, "SELECT term FROM leases WHERE name = ?1"};
  Statement requested_{c, "SELECT coalesce(max(value), '') FROM requests WHERE name = ?1"};
  Statement request_{c,
                     "INSERT INTO requests (name, value) VALUES (?1, ?2)"
                     " ON CONFLICT (name) DO UPDATE SET value = ?2"};
  // The row stays, so that the term keeps growing.
  Statement release_{c,
                     "UPDATE leases SET holder = '', until_ms = 0 WHERE name = ?1 AND holder = ?2"};

  Result<Lease> acquire(const std::string& name, const std::string& holder, Millis ttl) {
    if (name.empty() || holder.empty() || ttl <= Millis{0}) return Errc::invalid;
    const auto now = c.clock().now();
    Transaction transaction(c);
    Lease lease;
    lease.held = acquire_.change(name, holder, now, now + ttl) == 1;
    lease.term = term_.first<std::uint64_t>(name).value();
    transaction.commit();
    return lease;
  }

  Result<void> release(const std::string& name, const std::string& holder) {
    release_.change(name, holder);
    return {};
  }

  Result<std::string> requested(const std::string& name) {
    return requested_.first<std::string>(name).value();
  }

  Result<void> request(const std::string& name, const std::string& value) {
    if (name.empty() || name.size() > kWishMax || value.size() > kWishMax) return Errc::invalid;
    Transaction transaction(c);
    request_.change(name, value);
    transaction.commit();
    return {};
  }
};

class SqliteControlStore final : public ControlStore {
 public:
  explicit SqliteControlStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<Lease> acquire(Ticks deadline, std::string name, std::string holder, Millis ttl) override {
    return client_->write("acquire", deadline, &Control::acquire, name, holder, ttl);
  }

  Task<> release(Ticks deadline, std::string name, std::string holder) override {
    return client_->write("release", deadline, &Control::release, name, holder);
  }

  Task<std::string> requested(Ticks deadline, std::string name) override {
    return client_->write("requested", deadline, &Control::requested, name);
  }

  Task<> request(Ticks deadline, std::string name, std::string value) override {
    return client_->write("request", deadline, &Control::request, name, value);
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<ControlStore> create_control_store(std::shared_ptr<Client> client) {
  return std::make_unique<SqliteControlStore>(std::move(client));
}

}  // namespace sluice::sqlite
