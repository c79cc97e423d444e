#include "sluice/base/failpoint.hpp"

#ifdef SLUICE_FAILPOINTS

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <list>
#include <regex>
#include <string>
#include <thread>
#include <unistd.h>

#include "sluice/base/text.hpp"

namespace sluice {

template <>
inline constexpr std::array<std::string_view, 4> kEnumNames<Fault> = {"none", "error", "lost",
                                                                      "duplicate"};

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

std::list<Point> read_points() {
  const std::regex form("([^=,]+)=([^@,]*)(?:@([0-9]+)([+]?))?");
  const char* variable = std::getenv("SLUICE_FAILPOINT");
  const std::string text = variable == nullptr ? "" : variable;
  std::list<Point> points;
  for (std::sregex_iterator match(text.begin(), text.end(), form), end; match != end; ++match) {
    auto& point = points.emplace_back();
    point.name = match->str(1);
    point.action = match->str(2);
    if ((*match)[3].matched) point.passages_left = std::stol(match->str(3));
    point.from_then_on = match->str(4) == "+";
  }
  return points;
}

Fault act(std::string_view action) {
  if (action == "kill") ::kill(::getpid(), SIGKILL);
  if (action == "stall") std::this_thread::sleep_for(std::chrono::seconds(5));
  return parse_name<Fault>(action).value_or(Fault::none);
}

}  // namespace

Fault failpoint(std::string_view use, std::string_view call, std::string_view end) {
  static auto points = read_points();
  std::string name(use);
  for (const auto part : {call, end}) {
    if (!part.empty()) name.append(".").append(part);
  }
  for (auto& point : points) {
    if (point.name == name && point.acts()) return act(point.action);
  }
  return Fault::none;
}

}  // namespace sluice

#endif
