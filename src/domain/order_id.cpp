#include "sluice/domain/order_id.hpp"

#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <boost/uuid/uuid.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <sodium.h>

namespace sluice {
namespace {

// Layout, most significant bit first: ms 48 | version 4 | epoch high 12 | variant 2 | epoch low 4 |
// lane 8 | random 18 | MAC 32.
constexpr std::uint64_t kVersion = 8;
constexpr std::uint64_t kVariant = 2;

std::uint64_t read64(const OrderId::Bytes& bytes, std::size_t at) {
  return boost::endian::load_big_u64(bytes.data() + at);
}

void write64(OrderId::Bytes& bytes, std::size_t at, std::uint64_t value) {
  boost::endian::store_big_u64(bytes.data() + at, value);
}

}  // namespace

std::optional<OrderId> OrderId::parse(std::string_view text) {
  OrderId id;
  std::size_t size = 0;
  const int refused = sodium_hex2bin(id.bytes_.data(), id.bytes_.size(), text.data(), text.size(),
                                     "-", &size, nullptr);
  // Hyphens anywhere and capital letters were read, too.
  if (refused != 0 || size != id.bytes_.size() || id.text() != text) return std::nullopt;
  return id;
}

std::string OrderId::text() const {
  boost::uuids::uuid uuid;
  std::ranges::copy(bytes_, uuid.begin());
  return boost::uuids::to_string(uuid);
}

TimePoint OrderId::created_at() const noexcept {
  return TimePoint(Millis(static_cast<std::int64_t>(read64(bytes_, 0) >> 16)));
}

Epoch OrderId::epoch() const noexcept {
  const auto high = static_cast<Epoch>(read64(bytes_, 0) & 0xfff);
  const auto low = static_cast<Epoch>(read64(bytes_, 8) >> 58 & 0xf);
  return high << 4 | low;
}

std::uint32_t OrderId::lane() const noexcept {
  return static_cast<std::uint32_t>(read64(bytes_, 8) >> 50 & 0xff);
}

OrderIdSeal::OrderIdSeal(std::string_view secret) : key_(derive_hash_key(secret, "order id")) {}

OrderId OrderIdSeal::issue(LaneId lane, Epoch epoch, const UserId& user, TimePoint now,
                           std::uint64_t random) const {
  const auto ms = static_cast<std::uint64_t>(now.time_since_epoch().count());
  const std::uint64_t high = ms << 16 | kVersion << 12 | (epoch >> 4 & 0xfff);
  const std::uint64_t low = kVariant << 62 | static_cast<std::uint64_t>(epoch & 0xf) << 58 |
                            static_cast<std::uint64_t>(lane.index & 0xff) << 50 |
                            (random & 0x3ffff) << 32;
  OrderId::Bytes bytes;
  write64(bytes, 0, high);
  write64(bytes, 8, low);
  write64(bytes, 8, low | mac(bytes, lane.sale, user));
  return OrderId(bytes);
}

bool OrderIdSeal::authentic(const OrderId& id, SaleId sale, const UserId& user) const {
  auto bytes = id.bytes();
  const auto high = read64(bytes, 0);
  const auto low = read64(bytes, 8);
  if ((high >> 12 & 0xf) != kVersion || low >> 62 != kVariant) return false;
  write64(bytes, 8, low & ~std::uint64_t{0xffffffff});
  return mac(bytes, sale, user) == static_cast<std::uint32_t>(low);
}

std::uint32_t OrderIdSeal::mac(const OrderId::Bytes& bytes, SaleId sale, const UserId& user) const {
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  text.append(reinterpret_cast<const char*>(&sale), sizeof(sale));
  text.append(user.text());
  return static_cast<std::uint32_t>(keyed_hash(key_, text));
}

}  // namespace sluice
