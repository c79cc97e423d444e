#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/text.hpp"

namespace sluice {

/// What a key of the admin listener is good for.
enum class AdminRole : std::uint8_t {
  read,     ///< To look at sales, audits, the mode and the metrics.
  operate,  ///< To look at them and to change them.
  pay,      ///< Only to say what the shop knows of an order: paid, or cancelled.
};

template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<AdminRole> = {"read", "operate", "pay"};

/// What follows "Bearer " in a request to the admin listener, and whose it is.
struct AdminKey {
  std::string name;               ///< What the log calls its owner.
  std::optional<AdminRole> role;  ///< Empty: all of them.
  std::string key;                ///< `kAdminKeyBytesMin` bytes or more; never in a log.

  bool operator==(const AdminKey&) const = default;
};
using AdminKeys = std::vector<AdminKey>;

inline constexpr std::size_t kAdminKeyBytesMin = 16;

/// Whether the key is good for what needs that role.
bool permits(const AdminKey& key, AdminRole needed) noexcept;

/// The entry with that key, or null. Looks at every entry, whichever fits, in constant time for
/// tokens of one length.
const AdminKey* find_key(const AdminKeys& keys, std::string_view token) noexcept;

}  // namespace sluice
