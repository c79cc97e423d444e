#include "sluice/http/admin_keys.hpp"

#include "sluice/base/hash.hpp"
#include "sluice/base/mutation.hpp"

namespace sluice {

bool permits(const AdminKey& key, AdminRole needed) noexcept {
  if (!key.role || *key.role == needed || mutant("http.any_role")) return true;
  return *key.role == AdminRole::operate && needed == AdminRole::read;
}

const AdminKey* find_key(const AdminKeys& keys, std::string_view token) noexcept {
  const AdminKey* found = nullptr;
  for (const auto& entry : keys) {
    if (equal_secrets(entry.key, token)) found = &entry;
  }
  return found;
}

}  // namespace sluice
