#include "sluice/settings/secrets.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <stdexcept>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "sluice/base/hash.hpp"
#include "sluice/base/log.hpp"
#include "sluice/base/text.hpp"

#include "settings/table.hpp"

namespace sluice {
namespace {

constexpr std::size_t kSecretBytesMax = 16'384;
constexpr std::size_t kKeySetBytesMax = 65'536;
constexpr std::size_t kMadeBytes = 32;

/// What is particular to each secret.
struct Kind {
  std::string title;
  std::string variable;
  std::string setting;
  std::string made_name;  ///< In data_dir/secrets.
  std::size_t bytes_min;
  const std::string Settings::*file;
};

const Kind& kind_of(Secret which) {
  static const std::array<Kind, kSecretVariables.size()> kKinds = {{
      {"identity secret", kSecretVariables[0], "identity.secret_file", "identity_secret", 32,
       &Settings::identity_secret_file},
      {"orders secret", kSecretVariables[1], "orders.secret_file", "orders_secret", 32,
       &Settings::orders_secret_file},
      {"admin key", kSecretVariables[2], "admin.key_file", "admin_key", kAdminKeyBytesMin,
       &Settings::admin_key_file},
  }};
  return kKinds[static_cast<std::size_t>(which)];
}

/// A secret as a file or variable holds it, without the line's end.
std::string secret_of(std::string_view text) { return std::string(trimmed(text, " \t\r\n")); }

std::string read_secret_file(const std::string& path, const std::string& title) {
  return read_file(path, kSecretBytesMax, "; it should hold the " + title,
                   "too large for a secret");
}

void make_private_folder(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::create_directories(path.parent_path(), error)) {
    std::filesystem::permissions(path.parent_path(), std::filesystem::perms::owner_all, error);
  }
  if (!error && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    error.assign(errno, std::generic_category());
  }
  if (error) throw SettingsError(path.string() + ": cannot be created: " + error.message());
}

/// Makes the file in its folder, whole or not at all, and says whether it did: of two processes at
/// once, the first one's stays.
bool make_secret_file(const std::string& path) {
  make_private_folder(std::filesystem::path(path).parent_path());
  const auto reason = [] { return std::generic_category().message(errno); };
  const std::string draft = path + "." + random_hex(8);
  const std::string text = random_hex(kMadeBytes) + "\n";
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) throw SettingsError(draft + ": cannot be created: " + reason());
  const bool written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file) == 0;
  const bool linked = written && ::link(draft.c_str(), path.c_str()) == 0;
  const bool lost = written && !linked && errno == EEXIST;
  const std::string why = reason();
  ::close(file);
  ::unlink(draft.c_str());
  if (!linked && !lost) throw SettingsError(path + ": cannot be written: " + why);
  return linked;
}

/// Where a secret is, or is to be.
struct Place {
  std::string name;                    ///< Of the variable, or of the file.
  std::optional<std::string> value{};  ///< What the variable holds.
  bool to_be_made = false;             ///< By the server, in embedded mode.
};

Place place_of(const Kind& kind, const Settings& settings, const Environment& environment) {
  const auto variable = environment.find(kind.variable);
  if (variable != environment.end()) return {variable->first, variable->second};
  if (const std::string& path = settings.*kind.file; !path.empty()) return {path};
  if (settings.mode == Mode::embedded) {
    const std::string path = settings.data_dir + "/secrets/" + kind.made_name;
    std::error_code error;
    return {path, std::nullopt, !std::filesystem::exists(path, error)};
  }
  throw SettingsError(
      fmt::format("{}: services mode needs the {}: openssl rand -hex 32 > FILE; chmod 600 FILE; "
                  "then name FILE here, or set {}",
                  kind.setting, kind.title, kind.variable));
}

void warn_of_readers(const std::string& path, const std::string& title) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || (status.st_mode & 077) == 0) return;
  log().warn("{0} may be read or changed by others, and holds the {1}: chmod 600 {0}", path, title);
}

/// As it stands there, with the blanks around it.
std::string read_secret(const Place& place, const Kind& kind) {
  if (place.value) return *place.value;
  warn_of_readers(place.name, kind.title);
  return read_secret_file(place.name, kind.title);
}

/// The file with the keys of the login; empty when it shares a secret with Sluice.
std::string login_key_file(const Settings& settings) {
  if (!settings.identity_jwks_file.empty()) return settings.identity_jwks_file;
  return settings.identity_algorithm == "HS256" ? "" : settings.identity_public_key_file;
}

bool is_login_key(Secret which, const Settings& settings) {
  return which == Secret::identity && !login_key_file(settings).empty();
}

std::string public_key(const std::string& path) {
  const std::string text = secret_of(read_secret_file(path, "public key"));
  if (!text.starts_with("-----BEGIN PUBLIC KEY-----")) {
    throw SettingsError(path + ": is no public key in PEM (-----BEGIN PUBLIC KEY-----)");
  }
  return text + "\n";
}

