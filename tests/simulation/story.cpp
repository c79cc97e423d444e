#include "simulation/story.hpp"

#include <cstdio>
#include <string_view>
#include <utility>

namespace sluice::simulation {
namespace {

void mix(std::uint64_t& hash, std::uint64_t value) {
  hash ^= value;
  hash *= 0x100000001b3U;
  hash ^= hash >> 29U;
}

std::string name_of(Who who) {
  if (who == kWorld) return "world";
  return who < kUsers ? "node " + std::to_string(who) : "user " + std::to_string(who - kUsers);
}

}  // namespace

std::int64_t brief(const OrderId& id) {
  const auto& bytes = id.bytes();
  return bytes[13] << 16 | bytes[14] << 8 | bytes[15];
}

void Story::note(Who who, const char* what, std::int64_t a, std::int64_t b, std::int64_t c,
                 std::int64_t d) {
  notes_.push_back({scheduler_.now(), what, {a, b, c, d}, who});
  mix(hash_, static_cast<std::uint64_t>(scheduler_.now().time_since_epoch().count()));
  mix(hash_, who);
  for (const char* letter = what; *letter != '\0'; letter += 1) {
    hash_ = (hash_ ^ static_cast<unsigned char>(*letter)) * 0x100000001b3U;
  }
  for (const auto number : {a, b, c, d}) mix(hash_, static_cast<std::uint64_t>(number));
}

void Story::violate(std::string why) {
  if (violation_.empty()) violation_ = std::move(why);
}

void Story::print(std::ostream& out) const {
  for (const auto& note : notes_) {
    const auto since = note.at - kVirtualStart;
    char head[48];
    std::snprintf(head, sizeof(head), "%11.4f  %-8s  ",
                  std::chrono::duration<double>(since).count(), name_of(note.who).c_str());
    out << head;
    const auto* number = note.numbers;
    std::string_view rest = note.what;
    for (auto gap = rest.find("{}"); gap != rest.npos; gap = rest.find("{}")) {
      out << rest.substr(0, gap) << *number;
      number += 1;
      rest.remove_prefix(gap + 2);
    }
    out << rest << '\n';
  }
  if (failed()) out << "VIOLATION: " << violation_ << '\n';
}

}  // namespace sluice::simulation
