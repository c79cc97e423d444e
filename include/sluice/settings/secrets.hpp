#pragma once

#include <array>
#include <string>
#include <vector>

#include "sluice/http/admin_keys.hpp"
#include "sluice/settings/settings.hpp"

namespace sluice {

/// What must not be in the settings.
struct Secrets {
  VerifyingKeys identity_keys;  ///< For `IdentitySettings::keys`.
  std::string orders_secret;    ///< For `OrderIdSeal`.
  AdminKeys admin_keys;         ///< For `AdminPorts::keys`.
};

enum class Secret { identity, orders, admin };

/// The variables that hold secrets, in that order.
inline constexpr std::array<const char*, 3> kSecretVariables = {
    "SLUICE_IDENTITY_SECRET", "SLUICE_ORDERS_SECRET", "SLUICE_ADMIN_KEY"};

/// One secret: from its variable, else from the file that the settings name, else, in embedded
/// mode, from `data_dir`/secrets. White space around it does not count. A file that others than its
/// owner may read or write is used, with a warning in the log. Throws `SettingsError` when it is
/// missing, too short or cannot be read; the text says what to do. Those of operators are a text
/// for `parse_admin_keys`, and a good one.
std::string load_secret(Secret which, const Settings& settings, const Environment& environment);

/// What buyers' tokens are checked with: the login's key set or public key where the settings name
/// its file, else the identity secret. Keys of a set that are for something else are skipped, with
/// a warning in the log. Throws `SettingsError` as `load_secret` does, and for keys that cannot
/// work.
VerifyingKeys load_identity_keys(const Settings& settings, const Environment& environment);

/// The keys of operators in a text: one bare key, named `admin` and good for everything, or lines
/// NAME ROLE KEY. Empty lines and those that begin with '#' do not count. `where`: the file or
/// variable. Throws `SettingsError` with every bad line by its number, and no key in it.
AdminKeys parse_admin_keys(const std::string& text, const std::string& where);

/// `load_secret` of the operators' keys, parsed. Throws `SettingsError`.
AdminKeys load_admin_keys(const Settings& settings, const Environment& environment);

/// All of them, for the server: what embedded mode does not find it makes (folder 0700, file 0600)
/// and says so in the log. Throws `SettingsError` with every problem.
Secrets load_secrets(const Settings& settings, const Environment& environment);

/// All of them, of which none is made. Throws `SettingsError` with every problem.
Secrets read_secrets(const Settings& settings, const Environment& environment);

/// Where each secret comes from, one line each, without the secrets. Reads and checks what is there
/// and makes nothing; throws as `load_secrets` does.
std::vector<std::string> describe_secrets(const Settings& settings, const Environment& environment);

}  // namespace sluice
