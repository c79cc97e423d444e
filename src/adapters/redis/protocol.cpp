#include "adapters/redis/protocol.hpp"

#include <charconv>
#include <stdexcept>

namespace sluice::redis {
namespace {

void write_header(std::string& out, char kind, std::size_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out += kind;
  out.append(digits, end);
  out += "\r\n";
}

}  // namespace

std::string_view text(const redisReply& reply) noexcept {
  switch (reply.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
      return {reply.str, reply.len};
    default:
      return {};
  }
}

std::span<redisReply* const> elements(const redisReply& reply) noexcept {
  if (reply.type != REDIS_REPLY_ARRAY) return {};
  return {reply.element, reply.elements};
}

Command& Command::add(std::string_view word) {
  write_header(body_, '$', word.size());
  body_ += word;
  body_ += "\r\n";
  ++words_;
  return *this;
}

Command& Command::add(std::int64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return add(std::string_view(digits, end));
}

Command& Command::append(const Command& other) {
  body_ += other.body_;
  words_ += other.words_;
  return *this;
}

void Command::write_to(std::string& out) const {
  write_header(out, '*', words_);
  out += body_;
}

void Reader::feed(std::string_view bytes) {
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

Reply Reader::next() {
  void* reply = nullptr;
  if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
    throw std::runtime_error(reader_->errstr);
  }
  return Reply(static_cast<redisReply*>(reply));
}

}  // namespace sluice::redis
