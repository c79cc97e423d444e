#include "adapters/postgres/values.hpp"

#include <algorithm>
#include <cstring>
#include <libpq-fe.h>
#include <stdexcept>

namespace sluice::postgres {
namespace {

// The server counts microseconds from 2000-01-01.
constexpr std::int64_t kEpochMs = 946'684'800'000;
constexpr std::int64_t kTimeMinMs = -62'135'596'800'000;
constexpr std::int64_t kTimeMaxMs = 253'402'300'799'999;

template <class Unsigned>
void append_big_endian(std::string& out, Unsigned value) {
  for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(static_cast<unsigned char>(value >> shift)));
  }
}

template <class Unsigned>
Unsigned read_big_endian(std::string_view bytes) {
  Unsigned value = 0;
  for (const char c : bytes)
    value = static_cast<Unsigned>(value << 8 | static_cast<unsigned char>(c));
  return value;
}

}  // namespace

Params& Params::null() {
  values_.emplace_back();
  return *this;
}

Params& Params::boolean(bool value) { return add(std::string(1, value ? '\1' : '\0')); }
Params& Params::int4(std::int32_t value) { return add(int4_bytes(value)); }
Params& Params::int8(std::int64_t value) { return add(int8_bytes(value)); }
Params& Params::text(std::string_view value) { return add(std::string(value)); }
Params& Params::uuid(const OrderId& value) { return add(uuid_bytes(value)); }
Params& Params::time(TimePoint value) { return add(time_bytes(value)); }

Params::Raw Params::raw() const {
  Raw raw;
  for (const auto& value : values_) {
    raw.values.push_back(value ? value->data() : nullptr);
    raw.lengths.push_back(value ? static_cast<int>(value->size()) : 0);
    raw.formats.push_back(1);
  }
  return raw;
}

std::string Params::int4_bytes(std::int32_t value) {
  std::string out;
  append_big_endian(out, static_cast<std::uint32_t>(value));
  return out;
}

std::string Params::int8_bytes(std::int64_t value) {
  std::string out;
  append_big_endian(out, static_cast<std::uint64_t>(value));
  return out;
}

std::string Params::uuid_bytes(const OrderId& value) {
  return {reinterpret_cast<const char*>(value.bytes().data()), value.bytes().size()};
}

std::string Params::time_bytes(TimePoint value) {
  const std::int64_t ms =
      std::clamp<std::int64_t>(value.time_since_epoch().count(), kTimeMinMs, kTimeMaxMs);
  return int8_bytes((ms - kEpochMs) * 1000);
}

std::string Params::array_head(std::int32_t element_type, std::size_t size) {
  std::string out;
  out.reserve(20 + size * 20);
  append_big_endian(out, std::uint32_t{size == 0 ? 0u : 1u});  // dimensions
  append_big_endian(out, std::uint32_t{0});                    // no nulls
  append_big_endian(out, static_cast<std::uint32_t>(element_type));
  if (size == 0) return out;
  append_big_endian(out, static_cast<std::uint32_t>(size));
  append_big_endian(out, std::uint32_t{1});  // lower bound
  return out;
}

void Params::element(std::string& out, std::string_view bytes) {
  append_big_endian(out, static_cast<std::uint32_t>(bytes.size()));
  out.append(bytes);
}

Params& Params::add(std::string bytes) {
  values_.emplace_back(std::move(bytes));
  return *this;
}

void Rows::Free::operator()(pg_result* result) const { PQclear(result); }

Rows::Rows(pg_result* result) : result_(result) {}

std::size_t Rows::size() const {
  return result_ ? static_cast<std::size_t>(PQntuples(result_.get())) : 0;
}

bool Rows::null(std::size_t row, int column) const {
  return PQgetisnull(result_.get(), static_cast<int>(row), column) != 0;
}

bool Rows::boolean(std::size_t row, int column) const { return bytes(row, column, 1)[0] != '\0'; }

std::int32_t Rows::int4(std::size_t row, int column) const {
  return static_cast<std::int32_t>(read_big_endian<std::uint32_t>(bytes(row, column, 4)));
}

std::int64_t Rows::int8(std::size_t row, int column) const {
  return static_cast<std::int64_t>(read_big_endian<std::uint64_t>(bytes(row, column, 8)));
}

std::string_view Rows::text(std::size_t row, int column) const { return bytes(row, column); }

OrderId Rows::uuid(std::size_t row, int column) const {
  OrderId::Bytes id;
  std::memcpy(id.data(), bytes(row, column, id.size()).data(), id.size());
  return OrderId(id);
}

TimePoint Rows::time(std::size_t row, int column) const {
  return TimePoint{Millis{int8(row, column) / 1000 + kEpochMs}};
}

std::string_view Rows::bytes(std::size_t row, int column) const {
  if (row >= size() || column >= PQnfields(result_.get()) || null(row, column)) {
    throw std::logic_error("postgres: an answer lacks column " + std::to_string(column));
  }
  const int r = static_cast<int>(row);
  return {PQgetvalue(result_.get(), r, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), r, column))};
}

std::string_view Rows::bytes(std::size_t row, int column, std::size_t size) const {
  const auto found = bytes(row, column);
  if (found.size() != size) {
    throw std::logic_error("postgres: column " + std::to_string(column) + " has another type");
  }
  return found;
}

}  // namespace sluice::postgres
