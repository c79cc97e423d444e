#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <gtest/gtest.h>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <poll.h>
#include <random>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "sluice/base/completion.hpp"
#include "sluice/http/access_log.hpp"

#include "fake_api.hpp"
#include "http/listening_server.hpp"

namespace sluice::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

/// A blocking client with a receive timeout, so that a server that is silent fails the test.
class Client {
 public:
  explicit Client(std::uint16_t port) {
    socket_.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
    const timeval patience{10, 0};
    setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }

  void send(std::string_view bytes) { asio::write(socket_, asio::buffer(bytes)); }
  bool try_send(std::string_view bytes) {
    boost::system::error_code ec;
    asio::write(socket_, asio::buffer(bytes), ec);
    return !ec;
  }
  void finish_sending() { socket_.shutdown(tcp::socket::shutdown_send); }

  /// One answer: status line, headers and the body that Content-Length announces.
  std::string answer() {
    while (buffered_.find("\r\n\r\n") == std::string::npos) {
      if (!read_some()) return std::exchange(buffered_, "");
    }
    const auto header_size = buffered_.find("\r\n\r\n") + 4;
    std::size_t body_size = 0;
    const auto length = buffered_.find("Content-Length: ");
    if (length < header_size) body_size = std::stoul(buffered_.substr(length + 16, 10));
    while (buffered_.size() < header_size + body_size) {
      if (!read_some()) break;
    }
    auto whole = buffered_.substr(0, header_size + body_size);
    buffered_.erase(0, header_size + body_size);
    return whole;
  }

  std::string ask(std::string_view bytes) {
    send(bytes);
    return answer();
  }

  /// Reads until the server closed; `error` is empty after an orderly close.
  std::string rest() {
    while (read_some()) {
    }
    return std::exchange(buffered_, "");
  }

  bool closed_by_server() {
    rest();
    return error_ == asio::error::eof || error_ == asio::error::connection_reset;
  }
  boost::system::error_code error() const { return error_; }
  tcp::socket& socket() { return socket_; }

 private:
  bool read_some() {
    std::array<char, 4096> bytes;
    const auto n = socket_.read_some(asio::buffer(bytes), error_);
    if (error_) return false;
    buffered_.append(bytes.data(), n);
    return true;
  }

  asio::io_context context_;
  tcp::socket socket_{context_};
  std::string buffered_;
  boost::system::error_code error_;
};

/// A public server on a thread of its own, with fake use cases.
class SessionsTest : public testing::Test {
 protected:
  SessionsTest() : clock_(system_clock()) {
    settings_.http.address = "127.0.0.1";
    settings_.http.port = 0;
    settings_.http.sweep_interval = 20ms;
    settings_.http.linger_timeout = 500ms;
    api_.purchase.kind = PurchaseAnswer::Kind::queued;
    api_.purchase.order.id = *OrderId::parse("0190a5b4-6c00-8001-8000-000000000001");
  }

  ~SessionsTest() override {
    if (!thread_.joinable()) return;
    on_server([this] { server_.reset(); });
    on_server([this] { api_.watch.sweep(Ticks::max()); });
    work_.reset();
    thread_.join();
  }

  std::uint16_t start(ConnectionSettings connections = {}) {
    auto http = settings_.http;
    auto routes = create_public_routes(settings_, api_.ports(*clock_, metrics_));
    server_ = create_server(context_.get_executor(), std::move(http), "test", *clock_, metrics_,
                            create_connection_limits(connections), std::move(routes));
    server_->start();
    thread_ = std::thread([this] { context_.run(); });
    return server_->port();
  }

  /// Runs `work` on the server's thread and waits for it.
  template <class Work, class T = std::invoke_result_t<Work>>
  T on_server(Work work) {
    auto task = std::make_shared<std::packaged_task<T()>>(std::move(work));
    asio::post(context_, [task] { (*task)(); });
    return task->get_future().get();
  }

  std::size_t connections() {
    return on_server([this] { return server_->connections(); });
  }

