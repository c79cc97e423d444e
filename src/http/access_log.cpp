#include "http/access_log.hpp"

#include <atomic>
#include <csignal>
#include <fmt/format.h>
#include <iostream>
#include <memory>
#include <pthread.h>
#include <spdlog/async.h>
#include <spdlog/sinks/ostream_sink.h>

#include "http/time_text.hpp"

namespace sluice {
namespace {

constexpr std::size_t kWaitingMax =
    4096;  // Lines; the queue has all of their memory from the start.

std::atomic<AccessLog> g_access_log{AccessLog::off};

using Pool = spdlog::details::thread_pool;

const std::shared_ptr<Pool>& writing_thread() {
  static const auto pool = [] {
    // No signal is for this thread: it lives on when their handlers are gone.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    auto made = std::make_shared<Pool>(kWaitingMax, 1);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return made;
  }();
  return pool;
}

}  // namespace

void set_access_log(AccessLog which) noexcept { g_access_log = which; }

AccessLog access_log() noexcept { return g_access_log.load(std::memory_order_relaxed); }

spdlog::logger& access_logger() {
  static const auto logger = [] {
    // Not spdlog's sink for the standard output: it has one lock with that for the standard error.
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(std::cout, true);
    auto made = std::make_shared<spdlog::async_logger>(
        "access", std::move(sink), writing_thread(), spdlog::async_overflow_policy::overrun_oldest);
    made->set_pattern("%v");
    return made;
  }();
  return *logger;
}

std::size_t access_lines_dropped() { return writing_thread()->overrun_counter(); }

}  // namespace sluice

namespace sluice::http {

void describe(Access& access, const Request& request) {
  constexpr std::size_t kPathMax = 256;
  access.method = name(request.method);
  access.path = request.path.substr(0, kPathMax);
}

void log_access(const Access& access, std::string_view request_id, const Answer& answer,
                const Clock& clock) {
  if (!answer.refusal && access_log() != AccessLog::all) return;
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(clock.ticks() - access.began);
  // No value has a byte that JSON escapes: a path was checked, and so was an id.
  fmt::memory_buffer line;
  const auto out = fmt::appender(line);
  fmt::format_to(out, R"({{"time":"{}","request_id":"{}","client":"{}")", rfc3339(clock.now()),
                 request_id, access.client.to_string());
  if (!access.method.empty()) {
    fmt::format_to(out, R"(,"method":"{}","path":"{}")", access.method, access.path);
  }
  if (answer.refusal) {
    const auto& why = problem(answer.refusal->code);
    fmt::format_to(out, R"(,"status":{},"code":"{}")", why.status, why.name);
  } else {
    fmt::format_to(out, R"(,"status":{})", answer.status);
  }
  fmt::format_to(out, R"(,"duration_us":{}}})", took.count());
  access_logger().info(std::string_view(line.data(), line.size()));
}

}  // namespace sluice::http
