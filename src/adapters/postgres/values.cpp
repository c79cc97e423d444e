#include "adapters/postgres/values.hpp"

#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <libpq-fe.h>
#include <limits>
#include <stdexcept>

namespace sluice::postgres {
namespace {

namespace endian = boost::endian;

// The server counts microseconds from 2000-01-01.
constexpr std::int64_t kEpochMs = 946'684'800'000;
constexpr std::int64_t kTimeMinMs = -62'135'596'800'000;
constexpr std::int64_t kTimeMaxMs = 253'402'300'799'999;

template <class Integer>
void append_integer(std::string& out, Integer value) {
  endian::native_to_big_inplace(value);
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

void append(std::string& out, bool value) { out.push_back(value ? '\1' : '\0'); }
void append(std::string& out, std::int32_t value) { append_integer(out, value); }
void append(std::string& out, std::int64_t value) { append_integer(out, value); }
void append(std::string& out, std::string_view value) { out.append(value); }
void append(std::string& out, const UserId& value) { out.append(value.text()); }

void append(std::string& out, std::uint32_t value) {
  constexpr std::uint32_t kMax = std::numeric_limits<std::int32_t>::max();
  append_integer(out, static_cast<std::int32_t>(std::min(value, kMax)));
}

void append(std::string& out, const OrderId& value) {
  out.append(reinterpret_cast<const char*>(value.bytes().data()), value.bytes().size());
}

void append(std::string& out, TimePoint value) {
  const std::int64_t ms =
      std::clamp<std::int64_t>(value.time_since_epoch().count(), kTimeMinMs, kTimeMaxMs);
  append_integer(out, (ms - kEpochMs) * 1000);
}

Params::Raw Params::raw() const {
  Raw raw;
  for (const auto& value : values_) {
    raw.values.push_back(value ? value->data() : nullptr);
    raw.lengths.push_back(value ? static_cast<int>(value->size()) : 0);
    raw.formats.push_back(1);
  }
  return raw;
}

std::string& Params::begin_array(std::int32_t type, std::size_t size) {
  std::string& out = values_.emplace_back(std::in_place).value();
  out.reserve(20 + size * 20);
  append(out, std::int32_t{size == 0 ? 0 : 1});  // dimensions
  append(out, std::int32_t{0});                  // no nulls
  append(out, type);
  if (size == 0) return out;
  append(out, static_cast<std::int32_t>(size));
  append(out, std::int32_t{1});  // lower bound
  return out;
}

void Params::write_length(std::string& out, std::size_t begin) {
  const auto length = static_cast<std::int32_t>(out.size() - begin - sizeof(std::int32_t));
  endian::store_big_s32(reinterpret_cast<unsigned char*>(out.data() + begin), length);
}

void Rows::Free::operator()(pg_result* result) const { PQclear(result); }

Rows::Rows(pg_result* result) : result_(result) {}

std::size_t Rows::size() const {
  return result_ ? static_cast<std::size_t>(PQntuples(result_.get())) : 0;
}

bool Rows::Cursor::null() const {
  return PQgetisnull(rows.get(), static_cast<int>(row), column) != 0;
}

std::int64_t Rows::Cursor::integer() {
  const auto bytes = text();
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  if (bytes.size() == 8) return endian::load_big_s64(data);
  if (bytes.size() == 4) return endian::load_big_s32(data);
  if (bytes.size() == 1) return *data;
  throw std::logic_error("postgres: column " + std::to_string(column - 1) + " is no integer");
}

OrderId Rows::Cursor::order_id() {
  const auto bytes = text();
  OrderId::Bytes id;
  if (bytes.size() != id.size()) {
    throw std::logic_error("postgres: column " + std::to_string(column - 1) + " is no order id");
  }
  std::ranges::copy(bytes, id.begin());
  return OrderId(id);
}

TimePoint Rows::Cursor::time() { return TimePoint{Millis{integer() / 1000 + kEpochMs}}; }

std::string_view Rows::Cursor::text() {
  if (row >= rows.size() || column >= PQnfields(rows.get()) || null()) {
    throw std::logic_error("postgres: an answer lacks column " + std::to_string(column));
  }
  const int r = static_cast<int>(row);
  const int c = column++;
  return {PQgetvalue(rows.get(), r, c), static_cast<std::size_t>(PQgetlength(rows.get(), r, c))};
}

}  // namespace sluice::postgres
