#include <utility>

#include "adapters/sqlite/stores.hpp"

namespace sluice::sqlite {
namespace {

class ControlStoreImpl final : public ControlStore {
 public:
  explicit ControlStoreImpl(std::shared_ptr<Database> database) : database_(std::move(database)) {}

  Task<Lease> acquire(Ticks deadline, std::string name, std::string holder, Millis ttl) override {
    const auto work = [&] {
      return acquire_now(name, holder, ttl);
    };
    co_return database_->answer(deadline, work);
  }

  Task<> release(Ticks deadline, std::string name, std::string holder) override {
    const auto work = [&]() -> Result<void> {
      release_.change(name, holder);
      return {};
    };
    co_return database_->answer(deadline, work);
  }

  Task<std::string> requested(Ticks deadline, std::string name) override {
    const auto work = [&]() -> Result<std::string> {
      auto row = wish_.run(name);
      return row.next() ? std::string(row.text(0)) : std::string();
    };
    co_return database_->answer(deadline, work);
  }

  Task<> request(Ticks deadline, std::string name, std::string value) override {
    const auto work = [&]() -> Result<void> {
      if (name.empty() || name.size() > kWishMax || value.size() > kWishMax) return Errc::invalid;
      Transaction transaction(*database_);
      set_wish_.change(name, value);
      transaction.commit();
      return {};
    };
    co_return database_->answer(deadline, work);
  }

 private:
  static constexpr std::size_t kWishMax = 128;

  Result<Lease> acquire_now(const std::string& name, const std::string& holder, Millis ttl) {
    if (name.empty() || holder.empty() || ttl <= Millis{0}) return Errc::invalid;
    const auto now = to_ms(database_->clock().now());
    Transaction transaction(*database_);
    const bool held = acquire_.change(name, holder, now, now + ttl.count()) == 1;
    const auto term = term_of(name);
    transaction.commit();
    Lease lease;
    lease.term = term;
    lease.held = held;
    return lease;
  }

  std::uint64_t term_of(const std::string& name) {
    auto row = term_.run(name);
    return row.next() ? static_cast<std::uint64_t>(row.integer(0)) : 0;
  }

  std::shared_ptr<Database> database_;
  Statement acquire_{*database_,
                     "INSERT INTO leases (name, holder, term, until_ms) VALUES (?1, ?2, 1, ?4)"
                     " ON CONFLICT (name) DO UPDATE SET"
                     " term = term + (holder <> ?2), holder = ?2, until_ms = ?4"
                     " WHERE holder = ?2 OR until_ms <= ?3"};
  Statement term_{*database_, "SELECT term FROM leases WHERE name = ?1"};
  Statement wish_{*database_, "SELECT value FROM requests WHERE name = ?1"};
  Statement set_wish_{*database_,
                      "INSERT INTO requests (name, value) VALUES (?1, ?2)"
                      " ON CONFLICT (name) DO UPDATE SET value = ?2"};
  // The row stays, so that the term keeps growing.
  Statement release_{*database_,
                     "UPDATE leases SET holder = '', until_ms = 0 WHERE name = ?1 AND holder = ?2"};
};

}  // namespace

std::unique_ptr<ControlStore> create_control_store(std::shared_ptr<Database> database) {
  return std::make_unique<ControlStoreImpl>(std::move(database));
}

}  // namespace sluice::sqlite
