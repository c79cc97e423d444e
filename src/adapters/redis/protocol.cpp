#include "adapters/redis/protocol.hpp"

#include <stdexcept>

namespace sluice::redis {

Command& Command::add(std::string_view word) {
  body_.append("$").append(std::to_string(word.size())).append("\r\n");
  body_.append(word).append("\r\n");
  ++words_;
  return *this;
}

Command& Command::append(const Command& other) {
  body_ += other.body_;
  words_ += other.words_;
  return *this;
}

void Command::write_to(std::string& out) const {
  out.append("*").append(std::to_string(words_)).append("\r\n").append(body_);
}

Reply Reader::next() {
  void* reply = nullptr;
  if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
    throw std::runtime_error(reader_->errstr);
  }
  return Reply(static_cast<redisReply*>(reply));
}

}  // namespace sluice::redis
