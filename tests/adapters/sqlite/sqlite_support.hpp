#pragma once

#include "sluice/adapters/sqlite/stores.hpp"

#include "support/run_awaitable.hpp"
#include "support/test_dependency.hpp"

namespace sluice::test {

/// Stores on the calling thread's context.
inline SqliteStores stores_on(std::shared_ptr<SqliteDatabase> database) {
  thread_local TestDependency dependency("sqlite");
  return create_sqlite_stores(thread_context().get_executor(), std::move(database), dependency);
}

/// The same on a database of their own.
inline SqliteStores open_stores(const SqliteSettings& settings) {
  return stores_on(open_sqlite(settings));
}

}  // namespace sluice::test
