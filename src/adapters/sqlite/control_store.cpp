#include <utility>

#include "adapters/sqlite/client.hpp"

namespace sluice::sqlite {
namespace {

constexpr std::size_t kWishMax = 128;

struct ControlStatements {
  Connection& c;
  Statement acquire{c,
                    "INSERT INTO leases (name, holder, term, until_ms) VALUES (?1, ?2, 1, ?4)"
                    " ON CONFLICT (name) DO UPDATE SET"
                    " term = term + (holder <> ?2), holder = ?2, until_ms = ?4"
                    " WHERE holder = ?2 OR until_ms <= ?3"};
  Statement term{c, "SELECT term FROM leases WHERE name = ?1"};
  Statement wish{c, "SELECT value FROM requests WHERE name = ?1"};
  Statement set_wish{c,
                     "INSERT INTO requests (name, value) VALUES (?1, ?2)"
                     " ON CONFLICT (name) DO UPDATE SET value = ?2"};
  // The row stays, so that the term keeps growing.
  Statement release{c,
                    "UPDATE leases SET holder = '', until_ms = 0 WHERE name = ?1 AND holder = ?2"};
};

class SqliteControlStore final : public ControlStore {
 public:
  explicit SqliteControlStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<Lease> acquire(Ticks deadline, std::string name, std::string holder, Millis ttl) override {
    const auto work = [=](Connection& connection) -> Result<Lease> {
      if (name.empty() || holder.empty() || ttl <= Millis{0}) return Errc::invalid;
      auto& statements = connection.prepared<ControlStatements>();
      const auto now = to_ms(connection.clock().now());
      Transaction transaction(connection);
      Lease lease;
      lease.held = statements.acquire.change(name, holder, now, now + ttl.count()) == 1;
      {
        auto row = statements.term.run(name);
        if (row.next()) lease.term = static_cast<std::uint64_t>(row.integer(0));
      }
      transaction.commit();
      return lease;
    };
    return client_->write<Lease>({"acquire"}, deadline, work);
  }

  Task<> release(Ticks deadline, std::string name, std::string holder) override {
    const auto work = [=](Connection& connection) -> Result<void> {
      connection.prepared<ControlStatements>().release.change(name, holder);
      return {};
    };
    return client_->write<void>({"release"}, deadline, work);
  }

  Task<std::string> requested(Ticks deadline, std::string name) override {
    const auto work = [=](Connection& connection) -> Result<std::string> {
      auto row = connection.prepared<ControlStatements>().wish.run(name);
      return row.next() ? std::string(row.text(0)) : std::string();
    };
    return client_->write<std::string>({"requested"}, deadline, work);
  }

  Task<> request(Ticks deadline, std::string name, std::string value) override {
    const auto work = [=](Connection& connection) -> Result<void> {
      if (name.empty() || name.size() > kWishMax || value.size() > kWishMax) return Errc::invalid;
      Transaction transaction(connection);
      connection.prepared<ControlStatements>().set_wish.change(name, value);
      transaction.commit();
      return {};
    };
    return client_->write<void>({"request"}, deadline, work);
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<ControlStore> create_control_store(std::shared_ptr<Client> client) {
  return std::make_unique<SqliteControlStore>(std::move(client));
}

}  // namespace sluice::sqlite
