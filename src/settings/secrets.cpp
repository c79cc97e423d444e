#include "sluice/settings/secrets.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "sluice/base/hash.hpp"
#include "sluice/base/log.hpp"
#include "sluice/base/text.hpp"

namespace sluice {
namespace {

constexpr std::size_t kSecretBytesMax = 16'384;
constexpr std::size_t kMadeBytes = 32;

/// What is particular to each secret.
struct Kind {
  std::string_view title;
  std::string_view variable;
  std::string_view setting;
  std::string_view made_name;  ///< In data_dir/secrets.
  std::size_t bytes_min;
  const std::string Settings::*file;
};

constexpr std::array kKinds = {
    Kind{"identity secret", "SLUICE_IDENTITY_SECRET", "identity.secret_file", "identity_secret", 32,
         &Settings::identity_secret_file},
    Kind{"orders secret", "SLUICE_ORDERS_SECRET", "orders.secret_file", "orders_secret", 32,
         &Settings::orders_secret_file},
    Kind{"admin key", "SLUICE_ADMIN_KEY", "admin.key_file", "admin_key", 16,
         &Settings::admin_key_file},
};

const Kind& kind_of(Secret which) { return kKinds[static_cast<std::size_t>(which)]; }

std::string reason() { return std::error_code(errno, std::generic_category()).message(); }

/// A secret as a file or variable holds it, without the line's end.
std::string secret_of(std::string_view text) { return std::string(trimmed(text, " \t\r\n")); }

void warn_when_open(const std::string& path, std::string_view title) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || (status.st_mode & 077) == 0) return;
  log().warn("{} may be read or changed by others, and holds the {}: chmod 600 {}", path, title,
             path);
}

std::string read_secret_file(const std::string& path, std::string_view title) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw SettingsError(path + ": there is no such file; it should hold the " + std::string(title));
  }
  std::ifstream in(path, std::ios::binary);
  std::string text(kSecretBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad() || !in.is_open()) throw SettingsError(path + ": cannot be read");
  if (text.size() > kSecretBytesMax) throw SettingsError(path + ": too large for a secret");
  return secret_of(text);
}

/// A descriptor of a new file that only its owner may use.
int create_private(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) throw SettingsError(path + ": cannot be created: " + reason());
  return file;
}

/// Makes the file whole or not at all, and says whether it did: of two processes at once, the first
/// one's stays.
bool make_secret_file(const std::string& path) {
  const std::string draft = path + "." + random_hex(8);
  const std::string text = random_hex(kMadeBytes) + "\n";
  const int file = create_private(draft);
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

void make_private_folder(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (std::filesystem::create_directories(parent, error)) {
    std::filesystem::permissions(parent, std::filesystem::perms::owner_all, error);
  }
  if (error) throw SettingsError(path + ": cannot be created: " + error.message());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    throw SettingsError(path + ": cannot be created: " + reason());
  }
}

std::string made_secret(const Kind& kind, const Settings& settings, Missing missing) {
  const std::string folder = settings.data_dir + "/secrets";
  const std::string path = folder + "/" + std::string(kind.made_name);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    if (missing == Missing::refuse) {
      throw SettingsError(path + ": there is no " + std::string(kind.title) +
                          " yet; the server makes it at its first start (or set data_dir, " +
                          std::string(kind.setting) + " or " + std::string(kind.variable) + ")");
    }
    make_private_folder(folder);
    if (make_secret_file(path)) log().info("made a new {} in {}", kind.title, path);
  }
  warn_when_open(path, kind.title);
  return read_secret_file(path, kind.title);
}

std::string secret_text(const Kind& kind, const Settings& settings, const Environment& environment,
                        Missing missing) {
  const auto variable = environment.find(std::string(kind.variable));
  if (variable != environment.end()) return secret_of(variable->second);
  const std::string& path = settings.*kind.file;
  if (!path.empty()) {
    warn_when_open(path, kind.title);
    return read_secret_file(path, kind.title);
  }
  if (settings.mode == Mode::embedded) return made_secret(kind, settings, missing);
  throw SettingsError(std::string(kind.setting) + ": services mode needs the " +
                      std::string(kind.title) +
                      ": openssl rand -hex 32 > FILE; chmod 600 FILE; "
                      "then name FILE here, or set " +
                      std::string(kind.variable));
}