  /// The one thing without an event to wait for: the server noticing that a client left.
  bool soon_connections(std::size_t expected) {
    for (int i = 0; i < 500; ++i) {
      if (connections() == expected) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  /// Makes use cases wait until `release` is called.
  void hold_answers() {
    api_.hold = [this]() -> asio::awaitable<void> {
      Hold hold{this};
      co_await suspend<bool>(std::move(hold));
    };
  }
  void release() {
    on_server([this] {
      for (auto& held : std::exchange(held_, {})) held(true);
    });
  }
  bool soon_held(std::size_t expected) {
    for (int i = 0; i < 500; ++i) {
      if (on_server([this] { return held_.size(); }) == expected) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  /// Sweeps until so many long polls wait.
  bool soon_waiting(std::size_t expected) {
    for (int i = 0; i < 500; ++i) {
      const auto waiting = on_server([this] {
        api_.watch.sweep(clock_->ticks());
        return api_.watch.waiting();
      });
      if (waiting == expected) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  std::future<bool> drain(Millis bound) {
    auto draining = server_->drain(bound);
    return asio::co_spawn(context_, std::move(draining), asio::use_future);
  }

  struct Hold {
    SessionsTest* test;
    void operator()(Completion<bool> done) { test->held_.push_back(std::move(done)); }
  };

  asio::io_context context_{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{
      context_.get_executor()};
  std::shared_ptr<Clock> clock_;
  Metrics metrics_;
  FakeApi api_;
  PublicSettings settings_;
  std::vector<Completion<bool>> held_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

const std::string kHealth = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kBuy =
    "POST /v1/sales/7/orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer token-ann\r\n"
    "Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"quantity\":2}";

const std::string kPoll =
    "GET /v1/sales/7/orders/0190a5b4-6c00-8001-8000-000000000001?wait=30000 HTTP/1.1\r\n"
    "Host: a\r\nAuthorization: Bearer token-owner\r\n\r\n";

bool is(const std::string& answer, int status) {
  return answer.starts_with("HTTP/1.1 " + std::to_string(status) + " ");
}

TEST_F(SessionsTest, AnswersManyRequestsOnOneConnection) {
  Client client(start());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(is(client.ask(kHealth), 200));
    ASSERT_TRUE(is(client.ask(kBuy), 202));
  }
  EXPECT_EQ(connections(), 1U);
}

TEST_F(SessionsTest, RequestMayComeByteByByte) {
  Client client(start());
  for (const char c : kBuy) client.send(std::string_view(&c, 1));
  EXPECT_TRUE(is(client.answer(), 202));
  EXPECT_TRUE(is(client.ask(kHealth), 200));
}

TEST_F(SessionsTest, PipelinedRequestsAreAnsweredInOrder) {
  Client client(start());
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    bytes += i % 3 == 0 ? kBuy : "GET /no/" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    if (i % 7 == 0) bytes += kHealth;
  }
  client.send(bytes);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(is(client.answer(), i % 3 == 0 ? 202 : 404)) << i;
    if (i % 7 == 0) {
      ASSERT_TRUE(is(client.answer(), 200)) << i;
    }
  }
}

TEST_F(SessionsTest, MorePipelinedRequestsThanAreJoinedAreAnsweredAllTheSame) {
  settings_.http.pipelined_max = 3;
  Client client(start());
  std::string bytes;
  for (int i = 0; i < 50; ++i) bytes += kHealth;
  client.send(bytes);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(is(client.answer(), 200)) << i;
}

TEST_F(SessionsTest, InputThatFollowsAHeldPurchaseIsKept) {
  hold_answers();
  const auto port = start();
  Client first(port);
  Client second(port);
  first.send(kBuy + kHealth);
  ASSERT_TRUE(soon_held(1));
  // Another session uses the thread's buffers in between.
  second.send(kBuy + "GET /no HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(soon_held(2));
  release();
  EXPECT_TRUE(is(first.answer(), 202));
  EXPECT_TRUE(is(first.answer(), 200));
  EXPECT_TRUE(is(second.answer(), 202));
  EXPECT_TRUE(is(second.answer(), 404));
  EXPECT_EQ(api_.bought, (std::vector<std::string>{"ann 2 of 7", "ann 2 of 7"}));
}

TEST_F(SessionsTest, MalformedRequestIsAnsweredThenClosedInOrder) {
  Client client(start());
  const std::string bad = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  // Unread input must not make the close discard the answers.
  client.send(kHealth + bad + std::string(20000, 'x'));
  EXPECT_TRUE(is(client.answer(), 200));
  const auto answer = client.answer();
  EXPECT_TRUE(is(answer, 400)) << answer;
  EXPECT_NE(answer.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_NE(answer.find("malformed_request"), std::string::npos);
  EXPECT_EQ(client.rest(), "");
  EXPECT_EQ(client.error(), asio::error::eof);
}

TEST_F(SessionsTest, HeaderOverTheLimitIs431AndBodyOverTheLimitIs413) {
  const auto port = start();
  Client header(port);
  EXPECT_TRUE(is(header.ask("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x')), 431));
  EXPECT_TRUE(header.closed_by_server());
  Client body(port);
  EXPECT_TRUE(is(body.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" +
                          std::string(5000, 'x')),
                 413));
  EXPECT_TRUE(body.closed_by_server());
}

TEST_F(SessionsTest, LargestRequestPasses) {
  Client client(start());
  std::string body = R"({"quantity":1})";
  body.resize(4096, ' ');
  std::string header =
      "POST /v1/sales/7/orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer token-ann\r\n"
      "Content-Type: application/json\r\nContent-Length: 4096\r\nX: ";
  header += std::string(8192 - header.size() - 4, 'x') + "\r\n\r\n";
  EXPECT_TRUE(is(client.ask(header + body), 202));
}

TEST_F(SessionsTest, SlowHeaderIs408AlsoWhenItTrickles) {
  settings_.http.header_timeout = 300ms;
  Client client(start());
  const auto began = std::chrono::steady_clock::now();
  client.send("GET /healthz HTTP/1.1\r\n");
  while (std::chrono::steady_clock::now() - began < 5s) {
    if (!client.try_send("A: b\r\n")) break;
    pollfd readable{client.socket().native_handle(), POLLIN, 0};
    if (poll(&readable, 1, 50) > 0) break;
  }
  const auto answer = client.answer();
  EXPECT_TRUE(is(answer, 408)) << answer;
  EXPECT_GE(std::chrono::steady_clock::now() - began, 300ms);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 4s);
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(SessionsTest, SlowBodyIs408) {
  settings_.http.body_timeout = 200ms;
  Client client(start());
  EXPECT_TRUE(is(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"), 408));
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(SessionsTest, IdleConnectionIsClosedWithoutAWord) {
  settings_.http.idle_timeout = 200ms;
  Client client(start());
  EXPECT_TRUE(is(client.ask(kHealth), 200));
  EXPECT_EQ(client.rest(), "");
  EXPECT_EQ(client.error(), asio::error::eof);
}

TEST_F(SessionsTest, AHeldAnswerIsNotTimedOut) {
  settings_.http.idle_timeout = 100ms;
  settings_.http.header_timeout = 100ms;
  settings_.http.body_timeout = 100ms;
  hold_answers();
  Client client(start());
  client.send(kBuy);
  ASSERT_TRUE(soon_held(1));
  std::this_thread::sleep_for(400ms);
  release();
  EXPECT_TRUE(is(client.answer(), 202));
}

TEST_F(SessionsTest, HalfClosedClientGetsItsAnswer) {
  hold_answers();
  Client client(start());
  client.send(kBuy);
  client.finish_sending();
  ASSERT_TRUE(soon_held(1));
  release();
  EXPECT_TRUE(is(client.answer(), 202));
  EXPECT_TRUE(client.closed_by_server());
  EXPECT_TRUE(soon_connections(0));
}

TEST_F(SessionsTest, ClientThatLeavesDuringAPurchaseDoesNotStopIt) {
  hold_answers();
  const auto port = start();
  {
    Client client(port);
    client.send(kBuy);
    ASSERT_TRUE(soon_held(1));
  }
  release();
  EXPECT_TRUE(soon_connections(0));
  EXPECT_EQ(api_.bought.size(), 1U);
}

TEST_F(SessionsTest, ALongPollEndsWhenItsClientLeaves) {
  const auto port = start();
  Client stays(port);
  stays.send(kPoll);
  {
    std::vector<std::unique_ptr<Client>> crowd;
    for (int i = 0; i < 100; ++i) {
      crowd.push_back(std::make_unique<Client>(port));
      crowd.back()->send(kPoll);
    }
    Client resets(port);
    resets.send(kPoll);
    ASSERT_TRUE(soon_waiting(102));
    resets.socket().set_option(asio::socket_base::linger(true, 0));
  }
  EXPECT_TRUE(soon_waiting(1));
  EXPECT_TRUE(soon_connections(1));
  const std::string count = R"(sluice_http_hang_ups_total{listener="test"} 101)";
  EXPECT_NE(metrics_.text().find(count), std::string::npos) << metrics_.text();
  on_server([this] { api_.watch.news({{*OrderId::parse(kPoll.substr(23, 36))}}); });
  EXPECT_TRUE(is(stays.answer(), 200));
}

TEST_F(SessionsTest, ALongPollEndsThoughFurtherRequestsWaitToBeRead) {
  const auto port = start();
  {
    Client leaves(port);
    leaves.send(kPoll);
    ASSERT_TRUE(soon_waiting(1));
    leaves.send(kPoll + kHealth + kBuy);
    ASSERT_TRUE(soon_waiting(1)) << "that more is sent is no hang-up";
  }
  EXPECT_TRUE(soon_waiting(0));
  EXPECT_TRUE(soon_connections(0));
}

TEST_F(SessionsTest, AHalfClosedClientIsAnsweredWithoutAWait) {
  Client client(start());
  client.send(kPoll + kPoll + kHealth);
  ASSERT_TRUE(soon_waiting(1));
  client.finish_sending();
  ASSERT_TRUE(soon_waiting(0));
  EXPECT_TRUE(is(client.answer(), 200));
  EXPECT_TRUE(is(client.answer(), 200)) << "the second poll ends as the first";
  const auto last = client.answer();
  EXPECT_TRUE(is(last, 200)) << last;
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(SessionsTest, ClientThatNeverReadsIsCutOff) {
  settings_.http.write_timeout = 300ms;
  Client client(start());
  const int small = 4096;
  setsockopt(client.socket().native_handle(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  client.socket().non_blocking(true);
  std::string bytes;
  for (int i = 0; i < 200; ++i) bytes += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const auto began = std::chrono::steady_clock::now();
  bool cut = false;
  while (!cut && std::chrono::steady_clock::now() - began < 9s) {
    boost::system::error_code ec;
    client.socket().write_some(asio::buffer(bytes), ec);
    cut = ec && ec != asio::error::would_block;
    if (ec == asio::error::would_block) {
      pollfd gone{client.socket().native_handle(), 0, 0};
      cut = poll(&gone, 1, 50) > 0;
    }
  }
  EXPECT_TRUE(cut);
  EXPECT_TRUE(soon_connections(0));
}

TEST_F(SessionsTest, AFullNodeClosesTheLongestIdleConnectionForANewcomer) {
  const auto port = start(ConnectionSettings{3, 10});
  Client first(port);
  Client second(port);
  Client third(port);
  for (auto* client : {&second, &third, &first}) ASSERT_TRUE(is(client->ask(kHealth), 200));
  Client fourth(port);
  EXPECT_TRUE(is(fourth.ask(kHealth), 200));
  EXPECT_TRUE(second.closed_by_server()) << "idle for longer than the others";
  for (auto* client : {&first, &third}) EXPECT_TRUE(is(client->ask(kHealth), 200));
  EXPECT_EQ(connections(), 3U);
  // A connection that never asked anything is as idle as one that has.
  Client silent(port);
  EXPECT_TRUE(fourth.closed_by_server());
  ASSERT_TRUE(soon_connections(3));
  for (auto* client : {&first, &third}) EXPECT_TRUE(is(client->ask(kHealth), 200));
  Client sixth(port);
  EXPECT_TRUE(is(sixth.ask(kHealth), 200));
  EXPECT_TRUE(silent.closed_by_server());
}

TEST_F(SessionsTest, AFullNodeClosesNoConnectionWithARequestUnderWay) {
  hold_answers();
  const auto port = start(ConnectionSettings{2, 10});
  Client busy(port);
  busy.send(kBuy);
  ASSERT_TRUE(soon_held(1));
  Client half(port);
  half.send(kHealth.substr(0, 20));
  ASSERT_TRUE(soon_connections(2));
  // The part of a request was read once what came after it was answered.
  for (int i = 0; i < 3; ++i) {
    Client newcomer(port);
    EXPECT_TRUE(is(newcomer.answer(), 503));
  }
  half.send(kHealth.substr(20));
  EXPECT_TRUE(is(half.answer(), 200));
  release();
  EXPECT_TRUE(is(busy.answer(), 202));
}

TEST_F(SessionsTest, WhoeverHasTooManyConnectionsPushesNobodyOut) {
  const auto port = start(ConnectionSettings{2, 2});
  Client first(port);
  Client second(port);
  for (auto* client : {&first, &second}) ASSERT_TRUE(is(client->ask(kHealth), 200));
  Client third(port);
  EXPECT_TRUE(is(third.answer(), 503));
  for (auto* client : {&first, &second}) EXPECT_TRUE(is(client->ask(kHealth), 200));
}

TEST_F(SessionsTest, ConnectionsOverTheLimitAreToldAndClosed) {
  const auto port = start(ConnectionSettings{10, 2});
  std::optional<Client> first(port);
  Client second(port);
  EXPECT_TRUE(is(first->ask(kHealth), 200));
  EXPECT_TRUE(is(second.ask(kHealth), 200));
  {
    Client third(port);
    const auto answer = third.answer();
    EXPECT_TRUE(is(answer, 503)) << answer;
    EXPECT_NE(answer.find("too_many_connections"), std::string::npos);
    EXPECT_NE(answer.find("\r\nRetry-After: 1\r\n"), std::string::npos);
    EXPECT_TRUE(third.closed_by_server());
  }
  first.reset();
  ASSERT_TRUE(soon_connections(1));
  Client fourth(port);
  EXPECT_TRUE(is(fourth.ask(kHealth), 200));
}

// The sanitizers themselves need descriptors at any moment.
#ifndef __SANITIZE_ADDRESS__
TEST_F(SessionsTest, RunningOutOfDescriptorsIsWaitedOut) {
  const auto port = start();
  Client before(port);
  ASSERT_TRUE(is(before.ask(kHealth), 200));
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  // This socket gets the last descriptor; only the server's accept meets the limit.
  asio::io_context context;
  tcp::socket socket(context, tcp::v4());
  rlimit low = old;
  low.rlim_cur = static_cast<rlim_t>(socket.native_handle()) + 1;
  setrlimit(RLIMIT_NOFILE, &low);
  socket.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
  std::this_thread::sleep_for(150ms);
  EXPECT_TRUE(is(before.ask(kHealth), 200));
  EXPECT_EQ(connections(), 1U);
  setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_TRUE(soon_connections(2));
}
#endif

TEST_F(SessionsTest, ExpectContinueIsServed) {
  Client client(start());
  const auto split = kBuy.find("\r\n\r\n") + 4;
  auto header = kBuy.substr(0, split - 2) + "Expect: 100-continue\r\n\r\n";
  EXPECT_EQ(client.ask(header), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(is(client.ask(kBuy.substr(split)), 202));
  EXPECT_TRUE(is(client.ask(header + kBuy.substr(split)), 202));
}

TEST_F(SessionsTest, Http10IsClosedUnlessItAsksToStay) {
  const auto port = start();
  Client closing(port);
  EXPECT_TRUE(is(closing.ask("GET /healthz HTTP/1.0\r\n\r\n"), 200));
  EXPECT_TRUE(closing.closed_by_server());
  Client staying(port);
  const std::string keep = "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  EXPECT_NE(staying.ask(keep).find("Connection: keep-alive"), std::string::npos);
  EXPECT_TRUE(is(staying.ask(keep), 200));
}

TEST_F(SessionsTest, HeadHasNoBody) {
  Client client(start());
  client.send("HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const auto all = client.rest();
  EXPECT_NE(all.find("Content-Length: 15\r\n"), std::string::npos) << all;
  EXPECT_TRUE(all.ends_with("\r\n\r\n")) << all;
}

TEST_F(SessionsTest, ForwardedAddressIsBelievedOnlyFromTrustedPeers) {
  settings_.http.trusted_proxies = {"127.0.0.0/8"};
  Client client(start(ConnectionSettings{10, 0}));
  const std::string ask =
      "GET /no HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 9.9.9.9\r\n\r\n";
  EXPECT_TRUE(is(client.ask(ask), 404));
  EXPECT_EQ(api_.ips.back(), "9.9.9.9");
}

TEST_F(SessionsTest, ForwardedAddressOfAStrangerIsIgnored) {
  Client client(start());
  EXPECT_TRUE(
      is(client.ask("GET /no HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n"), 404));
  EXPECT_EQ(api_.ips.back(), "127.0.0.1");
}

TEST_F(SessionsTest, AUseCaseThatThrowsIs500AndTheConnectionStays) {
  api_.hold = []() -> asio::awaitable<void> {
    throw std::runtime_error("broken");
    co_return;
  };
  Client client(start());
  EXPECT_TRUE(is(client.ask(kBuy), 500));
  EXPECT_TRUE(is(client.ask(kHealth), 200));
}

std::string header(const std::string& answer, const std::string& name) {
  const auto at = answer.find("\r\n" + name + ": ");
  if (at == std::string::npos || at > answer.find("\r\n\r\n")) return "";
  const auto begin = at + name.size() + 4;
  return answer.substr(begin, answer.find("\r\n", begin) - begin);
}

nlohmann::json body(const std::string& answer) {
  return nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
}

const std::string kNamed = "GET /no HTTP/1.1\r\nHost: a\r\nX-Request-Id: my-1\r\n\r\n";
const std::string kUnnamed = "GET /no HTTP/1.1\r\nHost: a\r\n\r\n";

TEST_F(SessionsTest, AnswersTellTheRequestsIdAndPlainRefusalsOnlyTheClients) {
  Client client(start());
  const auto first = header(client.ask(kBuy), "X-Request-Id");
  const auto second = header(client.ask(kHealth), "X-Request-Id");
  EXPECT_EQ(first.size(), 12U);
  EXPECT_EQ(second.size(), 12U);
  EXPECT_NE(first, second);
  const auto named = client.ask(kNamed);
  EXPECT_EQ(header(named, "X-Request-Id"), "my-1");
  EXPECT_EQ(body(named)["instance"], "urn:sluice:request:my-1");
  const auto unnamed = client.ask(kUnnamed);
  EXPECT_EQ(header(unnamed, "X-Request-Id"), "");
  EXPECT_FALSE(body(unnamed).contains("instance"));
  api_.purchase.kind = PurchaseAnswer::Kind::refused;
  api_.purchase.refusal = Refusal{Code::outcome_unknown, Millis{1}};
  const auto unknown = client.ask(kBuy);
  const auto id = header(unknown, "X-Request-Id");
  EXPECT_EQ(id.size(), 12U) << "somebody will look for it";
  EXPECT_EQ(body(unknown)["instance"], "urn:sluice:request:" + id);
}

TEST_F(SessionsTest, APurchaseHasTheRequestsId) {
  Client client(start());
  const std::string named =
      "POST /v1/sales/7/orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer token-ann\r\n"
      "X-Request-Id: my-2\r\n\r\n";
  const auto first = client.ask(kBuy);
  client.ask(named);
  api_.old_sales[5] = FakeApi::sale_of(5, SaleState::open);
  auto old = named;
  old.replace(old.find("/7/"), 3, "/5/");
  EXPECT_EQ(header(client.ask(old), "X-Request-Id"), "my-2");
  EXPECT_EQ(api_.purchase_ids,
            (std::vector<std::string>{header(first, "X-Request-Id"), "my-2", "my-2"}));
}

/// Sees the access log while it lives.
class AccessSpy {
 public:
  explicit AccessSpy(AccessLog which) {
    redirect_access_log([this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line);
      arrived_.notify_one();
    });
    set_access_log(which);
  }
  ~AccessSpy() {
    set_access_log(AccessLog::off);
    redirect_access_log([](std::string_view) {});
  }

  /// The next line; waits for it.
  nlohmann::json next() {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, 10s, [this] { return !lines_.empty(); })) return {};
    const auto line = std::move(lines_.front());
    lines_.pop_front();
    return nlohmann::json::parse(line);
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::string> lines_;
};

TEST_F(SessionsTest, TheAccessLogHasALineForEachRequest) {
  settings_.http.trusted_proxies = {"127.0.0.1"};
  AccessSpy spy(AccessLog::all);
  Client client(start());
  const auto bought = client.ask(kBuy);
  const auto line = spy.next();
  EXPECT_EQ(line["request_id"], header(bought, "X-Request-Id"));
  EXPECT_EQ(line["method"], "POST");
  EXPECT_EQ(line["path"], "/v1/sales/7/orders");
  EXPECT_EQ(line["status"], 202);
  EXPECT_EQ(line["client"], "127.0.0.1");
  EXPECT_GE(line["duration_us"], 0);
  EXPECT_TRUE(line["time"].get<std::string>().ends_with("Z"));
  EXPECT_FALSE(line.contains("code"));

  const auto unnamed =
      client.ask("GET /no/" + std::string(300, 'x') +
                 "?token=hush HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 2001:db8::7\r\n\r\n");
  const auto refused = spy.next();
  EXPECT_EQ(refused["code"], "not_found");
  EXPECT_EQ(refused["status"], 404);
  EXPECT_EQ(refused["path"], "/no/" + std::string(252, 'x'));
  EXPECT_EQ(refused["client"], "2001:db8::7");
  EXPECT_EQ(refused["request_id"], header(unnamed, "X-Request-Id"));
  EXPECT_EQ(body(unnamed)["instance"],
            "urn:sluice:request:" + refused["request_id"].get<std::string>());

  client.ask("no request\r\n\r\n");
  const auto malformed = spy.next();
  EXPECT_EQ(malformed["code"], "malformed_request");
  EXPECT_FALSE(malformed.contains("method"));
  EXPECT_FALSE(malformed.contains("path"));
}

TEST_F(SessionsTest, TheAccessLogMayHaveRefusalsAloneAndMayChange) {
  AccessSpy spy(AccessLog::refusals);
  Client client(start());
  client.ask(kHealth);
  client.ask(kNamed);
  EXPECT_EQ(spy.next()["request_id"], "my-1") << "and nothing of the one before";
  set_access_log(AccessLog::off);
  EXPECT_EQ(header(client.ask(kUnnamed), "X-Request-Id"), "");
  set_access_log(AccessLog::all);
  client.ask(kHealth);
  EXPECT_EQ(spy.next()["path"], "/healthz");
}

TEST_F(SessionsTest, DrainAnswersWhatIsInFlightAndClosesTheRest) {
  hold_answers();
  const auto port = start();
  Client idle(port);
  ASSERT_TRUE(is(idle.ask(kHealth), 200));
  Client busy(port);
  busy.send(kBuy);
  ASSERT_TRUE(soon_held(1));
  Client half(port);
  half.send(kHealth.substr(0, 10));

  ASSERT_TRUE(soon_connections(3));
  auto drained = drain(5s);
  EXPECT_EQ(idle.rest(), "");
  EXPECT_EQ(idle.error(), asio::error::eof);
  EXPECT_THROW(Client(port).ask(kHealth), boost::system::system_error);
  half.send(kHealth.substr(10));
  const auto last = half.answer();
  EXPECT_TRUE(is(last, 200)) << last;
  EXPECT_NE(last.find("Connection: close"), std::string::npos);
  EXPECT_TRUE(half.closed_by_server());
  half.socket().close();
  release();
  const auto answer = busy.answer();
  EXPECT_TRUE(is(answer, 202)) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_TRUE(busy.closed_by_server());
  busy.socket().close();
  EXPECT_TRUE(drained.get());
  EXPECT_EQ(connections(), 0U);
}

TEST_F(SessionsTest, DrainIsBounded) {
  hold_answers();
  Client client(start());
  client.send(kBuy);
  ASSERT_TRUE(soon_held(1));
  EXPECT_FALSE(drain(100ms).get());
  EXPECT_TRUE(client.closed_by_server());
  release();
  EXPECT_TRUE(soon_connections(0));
}

TEST_F(SessionsTest, SeveralListenersShareAPort) {
  settings_.http.port = start();
  auto routes = create_public_routes(settings_, api_.ports(*clock_, metrics_));
  asio::io_context other(1);
  auto second = create_server(other.get_executor(), settings_.http, "test", *clock_, metrics_,
                              create_connection_limits({}), std::move(routes));
  EXPECT_EQ(second->port(), settings_.http.port);
}

TEST_F(SessionsTest, MetricsCountRequestsRefusalsAndConnections) {
  Client client(start());
  client.ask(kHealth);
  client.ask("GET /no HTTP/1.1\r\nHost: a\r\n\r\n");
  client.ask(kBuy);
  const auto holds = [this](const std::string& line) {
    for (int i = 0; i < 100; ++i) {
      if (metrics_.text().find(line) != std::string::npos) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  };
  EXPECT_TRUE(holds(R"(sluice_http_requests_total{listener="test",route="probe",status="2xx"} 1)"));
  EXPECT_TRUE(holds(R"(sluice_http_refusals_total{code="not_found",listener="test"} 1)"));
  EXPECT_TRUE(holds(R"(sluice_http_connections{listener="test"} 1)"));
  EXPECT_TRUE(
      holds(R"(sluice_http_request_duration_seconds_count{listener="test",route="purchase"} 1)"));
}

TEST_F(SessionsTest, ImpossibleAddressesAreErrors) {
  const auto create = [this](HttpSettings http) {
    auto routes = create_public_routes(settings_, api_.ports(*clock_, metrics_));
    create_server(context_.get_executor(), std::move(http), "test", *clock_, metrics_,
                  create_connection_limits({}), std::move(routes));
  };
  auto http = settings_.http;
  http.trusted_proxies = {"everybody"};
  EXPECT_THROW(create(http), std::invalid_argument);
  http = settings_.http;
  http.address = "192.0.2.1";
  EXPECT_THROW(create(http), boost::system::system_error);
}

TEST_F(SessionsTest, RandomTrafficNeverStopsTheServer) {
  settings_.http.header_timeout = 50ms;
  settings_.http.body_timeout = 50ms;
  settings_.http.linger_timeout = 50ms;
  const auto port = start();
  std::mt19937 random(99);
  for (int run = 0; run < 300; ++run) {
    Client client(port);
    for (auto parts = random() % 4 + 1; parts > 0; --parts) {
      auto bytes = random() % 2 == 0 ? kBuy : kHealth;
      for (auto edits = random() % 3; edits > 0; --edits) {
        bytes[random() % bytes.size()] = static_cast<char>(random());
      }
      if (random() % 4 == 0) bytes.resize(random() % bytes.size());
      if (!client.try_send(bytes)) break;
    }
    if (random() % 2 == 0) client.finish_sending();
    if (random() % 2 == 0) client.answer();
  }
  Client client(port);
  EXPECT_TRUE(is(client.ask(kHealth), 200));
  EXPECT_TRUE(soon_connections(1));
}

}  // namespace
}  // namespace sluice::http
