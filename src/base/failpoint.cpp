#include "sluice/base/failpoint.hpp"

#ifdef SLUICE_FAILPOINTS

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace sluice {
namespace {

struct Point {
  std::string name;
  std::string action;
  std::atomic<long> passages_left{1};
};

std::vector<std::unique_ptr<Point>> read_points() {
  std::vector<std::unique_ptr<Point>> points;
  const char* text = std::getenv("SLUICE_FAILPOINT");
  std::string rest = text == nullptr ? "" : text;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const auto one = rest.substr(0, comma);
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
    const auto equals = one.find('=');
    if (equals == std::string::npos) continue;
    const auto at = one.find('@', equals);
    auto point = std::make_unique<Point>();
    point->name = one.substr(0, equals);
    point->action = one.substr(equals + 1, at == std::string::npos ? at : at - equals - 1);
    if (at != std::string::npos) point->passages_left = std::atol(one.c_str() + at + 1);
    points.push_back(std::move(point));
  }
  return points;
}

}  // namespace

bool failpoint(std::string_view name) {
  static const auto points = read_points();
  for (const auto& point : points) {
    if (point->name != name || point->passages_left.fetch_sub(1) != 1) continue;
    if (point->action == "kill") {
      ::kill(::getpid(), SIGKILL);
    } else if (point->action == "stall") {
      std::this_thread::sleep_for(std::chrono::seconds(5));
    } else if (point->action == "error") {
      return true;
    }
  }
  return false;
}

}  // namespace sluice

#endif
