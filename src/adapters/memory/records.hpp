#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "sluice/domain/order.hpp"

namespace sluice::memory {

/// A user's live order in one block of memory: 24 bytes and the user's name, because a lane may
/// have millions. A value.
class Record {
 public:
  Record(const UserId& user, const OrderView& order)
      : Record(user.text(), {order.id, order.quantity, order.status, 0}) {}
  Record(const Record& other) : Record(other.user(), other.head()) {}
  Record(Record&&) noexcept = default;
  Record& operator=(Record&&) noexcept = default;
  Record& operator=(const Record& other) { return *this = Record(other); }
  ~Record() = default;

  std::string_view user() const { return {block_.get() + sizeof(Head), head().name_size}; }
  OrderView order() const { return {head().id, head().status, head().quantity}; }
  const OrderId& id() const { return head().id; }
  OrderStatus status() const { return head().status; }
  std::uint32_t quantity() const { return head().quantity; }

  /// The status is no part of a record's place in a set.
  void set_status(OrderStatus status) const { head().status = status; }

 private:
  struct Head {
    OrderId id;
    std::uint32_t quantity = 0;
    OrderStatus status = OrderStatus::queued;
    std::uint8_t name_size = 0;
  };

  Record(std::string_view user, Head head) : block_(new char[sizeof(Head) + user.size()]) {
    head.name_size = static_cast<std::uint8_t>(user.size());
    new (block_.get()) Head(head);
    std::memcpy(block_.get() + sizeof(Head), user.data(), user.size());
  }

  Head& head() const { return *std::launder(reinterpret_cast<Head*>(block_.get())); }

  std::unique_ptr<char[]> block_;
};

struct RecordHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view user) const {
    return std::hash<std::string_view>{}(user);
  }
  std::size_t operator()(const Record& record) const { return (*this)(record.user()); }
};

struct RecordEqual {
  using is_transparent = void;
  static std::string_view name(std::string_view user) { return user; }
  static std::string_view name(const Record& record) { return record.user(); }
  bool operator()(const auto& a, const auto& b) const { return name(a) == name(b); }
};

/// The live orders of a lane, found by their users' names.
using Records = boost::unordered_flat_set<Record, RecordHash, RecordEqual>;

}  // namespace sluice::memory
