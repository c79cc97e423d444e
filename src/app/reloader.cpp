#include "app/reloader.hpp"

#include <boost/algorithm/string/join.hpp>
#include <boost/algorithm/string/replace.hpp>
#include <csignal>
#include <exception>
#include <memory>
#include <utility>

#include "sluice/base/log.hpp"

namespace sluice {
namespace {

void mask_hang_ups(int how) {
  sigset_t hang_up;
  ::sigemptyset(&hang_up);
  ::sigaddset(&hang_up, SIGHUP);
  ::pthread_sigmask(how, &hang_up, nullptr);
}

Counter& reloads(Metrics& metrics, const std::string& result) {
  return metrics.counter("sluice_reloads_total", "Reloads that SIGHUP asked for, by result",
                         {{"result", result}});
}

}  // namespace

HangUps::HangUps(boost::asio::io_context& context) : signals_(context, SIGHUP) {
  mask_hang_ups(SIG_UNBLOCK);
}

HangUps::~HangUps() {
  // Without its handler the signal would end the process.
  mask_hang_ups(SIG_BLOCK);
}

Reloader::Reloader(HangUps& hang_ups, Node& node, Snapshot<IdentitySettings>& identity,
                   Settings settings, Secrets secrets, Load load)
    : hang_ups_(hang_ups),
      node_(node),
      identity_(identity),
      settings_(std::move(settings)),
      secrets_(std::move(secrets)),
      load_(std::move(load)),
      done_(reloads(node.metrics(), "done")),
      failed_(reloads(node.metrics(), "failed")) {
  wait();
}

void Reloader::wait() {
  hang_ups_.signals().async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    reload();
    wait();
  });
}

void Reloader::reload() {
  try {
    take(plan_reload(settings_, secrets_, load_(), process_environment()));
    done_.Increment();
  } catch (const std::exception& error) {
    auto why = std::string(error.what());
    boost::algorithm::replace_all(why, "\n", "; ");
    log().error("reload: nothing was changed: {}", why);
    failed_.Increment();
  }
}

void Reloader::take(Reload fresh) {
  // First what may fail.
  set_access_log(fresh.settings.access_log);
  node_.reload(fresh.settings, fresh.secrets);
  auto identity = fresh.settings.identity;
  identity.keys = fresh.secrets.identity_keys;
  identity_.publish(std::make_shared<const IdentitySettings>(std::move(identity)));
  set_log_level(fresh.settings.log.level);
  settings_ = std::move(fresh.settings);
  secrets_ = std::move(fresh.secrets);
  const auto changes = boost::algorithm::join(fresh.changes, ", ");
  log().info("reload: {}", changes.empty() ? "nothing differs that may change" : changes);
  if (fresh.restarts.empty()) return;
  log().warn("reload: only a restart changes {}", boost::algorithm::join(fresh.restarts, ", "));
}

}  // namespace sluice
