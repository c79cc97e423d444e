// The load of the benchmarks: each user of a file of tokens asks once, over kept-alive connections,
// and every answer is waited for and counted.
//   crowd PORT PATH TOKENS CONNECTIONS [RATE_PER_S] [--get] [--again] [--times=FILE]
// Without a rate, a connection asks again as soon as it is answered. With one, requests are due at
// equal distances whatever the server does, and a time counts from when its request was due.
// A line of TOKENS is TOKEN [PATH [BODY]]; what it leaves out is PATH, and a purchase of one unit.
//   --get    sends GET and no body
//   --again  goes on from the first line until SIGTERM, which ends any load early
//   --times  writes two 64-bit numbers for each answer: since when it was due (monotonic ns), and
//   µs

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::int64_t kSilenceMaxNs = 10'000'000'000;

std::int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(EXIT_FAILURE);
}

struct Plan {
  std::uint16_t port = 0;
  std::string path;
  std::vector<std::string> lines;  ///< TOKEN [PATH [BODY]]
  std::size_t connections = 0;
  double rate_per_s = 0;  ///< 0: as fast as answers come.
  bool get = false;
  bool again = false;
  std::string times;
};

volatile std::sig_atomic_t told_to_end = 0;

struct Connection {
  int fd = -1;
  bool asked = false;         ///< An answer is due.
  std::int64_t since_ns = 0;  ///< From when the time of its purchase counts.
  std::string input;
};

class Crowd {
 public:
  explicit Crowd(Plan plan) : plan_(std::move(plan)), epoll_(::epoll_create1(0)) {
    times_us_.reserve(plan_.lines.size());
    if (!plan_.times.empty()) times_.open(plan_.times, std::ios::binary);
    connections_.resize(plan_.connections);
    for (auto& connection : connections_) {
      open(connection);
      free_.push_back(&connection);
    }
  }

