#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sluice/domain/ids.hpp"

namespace sluice {

/// How a lane's winners are listed: 8 bytes each, the same on every node. Two users may share one;
/// whoever is taken for a winner only asks the lane.
std::uint64_t winner_hash(const UserId& user) noexcept;

/// Hashes of winners, in about 8 bytes each; twice that for a moment while many are joined. It
/// only grows. Copies share what they hold and are independent: another thread may read one.
class WinnerSet {
 public:
  /// Adds a page of them, in any order, also again.
  void add(std::vector<std::uint64_t> hashes);

  bool contains(std::uint64_t hash) const noexcept;

  std::size_t size() const noexcept;

 private:
  using Run = std::vector<std::uint64_t>;  ///< Sorted, none twice.

  /// Each much larger than the one behind it: few to look through, and few that are joined often.
  std::vector<std::shared_ptr<const Run>> runs_;
};

}  // namespace sluice
