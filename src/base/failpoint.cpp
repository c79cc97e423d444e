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
  bool from_then_on = false;

  bool acts() {
    const auto left = passages_left.fetch_sub(1);
    return left == 1 || (left < 1 && from_then_on);
  }
};

std::unique_ptr<Point> read_point(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) return nullptr;
  const auto at = text.find('@', equals);
  auto point = std::make_unique<Point>();
  point->name = text.substr(0, equals);
  point->action = text.substr(equals + 1, at == std::string::npos ? at : at - equals - 1);
  if (at != std::string::npos) point->passages_left = std::atol(text.c_str() + at + 1);
  point->from_then_on = at != std::string::npos && text.ends_with('+');
  return point;
}

std::vector<std::unique_ptr<Point>> read_points() {
  std::vector<std::unique_ptr<Point>> points;
  const char* text = std::getenv("SLUICE_FAILPOINT");
  std::string rest = text == nullptr ? "" : text;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    if (auto point = read_point(rest.substr(0, comma))) points.push_back(std::move(point));
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
  }
  return points;
}

Fault act(const std::string& action) {
  if (action == "kill") ::kill(::getpid(), SIGKILL);
  if (action == "stall") std::this_thread::sleep_for(std::chrono::seconds(5));
  if (action == "error") return Fault::error;
  if (action == "lost") return Fault::lost;
  if (action == "duplicate") return Fault::duplicate;
  return Fault::none;
}

}  // namespace

Fault failpoint(std::string_view name) {
  static const auto points = read_points();
  for (const auto& point : points) {
    if (point->name == name && point->acts()) return act(point->action);
  }
  return Fault::none;
}

}  // namespace sluice

#endif
