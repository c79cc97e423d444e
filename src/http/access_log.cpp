#include "http/access_log.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <fmt/format.h>
#include <memory>
#include <mutex>
#include <poll.h>
#include <pthread.h>
#include <semaphore>
#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>
#include <utility>

#include "http/time_text.hpp"

namespace sluice {
namespace {

// Lines; the queue has all of their memory from the start.
constexpr std::size_t kWaitingMax = 4096;

std::atomic<AccessLog> g_access_log{AccessLog::off};
std::atomic<bool> g_was_on{false};
std::atomic<std::size_t> g_lost{0};  // Lines that could not be written.

/// Standard output past stdio, whose lock a write that is stuck would keep from everybody.
class Output final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void redirect(std::function<void(std::string_view)> write) {
    const std::lock_guard lock(mutex_);
    redirected_ = std::move(write);
  }

  bool await_flush(Millis bound) { return flushed_.try_acquire_for(bound); }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view line(message.payload.data(), message.payload.size());
    if (redirected_) return redirected_(line);
    text_.assign(torn_ ? "\n" : "").append(line).push_back('\n');
    std::string_view rest = text_;
    while (!rest.empty() && write_some(rest)) {
    }
    torn_ = !rest.empty() && (torn_ || rest.size() < text_.size());
    if (!rest.empty()) ++g_lost;
  }

  /// False when nothing more can be written now.
  static bool write_some(std::string_view& rest) {
    const auto written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written >= 0) rest.remove_prefix(static_cast<std::size_t>(written));
    if (written >= 0 || errno == EINTR) return true;
    pollfd output{STDOUT_FILENO, POLLOUT, 0};
    return errno == EAGAIN && ::poll(&output, 1, -1) >= 0;
  }

  void flush_() override { flushed_.release(); }

  std::function<void(std::string_view)> redirected_;
  std::string text_;
  bool torn_ = false;  // The last line was written in part.
  std::counting_semaphore<> flushed_{0};
};

/// Everything behind the log.
struct Writer {
  std::shared_ptr<Output> output = std::make_shared<Output>();
  std::shared_ptr<spdlog::details::thread_pool> thread;
  std::shared_ptr<spdlog::async_logger> logger;
};

Writer* create_writer() {
  auto made = std::make_unique<Writer>();
  // No signal is for its thread: it lives on when their handlers are gone.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  made->thread = std::make_shared<spdlog::details::thread_pool>(kWaitingMax, 1);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  made->logger = std::make_shared<spdlog::async_logger>(
      "access", made->output, made->thread, spdlog::async_overflow_policy::overrun_oldest);
  g_was_on = true;
  return made.release();
}

Writer& writer() {
  // It is never destroyed: the end of the process must not wait for a write that is stuck.
  static auto* const made = create_writer();
  return *made;
}

}  // namespace

void set_access_log(AccessLog which) {
  if (which != AccessLog::off) writer();
  g_access_log = which;
}

AccessLog access_log() noexcept { return g_access_log.load(std::memory_order_relaxed); }

std::size_t access_lines_dropped() {
  return g_lost + (g_was_on ? writer().thread->overrun_counter() : 0);
}

bool flush_access_log(Millis bound) {
  if (!g_was_on) return true;
  writer().logger->flush();
  return writer().output->await_flush(bound);
}

void redirect_access_log(std::function<void(std::string_view line)> write) {
  writer().output->redirect(std::move(write));
}

}  // namespace sluice

namespace sluice::http {

namespace {

std::string line_of(const Access& access, std::string_view request_id, const Answer& answer,
                    const Clock& clock) {
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
  return fmt::to_string(line);
}

}  // namespace

void describe(Access& access, const Request& request) {
  constexpr std::size_t kPathMax = 256;
  access.method = name(request.method);
  access.path = request.path.substr(0, kPathMax);
}

void log_access(const Access& access, std::string_view request_id, const Answer& answer,
                const Clock& clock) noexcept {
  if (!answer.refusal && access_log() != AccessLog::all) return;
  // A request that is answered must not fail for want of its line.
  try {
    writer().logger->info(line_of(access, request_id, answer, clock));
  } catch (const std::exception&) {
    ++g_lost;
  }
}

}  // namespace sluice::http
