// What Redis answers, and the records in it: the first byte says how many bytes come at once.
#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "sluice/base/text.hpp"

#include "adapters/redis/protocol.hpp"
#include "adapters/redis/records.hpp"
#include "adapters/redis/result_message.hpp"
#include "fuzz/fuzz.hpp"

using sluice::test::require;
namespace redis = sluice::redis;

namespace {

void read_text(std::string_view text) {
  if (const auto order = redis::parse_record(text)) {
    const auto again = redis::parse_record(redis::make_record(*order));
    require(again && again->id == order->id, "a record survives being written");
  }
  redis::parse_pending({1, 0}, text, "1700000000000");
  static_cast<void>(sluice::parse_number<std::int64_t>(text));
  if (const auto outcomes = redis::parse_outcomes(text)) {
    require(outcomes->size() <= redis::kOutcomesMax, "outcomes are bounded");
  }
}

void read_reply(const redisReply& reply) {
  read_text(redis::text(reply));
  for (const auto* element : redis::elements(reply)) {
    if (element != nullptr) read_reply(*element);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  read_text(bytes);
  const std::size_t step = data[0] == 0 ? bytes.size() + 1 : data[0];
  redis::Reader reader;
  try {
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      reader.feed(bytes.substr(at, step));
      while (const auto reply = reader.next()) read_reply(*reply);
    }
  } catch (const std::runtime_error&) {
    // The link closes.
  }
  return 0;
}
