#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/domain/order_id.hpp"

#include "adapters/sql/rows.hpp"

struct pg_result;

namespace sluice::postgres {

/// Appends a value in the server's binary format.
void append(std::string& out, bool value);
void append(std::string& out, const char* value) = delete;  // It would become a bool.
void append(std::string& out, std::int32_t value);
/// For columns that hold less than the domain's type can: what is too large stays too large.
void append(std::string& out, std::uint32_t value);
void append(std::string& out, std::int64_t value);
void append(std::string& out, std::string_view value);
void append(std::string& out, const UserId& value);
void append(std::string& out, const OrderId& value);
/// Times beyond the years 1 … 9999 become the nearest of these.
void append(std::string& out, TimePoint value);

/// The object id of an array's elements in pg_type, fixed for ever.
template <class T>
inline constexpr std::int32_t kElementType = 25;  // text
template <>
inline constexpr std::int32_t kElementType<std::uint32_t> = 23;
template <>
inline constexpr std::int32_t kElementType<std::int64_t> = 20;
template <>
inline constexpr std::int32_t kElementType<OrderId> = 2950;
template <>
inline constexpr std::int32_t kElementType<TimePoint> = 1184;

/// The parameters of one statement in the server's binary format, in the order they are added.
/// Their types must be the statement's: it says so with casts.
class Params {
 public:
  Params() = default;
  template <class... Values>
  explicit Params(const Values&... values) {
    add(values...);
  }

  /// Values in their types: a lane is two, an empty optional a null.
  template <class... Values>
  Params& add(const Values&... values) {
    (add_one(values), ...);
    return *this;
  }

  /// An array of what `get`, a function or a member, says of each item.
  template <class Items, class Get>
  Params& array(const Items& items, Get get) {
    using Element = std::remove_cvref_t<decltype(std::invoke(get, *items.begin()))>;
    std::string& out = begin_array(kElementType<Element>, items.size());
    for (const auto& item : items) {
      const auto begin = out.size();
      append(out, std::int32_t{0});
      append(out, std::invoke(get, item));
      write_length(out, begin);
    }
    return *this;
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
  void add_one(const T& value) {
    append(values_.emplace_back(std::in_place).value(), value);
  }
  template <class T>
  void add_one(const std::optional<T>& value) {
    if (value) return add_one(*value);
    values_.emplace_back();
  }
  void add_one(LaneId lane) { add(lane.sale, lane.index); }

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

  /// The value in the columns of a row from `column` on. May throw `sql::Unreadable`.
  template <class T>
  T value(std::size_t row = 0, int column = 0) const {
    T value{};
    Cursor cursor{*this, row, column};
    sql::read(cursor, value);
    return value;
  }

  /// One of each row; `Errc::invalid` when one is beyond this program's domain.
  template <class T>
  Result<std::vector<T>> values() const {
    try {
      std::vector<T> values;
      values.reserve(size());
      for (std::size_t row = 0; row < size(); ++row) values.push_back(value<T>(row));
      return values;
    } catch (const sql::Unreadable&) {
      return Errc::invalid;
    }
  }

 private:
  struct Free {
    void operator()(pg_result* result) const;
  };

  /// The columns of a row, one after the other.
  struct Cursor {
    bool null() const;
    void skip() { ++column; }
    std::int64_t integer();
    std::string_view text();
    OrderId order_id();
    TimePoint time();

    const Rows& rows;
    std::size_t row;
    int column;
  };

  std::unique_ptr<pg_result, Free> result_;
};

}  // namespace sluice::postgres
