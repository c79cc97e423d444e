#pragma once

#include <memory>

#include "sluice/adapters/sqlite/stores.hpp"

#include "adapters/sqlite/database.hpp"

namespace sluice::sqlite {

/// Opens or creates the file of `settings`, locks it, checks that it is ours and migrates it.
/// Throws `SqliteStartError`.
std::shared_ptr<Database> open_database(const SqliteSettings& settings,
                                        std::shared_ptr<Clock> clock);

}  // namespace sluice::sqlite