VerifyingKeys key_set(const std::string& path) {
  auto set = parse_key_set(read_file(path, kKeySetBytesMax,
                                     "; it should hold the login's JSON Web Key Set",
                                     "larger than 64 KiB, which no key set is"));
  for (const auto& sentence : set.skipped) log().warn("{}: {}: skipped", path, sentence);
  const auto is_shared = [](const VerifyingKey& key) { return key.algorithm == "HS256"; };
  if (std::ranges::any_of(set.keys, is_shared)) warn_of_readers(path, "identity secret");
  return std::move(set.keys);
}

/// Does `step` for each secret. Throws `SettingsError` with the problems of all of them.
template <class Step>
void for_each_secret(Step step) {
  std::vector<std::string> problems;
  for (const auto which : {Secret::identity, Secret::orders, Secret::admin}) {
    try {
      step(which);
    } catch (const SettingsError& error) {
      problems.insert(problems.end(), error.problems.begin(), error.problems.end());
    }
  }
  if (!problems.empty()) throw SettingsError(std::move(problems));
}

/// Makes what embedded mode does not find.
void make_secret(Secret which, const Settings& settings, const Environment& environment) {
  if (is_login_key(which, settings)) return;
  const Kind& kind = kind_of(which);
  const auto place = place_of(kind, settings, environment);
  if (place.to_be_made && make_secret_file(place.name)) {
    log().info("made a new {} in {}", kind.title, place.name);
  }
}

void read_into(Secrets& secrets, Secret which, const Settings& settings,
               const Environment& environment) {
  switch (which) {
    case Secret::identity:
      secrets.identity_keys = load_identity_keys(settings, environment);
      break;
    case Secret::orders:
      secrets.orders_secret = load_secret(which, settings, environment);
      break;
    case Secret::admin:
      secrets.admin_keys = load_admin_keys(settings, environment);
      break;
  }
}

}  // namespace

std::string load_secret(Secret which, const Settings& settings, const Environment& environment) {
  const Kind& kind = kind_of(which);
  const auto place = place_of(kind, settings, environment);
  if (place.to_be_made) {
    throw SettingsError(
        fmt::format("{}: there is no {} yet; the server makes it at its first start "
                    "(or set data_dir, {} or {})",
                    place.name, kind.title, kind.setting, kind.variable));
  }
  auto text = read_secret(place, kind);
  if (which == Secret::admin) {
    parse_admin_keys(text, place.name);
    return text;
  }
  text = secret_of(text);
  if (text.size() < kind.bytes_min) {
    throw SettingsError(
        fmt::format("{}: the {} has {} bytes and needs {} or more; openssl rand -hex 32 makes one",
                    place.name, kind.title, text.size(), kind.bytes_min));
  }
  return text;
}

VerifyingKeys load_identity_keys(const Settings& settings, const Environment& environment) {
  const auto file = login_key_file(settings);
  if (file.empty()) {
    return {
        {"", settings.identity_algorithm, load_secret(Secret::identity, settings, environment)}};
  }
  try {
    if (!settings.identity_jwks_file.empty()) return key_set(file);
    VerifyingKeys keys = {{"", settings.identity_algorithm, public_key(file)}};
    check_keys(keys);
    return keys;
  } catch (const std::invalid_argument& error) {
    throw SettingsError(file + ": " + error.what());
  }
}

AdminKeys load_admin_keys(const Settings& settings, const Environment& environment) {
  return parse_admin_keys(load_secret(Secret::admin, settings, environment),
                          kind_of(Secret::admin).title);
}

Secrets read_secrets(const Settings& settings, const Environment& environment) {
  Secrets secrets;
  for_each_secret([&](Secret which) { read_into(secrets, which, settings, environment); });
  return secrets;
}

Secrets load_secrets(const Settings& settings, const Environment& environment) {
  Secrets secrets;
  for_each_secret([&](Secret which) {
    make_secret(which, settings, environment);
    read_into(secrets, which, settings, environment);
  });
  return secrets;
}

std::vector<std::string> describe_secrets(const Settings& settings,
                                          const Environment& environment) {
  std::vector<std::string> lines;
  for_each_secret([&](Secret which) {
    if (is_login_key(which, settings)) {
      load_identity_keys(settings, environment);
      lines.push_back("keys of the login: " + login_key_file(settings));
      return;
    }
    const Kind& kind = kind_of(which);
    const auto place = place_of(kind, settings, environment);
    if (!place.to_be_made) load_secret(which, settings, environment);
    lines.push_back(kind.title + (place.to_be_made ? ": made at the first start in " : ": ") +
                    place.name);
  });
  return lines;
}

}  // namespace sluice
