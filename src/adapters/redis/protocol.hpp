#pragma once

#include <concepts>
#include <cstddef>
#include <hiredis/hiredis.h>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sluice::redis {

struct FreeReply {
  void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
};

/// What Redis answered, owned.
using Reply = std::unique_ptr<redisReply, FreeReply>;

/// The bytes of a string, status or error; empty for every other kind.
inline std::string_view text(const redisReply& reply) noexcept { return {reply.str, reply.len}; }

/// The elements of an array; none for every other kind.
inline std::span<redisReply* const> elements(const redisReply& reply) noexcept {
  return {reply.element, reply.elements};
}

inline bool is_error(const redisReply& reply) noexcept { return reply.type == REDIS_REPLY_ERROR; }

/// The words of one command, already in the form in which Redis reads them; binary-safe.
class Command {
 public:
  Command& add(std::string_view word);
  Command& add(std::integral auto number) { return add(std::string_view(std::to_string(number))); }

  /// The words of `other` after those that are here.
  Command& append(const Command& other);

  void reserve(std::size_t bytes) { body_.reserve(bytes); }

  /// Appends the whole command to what goes to the socket.
  void write_to(std::string& out) const;

 private:
  std::size_t words_ = 0;
  std::string body_;
};

/// Cuts a byte stream into replies.
class Reader {
 public:
  Reader() : reader_(redisReaderCreate()) {}

  void feed(std::string_view bytes) { redisReaderFeed(reader_.get(), bytes.data(), bytes.size()); }

  /// The next whole reply, or null when more bytes are needed. Throws std::runtime_error when the
  /// stream is not the Redis protocol; then the reader is of no more use.
  Reply next();

 private:
  struct Free {
    void operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }
  };
  std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace sluice::redis
