#pragma once

#include <memory>
#include <spdlog/sinks/ostream_sink.h>
#include <sstream>
#include <string>
#include <vector>

#include "sluice/base/log.hpp"

namespace sluice::test {

/// Sees what is logged while it lives: messages alone, one a line.
class LogSpy {
 public:
  LogSpy() {
    sink_->set_pattern("%v");
    log().sinks().push_back(sink_);
  }
  ~LogSpy() { log().sinks().pop_back(); }
  LogSpy(const LogSpy&) = delete;
  LogSpy& operator=(const LogSpy&) = delete;

  std::string text() const { return text_.str(); }

  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::istringstream rest(text());
    for (std::string line; std::getline(rest, line);) all.push_back(line);
    return all;
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::sinks::ostream_sink_mt> sink_ =
      std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
};

}  // namespace sluice::test
