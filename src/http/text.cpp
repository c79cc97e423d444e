#include "http/text.hpp"

#include <algorithm>

#include "sluice/base/text.hpp"

namespace sluice::http {

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  const auto same = [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b;
  };
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), same);
}

std::string_view take_element(std::string_view& list, char separator) {
  const auto end = std::min(list.find(separator), list.size());
  const auto element = trimmed(list.substr(0, end));
  list.remove_prefix(std::min(end + 1, list.size()));
  return element;
}

}  // namespace sluice::http
