#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>

#include "sluice/base/snapshot.hpp"
#include "sluice/gate/identity.hpp"
#include "sluice/settings/reload.hpp"

#include "app/node.hpp"

namespace sluice {

/// SIGHUP from when this lives on: it is taken by the loop. Before and after, it waits.
class HangUps {
 public:
  explicit HangUps(boost::asio::io_context& context);
  ~HangUps();
  HangUps(const HangUps&) = delete;
  HangUps& operator=(const HangUps&) = delete;

  boost::asio::signal_set& signals() { return signals_; }

 private:
  boost::asio::signal_set signals_;
};

/// Reloads a node at each SIGHUP: all of what was read anew and may change, or, when any of it
/// cannot work, nothing. Lives on the loop from which the node is used.
class Reloader {
 public:
  using Load = std::function<LoadedSettings()>;

  /// `settings`, `secrets`: what the node was started with, as it was read. `identity`: what the
  /// demo signs tokens with; follows the key.
  Reloader(HangUps& hang_ups, Node& node, Snapshot<IdentitySettings>& identity, Settings settings,
           Secrets secrets, Load load);

 private:
  void wait();
  void reload();
  void take(Reload fresh);

  HangUps& hang_ups_;
  Node& node_;
  Snapshot<IdentitySettings>& identity_;
  Settings settings_;
  Secrets secrets_;
  Load load_;
  Counter& done_;
  Counter& failed_;
};

}  // namespace sluice
