#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sluice::test {

/// Answers one connection after the other with prepared bytes, and keeps what it was asked. An
/// empty reply stays silent until the client goes.
class LocalServer {
 public:
  using Request = boost::beast::http::request<boost::beast::http::string_body>;

  explicit LocalServer(std::vector<std::string> replies)
      : acceptor_(context_, {boost::asio::ip::make_address("127.0.0.1"), 0}),
        thread_([this, replies = std::move(replies)] { run(replies); }) {}

  ~LocalServer() { finish(); }
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  std::string port() const { return std::to_string(acceptor_.local_endpoint().port()); }
  std::string url() const { return "http://127.0.0.1:" + port(); }

  /// The requests, once every reply was fetched or the server was told to stop.
  const std::vector<Request>& requests() {
    finish();
    return requests_;
  }

  /// METHOD TARGET of each of them.
  std::vector<std::string> targets() {
    std::vector<std::string> lines;
    for (const auto& request : requests()) {
      lines.push_back(std::string(request.method_string()) + " " + std::string(request.target()));
    }
    return lines;
  }

 private:
  void run(const std::vector<std::string>& replies) {
    for (const auto& reply : replies) {
      boost::system::error_code error;
      boost::asio::ip::tcp::socket socket(context_);
      acceptor_.accept(socket, error);
      if (stopped_ || error) return;
      boost::beast::flat_buffer buffer;
      Request request;
      boost::beast::http::read(socket, buffer, request, error);
      if (!error) requests_.push_back(request);
      if (reply.empty()) {
        char byte = 0;
        socket.read_some(boost::asio::buffer(&byte, 1), error);
      }
      boost::asio::write(socket, boost::asio::buffer(reply), error);
    }
  }

  void finish() {
    if (!thread_.joinable()) return;
    stopped_ = true;
    // Wakes an accept that nobody would answer any more.
    boost::system::error_code ignored;
    boost::asio::ip::tcp::socket(context_).connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }

  boost::asio::io_context context_{1};
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<bool> stopped_{false};
  std::vector<Request> requests_;
  std::thread thread_;
};

inline std::string http_reply(const std::string& status, const std::string& body,
                              const std::string& type = "application/json") {
  return "HTTP/1.1 " + status + "\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline std::string ok(const std::string& body) { return http_reply("200 OK", body); }

inline std::string problem_reply(const std::string& status, const std::string& body) {
  return http_reply(status, body, "application/problem+json");
}

}  // namespace sluice::test
