#include "sluice/inventory/winner_set.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "sluice/base/hash.hpp"

namespace sluice {
namespace {

/// A run is joined with the one before it unless that is so many times larger: a million winners
/// that come in pages of 4,096 are at most three runs, and each is moved some 24 times.
constexpr std::size_t kRatio = 8;

}  // namespace

std::uint64_t winner_hash(const UserId& user) noexcept {
  // A fixed key, known to everybody: what one node writes others read, also in later versions.
  static constexpr HashKey kWinnerKey = {'s', 'l', 'u', 'i', 'c', 'e', '.',
                                         'w', 'i', 'n', 'n', 'e', 'r'};
  return keyed_hash(kWinnerKey, user.text());
}

void WinnerSet::add(std::vector<std::uint64_t> hashes) {
  if (hashes.empty()) return;
  std::ranges::sort(hashes);
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  while (!runs_.empty() && runs_.back()->size() < kRatio * hashes.size()) {
    const auto before = std::move(runs_.back());
    runs_.pop_back();
    Run both;
    both.reserve(before->size() + hashes.size());
    std::ranges::set_union(*before, hashes, std::back_inserter(both));
    hashes = std::move(both);
  }
  runs_.push_back(std::make_shared<const Run>(std::move(hashes)));
}

bool WinnerSet::contains(std::uint64_t hash) const noexcept {
  return std::ranges::any_of(
      runs_, [hash](const auto& run) { return std::ranges::binary_search(*run, hash); });
}

std::size_t WinnerSet::size() const noexcept {
  std::size_t size = 0;
  for (const auto& run : runs_) size += run->size();
  return size;
}

}  // namespace sluice
