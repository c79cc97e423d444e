// A record of the orders topic.
#include <string_view>

#include "sluice/domain/order.hpp"

#include "fuzz/fuzz.hpp"

using sluice::test::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto message = sluice::parse_order_message(bytes);
  if (message) {
    const auto again = sluice::parse_order_message(to_json(*message));
    require(again && to_json(*again) == to_json(*message), "a message survives being written");
  }
  const auto fence = sluice::parse_fence(bytes);
  if (fence) {
    const auto again = sluice::parse_fence(to_json(*fence));
    require(again && to_json(*again) == to_json(*fence), "a fence survives being written");
  }
  require(!(message && fence), "nothing is both a message and a fence");
  return 0;
}
