#include "sluice/settings/descriptors.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

Settings settings_of(Mode mode, std::size_t connections_max) {
  Settings settings;
  settings.mode = mode;
  settings.http_threads = 2;
  settings.connections.connections_max = connections_max;
  return settings;
}

TEST(Descriptors, ConnectionsThatFitAreLeftAlone) {
  auto settings = settings_of(Mode::embedded, 5000);
  EXPECT_EQ(fit_connections(settings, 5000 + reserved_descriptors(settings)), "");
  EXPECT_EQ(settings.connections.connections_max, 5000U);
}

TEST(Descriptors, ConnectionsAreLoweredToWhatTheLimitLeavesAndTheSentenceSaysHowToRaiseIt) {
  auto settings = settings_of(Mode::embedded, 5000);
  const auto reserve = reserved_descriptors(settings);
  const auto said = fit_connections(settings, reserve + 1234);
  EXPECT_EQ(settings.connections.connections_max, 1234U);
  EXPECT_NE(said.find("http.connections_max is 1234 and not 5000"), said.npos) << said;
  EXPECT_NE(said.find("to " + std::to_string(reserve + 5000)), said.npos) << said;
}

TEST(Descriptors, ALimitThatLeavesNoRoomIsRefused) {
  auto settings = settings_of(Mode::services, 5000);
  EXPECT_THROW(fit_connections(settings, reserved_descriptors(settings)), SettingsError);
  EXPECT_NE(fit_connections(settings, reserved_descriptors(settings) + 1), "");
  EXPECT_EQ(settings.connections.connections_max, 1U);
}

TEST(Descriptors, EveryPoolAndThreadIsReservedFor) {
  const auto reserve = [](auto change) {
    auto settings = settings_of(Mode::services, 1);
    change(settings);
    return reserved_descriptors(settings);
  };
  const auto plain = reserve([](Settings&) {});
  EXPECT_GE(plain, reserve([](Settings& s) { s.mode = Mode::embedded; }) + 4 * 6);
  EXPECT_GE(reserve([](Settings& s) { s.postgres.pool_size += 10; }), plain + 5 * 2 * 10);
  EXPECT_GE(reserve([](Settings& s) { s.http_threads += 1; }), plain + kRefusedConnectionsMax);
  EXPECT_GE(reserve([](Settings& s) { s.fulfilment_workers += 1; }), plain + 64);
  EXPECT_GE(reserve([](Settings& s) { s.admin.connections.connections_max += 100; }), plain + 100);
}

}  // namespace
}  // namespace sluice
