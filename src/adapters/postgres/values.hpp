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

/// Appends a value in the server's binary format.
void append(std::string& out, std::int32_t value);
void append(std::string& out, std::int64_t value);
void append(std::string& out, std::string_view value);
void append(std::string& out, const OrderId& value);
void append(std::string& out, TimePoint value);

/// The parameters of one statement in the server's binary format, in the order they are added.
/// Their types must be the statement's: it says so with casts.
class Params {
 public:
  Params() = default;
  /// Of these values, in their types.
  template <class... Values>
  explicit Params(const Values&... values) {
    (add(values), ...);
  }

  Params& null();
  Params& boolean(bool value);
  Params& int4(std::int32_t value) { return add(value); }
  Params& int8(std::int64_t value) { return add(value); }
  Params& text(std::string_view value) { return add(value); }
  /// Times beyond the years 1 … 9999 become the nearest of these.
  Params& time(TimePoint value) { return add(value); }

  /// Arrays of what `get` makes of each item.
  template <class Items, class Get>
  Params& int4s(const Items& items, Get get) {
    return array<std::int32_t>(23, items, get);
  }
  template <class Items, class Get>
  Params& int8s(const Items& items, Get get) {
    return array<std::int64_t>(20, items, get);
  }
  template <class Items, class Get>
  Params& texts(const Items& items, Get get) {
    return array<std::string_view>(25, items, get);
  }
  template <class Items, class Get>
  Params& uuids(const Items& items, Get get) {
    return array<OrderId>(2950, items, get);
  }
  template <class Items, class Get>
  Params& times(const Items& items, Get get) {
    return array<TimePoint>(1184, items, get);
  }

  /// As libpq takes them; valid until the next change.
  struct Raw {
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
  };
  Raw raw() const;

 private:
  template <class T>
  Params& add(const T& value) {
    append(values_.emplace_back(std::in_place).value(), value);
    return *this;
  }

  /// `type` is the element's object id in pg_type, fixed for ever.
  template <class T, class Items, class Get>
  Params& array(std::int32_t type, const Items& items, Get get) {
    std::string& out = begin_array(type, items.size());
    for (const auto& item : items) {
      const auto begin = out.size();
      append(out, std::int32_t{0});
      append(out, T(get(item)));
      write_length(out, begin);
    }
    return *this;
  }
  std::string& begin_array(std::int32_t type, std::size_t size);
  static void write_length(std::string& out, std::size_t begin);

  std::vector<std::optional<std::string>> values_;
};

/// The rows of one answer, in binary format. A column read as another type than it has, or a null
/// read at all, throws `std::logic_error`: the statement and its reader are out of step.
class Rows {
 public:
  Rows() = default;
  explicit Rows(pg_result* result);

  /// The result that libpq gave; null when there is none.
  const pg_result* get() const { return result_.get(); }

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

  /// The bytes of a value; of exactly `size` when that is given.
  std::string_view bytes(std::size_t row, int column, std::size_t size = std::string::npos) const;

  std::unique_ptr<pg_result, Free> result_;
};

}  // namespace sluice::postgres
