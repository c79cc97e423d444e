#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "sluice/base/time.hpp"
#include "sluice/catalog/sale_store.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/orders/order_transitions.hpp"
#include "sluice/recovery/control_store.hpp"

namespace sluice {

struct SqliteSettings {
  std::string path;  ///< The database file, made if missing; its folder must exist.
  Millis lock_wait{
      2'000};  ///< How long to wait at start for another process to let go of the file.
};

/// Why the file cannot be used. `what()` is one sentence for the operator and names the file.
class SqliteStartError : public std::runtime_error {
 public:
  enum class Reason {
    bad_path,     ///< No such folder, a folder itself, or no permission.
    in_use,       ///< Another process holds the file.
    foreign,      ///< Not a database, damaged, or of another program.
    newer,        ///< Written by a newer version of this program.
    unavailable,  ///< The disk is full or fails.
  };

  SqliteStartError(Reason reason, const std::string& message)
      : std::runtime_error(message), reason_(reason) {}

  Reason reason() const noexcept { return reason_; }

 private:
  Reason reason_;
};

/// The stores over one connection to one file: use them all from one executor (not
/// necessarily the creating thread). Each may be destroyed in any order; the last one closes the
/// file.
struct SqliteStores {
  std::unique_ptr<OrderStore> orders;
  std::unique_ptr<OrderTransitions> moves;
  std::unique_ptr<SaleStore> sales;
  std::unique_ptr<ControlStore> control;
};

/// Opens or creates the file, takes it for this process alone and brings its schema up to date.
/// What a call acknowledged survives kill -9 and a loss of power. Calls block the thread for the
/// time of one transaction and one fsync. A deadline is looked at while statements run; it does not
/// interrupt an fsync. Throws `SqliteStartError`. `clock` tells deadlines and the time of leases.
///
/// Errors of every call: `Errc::unavailable` (disk full, I/O error, deadline passed) when nothing
/// was done, `Errc::unknown` when the commit's fsync failed. The next call works as soon as the
/// disk does.
SqliteStores create_sqlite_stores(const SqliteSettings& settings,
                                  std::shared_ptr<Clock> clock = system_clock());

}  // namespace sluice
