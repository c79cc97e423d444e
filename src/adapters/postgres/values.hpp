#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/time.hpp"
#include "sluice/domain/order_id.hpp"

struct pg_result;

namespace sluice::postgres {

/// The parameters of one statement in the server's binary format, in the order they are added.
/// Their types must be the statement's: it says so with casts.
class Params {
 public:
  Params& null();
  Params& boolean(bool value);
  Params& int4(std::int32_t value);
  Params& int8(std::int64_t value);
  Params& text(std::string_view value);
  Params& uuid(const OrderId& value);
  Params& time(TimePoint value);  ///< Times beyond the years 1 … 9999 become the nearest of these.

  /// Arrays of what `get` makes of each item.
  template <class Items, class Get>
  Params& int4s(const Items& items, Get get) {
    std::string out = array_head(kInt4, items.size());
    for (const auto& item : items) element(out, int4_bytes(get(item)));
    return add(std::move(out));
  }
  template <class Items, class Get>
  Params& int8s(const Items& items, Get get) {
    std::string out = array_head(kInt8, items.size());
    for (const auto& item : items) element(out, int8_bytes(get(item)));
    return add(std::move(out));
  }
  template <class Items, class Get>
  Params& texts(const Items& items, Get get) {
    std::string out = array_head(kText, items.size());
    for (const auto& item : items) element(out, get(item));
    return add(std::move(out));
  }
  template <class Items, class Get>
  Params& uuids(const Items& items, Get get) {
    std::string out = array_head(kUuid, items.size());
    for (const auto& item : items) element(out, uuid_bytes(get(item)));
    return add(std::move(out));
  }
  template <class Items, class Get>
  Params& times(const Items& items, Get get) {
    std::string out = array_head(kTimestamptz, items.size());
    for (const auto& item : items) element(out, time_bytes(get(item)));
    return add(std::move(out));
  }

  /// As libpq takes them; valid until the next change.
  struct Raw {
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
  };
  Raw raw() const;

 private:
  // Object ids of pg_type, fixed for ever.
  static constexpr std::int32_t kInt8 = 20;
  static constexpr std::int32_t kInt4 = 23;
  static constexpr std::int32_t kText = 25;
  static constexpr std::int32_t kTimestamptz = 1184;
  static constexpr std::int32_t kUuid = 2950;

  static std::string int4_bytes(std::int32_t value);
  static std::string int8_bytes(std::int64_t value);
  static std::string uuid_bytes(const OrderId& value);
  static std::string time_bytes(TimePoint value);
  static std::string array_head(std::int32_t element_type, std::size_t size);
  static void element(std::string& out, std::string_view bytes);
  Params& add(std::string bytes);

  std::vector<std::optional<std::string>> values_;
};

/// The rows of one answer, in binary format. A column read as another type than it has, or a null
/// read at all, throws `std::logic_error`: the statement and its reader are out of step.
class Rows {
 public:
  Rows() = default;
  explicit Rows(pg_result* result);

  std::size_t size() const;
  bool null(std::size_t row, int column) const;
  bool boolean(std::size_t row, int column) const;
  std::int32_t int4(std::size_t row, int column) const;
  std::int64_t int8(std::size_t row, int column) const;
  std::string_view text(std::size_t row, int column) const;  ///< Also the label of an enum.
  OrderId uuid(std::size_t row, int column) const;
  TimePoint time(std::size_t row, int column) const;

 private:
  struct Free {
    void operator()(pg_result* result) const;
  };

  std::string_view bytes(std::size_t row, int column) const;
  std::string_view bytes(std::size_t row, int column, std::size_t size) const;

  std::unique_ptr<pg_result, Free> result_;
};

}  // namespace sluice::postgres
