#include "sluice/settings/secrets.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
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
      {"admin key", kSecretVariables[2], "admin.key_file", "admin_key", 16,
       &Settings::admin_key_file},
  }};
  return kKinds[static_cast<std::size_t>(which)];
}

/// A secret as a file or variable holds it, without the line's end.
std::string secret_of(std::string_view text) { return std::string(trimmed(text, " \t\r\n")); }

std::string read_secret_file(const std::string& path, const std::string& title) {
  return secret_of(
      read_file(path, kSecretBytesMax, "; it should hold the " + title, "too large for a secret"));
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
  if (variable != environment.end()) return {variable->first, secret_of(variable->second)};
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

std::string read_secret(const Place& place, const Kind& kind) {
  if (place.value) return *place.value;
  struct stat status {};
  if (::stat(place.name.c_str(), &status) == 0 && (status.st_mode & 077) != 0) {
    log().warn("{0} may be read or changed by others, and holds the {1}: chmod 600 {0}", place.name,
               kind.title);
  }
  return read_secret_file(place.name, kind.title);
}

bool is_public_key(Secret which, const Settings& settings) {
  return which == Secret::identity && settings.identity.algorithm != "HS256";
}

std::string public_key(const std::string& path) {
  const std::string text = read_secret_file(path, "public key");
  if (!text.starts_with("-----BEGIN PUBLIC KEY-----")) {
    throw SettingsError(path + ": is no public key in PEM (-----BEGIN PUBLIC KEY-----)");
  }
  return text + "\n";
}

/// What `make` gives for each secret. Throws `SettingsError` with the problems of all of them.
template <class Make>
std::vector<std::string> for_each_secret(Make make) {
  std::vector<std::string> made;
  std::vector<std::string> problems;
  for (const auto which : {Secret::identity, Secret::orders, Secret::admin}) {
    try {
      made.push_back(make(which));
    } catch (const SettingsError& error) {
      problems.insert(problems.end(), error.problems.begin(), error.problems.end());
    }
  }
  if (!problems.empty()) throw SettingsError(std::move(problems));
  return made;
}

}  // namespace

std::string load_secret(Secret which, const Settings& settings, const Environment& environment) {
  if (is_public_key(which, settings)) return public_key(settings.identity_public_key_file);
  const Kind& kind = kind_of(which);
  const auto place = place_of(kind, settings, environment);
  if (place.to_be_made) {
    throw SettingsError(
        fmt::format("{}: there is no {} yet; the server makes it at its first start "
                    "(or set data_dir, {} or {})",
                    place.name, kind.title, kind.setting, kind.variable));
  }
  auto text = read_secret(place, kind);
  const auto refuse = [&](const std::string& why) {
    throw SettingsError(
        fmt::format("{}: the {} {}; openssl rand -hex 32 makes one", place.name, kind.title, why));
  };
  if (text.size() < kind.bytes_min) {
    refuse(fmt::format("has {} bytes and needs {} or more", text.size(), kind.bytes_min));
  }
  // It travels in a header field.
  if (which == Secret::admin && printable(text, text.size()) != text) {
    refuse("must be printable ASCII");
  }
  return text;
}

Secrets read_secrets(const Settings& settings, const Environment& environment) {
  auto read =
      for_each_secret([&](Secret which) { return load_secret(which, settings, environment); });
  return {std::move(read[0]), std::move(read[1]), std::move(read[2])};
}

Secrets load_secrets(const Settings& settings, const Environment& environment) {
  auto made = for_each_secret([&](Secret which) {
    if (!is_public_key(which, settings)) {
      const Kind& kind = kind_of(which);
      const auto place = place_of(kind, settings, environment);
      if (place.to_be_made && make_secret_file(place.name)) {
        log().info("made a new {} in {}", kind.title, place.name);
      }
    }
    return load_secret(which, settings, environment);
  });
  return {std::move(made[0]), std::move(made[1]), std::move(made[2])};
}

std::vector<std::string> describe_secrets(const Settings& settings,
                                          const Environment& environment) {
  return for_each_secret([&](Secret which) {
    if (is_public_key(which, settings)) {
      load_secret(which, settings, environment);
      return "public key of the login: " + settings.identity_public_key_file;
    }
    const Kind& kind = kind_of(which);
    const auto place = place_of(kind, settings, environment);
    if (place.to_be_made) return kind.title + ": made at the first start in " + place.name;
    load_secret(which, settings, environment);
    return kind.title + ": " + place.name;
  });
}

}  // namespace sluice