/// Where a secret that is no good came from.
std::string source_of(const Kind& kind, const Settings& settings, const Environment& environment) {
  if (environment.contains(std::string(kind.variable))) return std::string(kind.variable);
  const std::string& path = settings.*kind.file;
  return path.empty() ? settings.data_dir + "/secrets/" + std::string(kind.made_name) : path;
}

std::string public_key(const Settings& settings) {
  const std::string& path = settings.identity_public_key_file;
  const std::string text = read_secret_file(path, "public key");
  if (!text.starts_with("-----BEGIN PUBLIC KEY-----")) {
    throw SettingsError(path + ": is no public key in PEM (-----BEGIN PUBLIC KEY-----)");
  }
  return text + "\n";
}

constexpr std::array kAll = {Secret::identity, Secret::orders, Secret::admin};

/// What `make` gives for each secret. Throws `SettingsError` with the problems of all of them.
template <class Make>
std::array<std::string, kAll.size()> for_each_secret(Make make) {
  std::array<std::string, kAll.size()> made;
  std::vector<std::string> problems;
  for (std::size_t i = 0; i < kAll.size(); ++i) {
    try {
      made[i] = make(kAll[i]);
    } catch (const SettingsError& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (!problems.empty()) throw SettingsError(std::move(problems));
  return made;
}

std::string describe(Secret which, const Settings& settings, const Environment& environment) {
  if (which == Secret::identity && settings.identity.algorithm != "HS256") {
    load_secret(which, settings, environment);
    return "public key of the login: " + settings.identity_public_key_file;
  }
  const Kind& kind = kind_of(which);
  const auto source = source_of(kind, settings, environment);
  const bool made = settings.mode == Mode::embedded && (settings.*kind.file).empty() &&
                    !environment.contains(std::string(kind.variable));
  std::error_code error;
  if (made && !std::filesystem::exists(source, error)) {
    return std::string(kind.title) + ": made at the first start in " + source;
  }
  load_secret(which, settings, environment);
  return std::string(kind.title) + ": " + source;
}

}  // namespace

std::array<std::string_view, 3> secret_variables() {
  return {kKinds[0].variable, kKinds[1].variable, kKinds[2].variable};
}

std::string load_secret(Secret which, const Settings& settings, const Environment& environment,
                        Missing missing) {
  if (which == Secret::identity && settings.identity.algorithm != "HS256") {
    return public_key(settings);
  }
  const Kind& kind = kind_of(which);
  auto text = secret_text(kind, settings, environment, missing);
  const auto refuse = [&](const std::string& why) {
    throw SettingsError(source_of(kind, settings, environment) + ": the " +
                        std::string(kind.title) + " " + why + "; openssl rand -hex 32 makes one");
  };
  if (text.size() < kind.bytes_min) {
    refuse("has " + std::to_string(text.size()) + " bytes and needs " +
           std::to_string(kind.bytes_min) + " or more");
  }
  // It travels in a header field.
  if (which == Secret::admin && printable(text, text.size()) != text) {
    refuse("must be printable ASCII");
  }
  return text;
}

Secrets load_secrets(const Settings& settings, const Environment& environment, Missing missing) {
  auto [identity, orders, admin] = for_each_secret(
      [&](Secret which) { return load_secret(which, settings, environment, missing); });
  return {std::move(identity), std::move(orders), std::move(admin)};
}

std::vector<std::string> describe_secrets(const Settings& settings,
                                          const Environment& environment) {
  const auto lines =
      for_each_secret([&](Secret which) { return describe(which, settings, environment); });
  return {lines.begin(), lines.end()};
}

}  // namespace sluice
