#include "sluice/settings/reload.hpp"

#include <fmt/format.h>
#include <utility>

#include "settings/table.hpp"

namespace sluice {
namespace {

/// Takes what may change from `fresh` into `reload`, and notes what differs.
void merge_settings(Reload& reload, Settings fresh) {
  const auto rows = settings_table(reload.settings);
  const auto fresh_rows = settings_table(fresh);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto value = fresh_rows[i].binding.get();
    if (value == rows[i].binding.get()) continue;
    if (!rows[i].reloads) {
      reload.restarts.push_back(rows[i].key);
      continue;
    }
    rows[i].binding.set(value);
    reload.changes.push_back(fmt::format("{} = {}", rows[i].key, to_toml(value)));
  }
}

/// A table that lost all but a word must not open everything to who knows that word.
void refuse_bare_key(const AdminKeys& known, const AdminKeys& fresh) {
  const bool bare = fresh.size() == 1 && !fresh.front().role;
  if (!bare || known.empty() || !known.front().role) return;
  throw SettingsError(
      "the admin keys: one bare key is good for everything, and the keys so far have roles: only a "
      "restart takes it");
}

void merge_secrets(Reload& reload, Secrets fresh) {
  refuse_bare_key(reload.secrets.admin_keys, fresh.admin_keys);
  if (fresh.orders_secret != reload.secrets.orders_secret) {
    reload.restarts.emplace_back("the orders secret");
  }
  const auto take = [&](auto Secrets::*member, const char* name) {
    if (fresh.*member == reload.secrets.*member) return;
    reload.secrets.*member = std::move(fresh.*member);
    reload.changes.emplace_back(name);
  };
  take(&Secrets::identity_keys, "the identity keys");
  take(&Secrets::admin_keys, "the admin keys");
}

}  // namespace

Reload plan_reload(const Settings& running, const Secrets& known, const LoadedSettings& fresh,
                   const Environment& environment) {
  Reload reload{running, known, {}, {}};
  merge_settings(reload, fresh.settings);
  // What was read fits together; what the server then runs with is a mixture of both.
  auto problems = cross_check({reload.settings, fresh.origins}, environment);
  if (!problems.empty()) throw SettingsError(std::move(problems));
  merge_secrets(reload, read_secrets(reload.settings, environment));
  return reload;
}

}  // namespace sluice