  void run() {
    began_ns_ = heard_ns_ = now_ns();
    std::array<epoll_event, 256> events;
    while (times_us_.size() + lost_ < asked_in_all_) {
      if (told_to_end != 0) asked_in_all_ = next_;
      ask_whoever_is_due();
      const auto wait = time_to_wait();
      const int count =
          ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
      for (int i = 0; i < count; ++i) {
        take(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr));
      }
      if (now_ns() - heard_ns_ > kSilenceMaxNs) break;
    }
    ended_ns_ = heard_ns_;
  }

  void print() {
    std::sort(times_us_.begin(), times_us_.end());
    std::string statuses;
    for (const auto& [status, count] : statuses_) {
      statuses += (statuses.empty() ? "\"" : ",\"") + std::to_string(status) +
                  "\":" + std::to_string(count);
    }
    std::printf(
        "{\"users\":%zu,\"answers\":%zu,\"seconds\":%.6f,\"statuses\":{%s},\"lost\":%zu,"
        "\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,"
        "\"started_late_ms\":%.3f}\n",
        next_, times_us_.size(), static_cast<double>(ended_ns_ - began_ns_) / 1e9, statuses.c_str(),
        lost_, percentile(0.5), percentile(0.9), percentile(0.99), percentile(0.999), percentile(1),
        static_cast<double>(late_ns_max_) / 1e6);
  }

 private:
  void open(Connection& connection) {
    connection.fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(plan_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      fail("connect");
    }
    const int on = 1;
    ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
  }

  std::int64_t due_ns(std::size_t index) const {
    if (plan_.rate_per_s <= 0) return 0;
    return began_ns_ +
           static_cast<std::int64_t>(static_cast<double>(index) * 1e9 / plan_.rate_per_s);
  }

  void ask_whoever_is_due() {
    const auto now = now_ns();
    while (!free_.empty() && next_ < asked_in_all_ && due_ns(next_) <= now) {
      auto& connection = *free_.back();
      free_.pop_back();
      connection.since_ns = plan_.rate_per_s > 0 ? due_ns(next_) : now_ns();
      late_ns_max_ = std::max(late_ns_max_, now - connection.since_ns);
      ask(connection, plan_.lines[next_++ % plan_.lines.size()]);
    }
  }

  void ask(Connection& connection, std::string_view line) {
    connection.asked = true;
    const auto token = word_of(line);
    const auto path = word_of(line);
    request_.assign(plan_.get ? "GET " : "POST ").append(path.empty() ? plan_.path : path);
    request_.append(" HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ").append(token);
    if (!plan_.get) {
      const auto body = line.empty() ? std::string_view(R"({"quantity":1})") : line;
      request_.append("\r\nContent-Type: application/json\r\nContent-Length: ");
      request_.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
    } else {
      request_.append("\r\n\r\n");
    }
    const auto sent = ::send(connection.fd, request_.data(), request_.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request_.size())) lose(connection);
  }

  /// Takes the first word off a line.
  static std::string_view word_of(std::string_view& line) {
    const auto word = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(line.size(), word.size() + 1));
    return word;
  }

  timespec time_to_wait() const {
    std::int64_t wait = 100'000'000;
    if (!free_.empty() && next_ < asked_in_all_) {
      wait = std::clamp<std::int64_t>(due_ns(next_) - now_ns(), 0, wait);
    }
    return {0, wait};
  }

  void take(Connection& connection) {
    static std::array<char, 16384> buffer;
    const auto count = ::recv(connection.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count <= 0) return lose(connection);
    connection.input.append(buffer.data(), static_cast<std::size_t>(count));
    const auto header_end = connection.input.find("\r\n\r\n");
    if (header_end == std::string::npos) return;
    if (connection.input.size() < header_end + 4 + content_length(connection.input)) return;
    heard_ns_ = now_ns();
    const std::array<std::int64_t, 2> time{connection.since_ns,
                                           (heard_ns_ - connection.since_ns) / 1000};
    times_us_.push_back(static_cast<std::uint32_t>(time[1]));
    if (times_.is_open()) times_.write(reinterpret_cast<const char*>(time.data()), sizeof(time));
    ++statuses_[std::atoi(connection.input.c_str() + sizeof("HTTP/1.1"))];
    finish(connection);
  }

  void finish(Connection& connection) {
    connection.asked = false;
    connection.input.clear();
    free_.push_back(&connection);
  }

  static std::size_t content_length(std::string_view answer) {
    constexpr std::string_view kName = "\r\nContent-Length: ";
    const auto place = answer.find(kName);
    std::size_t length = 0;
    if (place == std::string_view::npos) return length;
    const auto digits = answer.substr(place + kName.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), length);
    return length;
  }

  void lose(Connection& connection) {
    ::close(connection.fd);
    open(connection);
    if (!connection.asked) return;
    ++lost_;
    finish(connection);
  }

  double percentile(double part) const {
    if (times_us_.empty()) return 0;
    const auto last = static_cast<double>(times_us_.size() - 1);
    return times_us_[static_cast<std::size_t>(last * part)] / 1000.0;
  }

  Plan plan_;
  int epoll_;
  std::vector<Connection> connections_;
  std::vector<Connection*> free_;
  std::size_t next_ = 0;
  std::size_t asked_in_all_ = plan_.again ? SIZE_MAX : plan_.lines.size();
  std::string request_;
  std::vector<std::uint32_t> times_us_;
  std::ofstream times_;
  std::map<int, std::size_t> statuses_;
  std::size_t lost_ = 0;
  std::int64_t began_ns_ = 0;
  std::int64_t heard_ns_ = 0;
  std::int64_t ended_ns_ = 0;
  std::int64_t late_ns_max_ = 0;
};

[[noreturn]] void misused() {
  std::fputs(
      "usage: crowd PORT PATH TOKENS CONNECTIONS [RATE_PER_S] [--get] [--again] [--times=FILE]\n",
      stderr);
  std::exit(EXIT_FAILURE);
}

Plan read_plan(int argc, char** argv) {
  if (argc < 5) misused();
  Plan plan;
  plan.port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  plan.path = argv[2];
  std::ifstream file(argv[3]);
  if (!file) fail(argv[3]);
  for (std::string line; std::getline(file, line);) plan.lines.push_back(std::move(line));
  if (plan.lines.empty()) misused();
  plan.connections = static_cast<std::size_t>(std::atoi(argv[4]));
  constexpr std::string_view kTimes = "--times=";
  for (int i = 5; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--get") {
      plan.get = true;
    } else if (option == "--again") {
      plan.again = true;
    } else if (option.starts_with(kTimes)) {
      plan.times = option.substr(kTimes.size());
    } else if (i > 5 || (plan.rate_per_s = std::atof(argv[i])) <= 0) {
      misused();
    }
  }
  return plan;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGTERM, [](int) { told_to_end = 1; });
  Crowd crowd(read_plan(argc, argv));
  crowd.run();
  crowd.print();
}
