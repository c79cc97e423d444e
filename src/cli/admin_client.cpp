#include "sluice/cli/admin_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/version.hpp>
#include <boost/url/parse.hpp>
#include <nlohmann/json.hpp>
#include <utility>

#include "sluice/base/text.hpp"

#include "cli/terminal_text.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr std::uint64_t kReplyBytesMax = 8 << 20;

using Request = http::request<http::string_body>;

std::string authority(const Endpoint& server) {
  const bool v6 = server.host.find(':') != std::string::npos;
  return (v6 ? "[" + server.host + "]" : server.host) + ":" + server.port;
}

asio::awaitable<ClientReply> exchange_with(Endpoint server, Request request) {
  const auto executor = co_await asio::this_coro::executor;
  tcp::resolver resolver(executor);
  const auto found = co_await resolver.async_resolve(server.host, server.port, asio::use_awaitable);
  beast::tcp_stream stream(executor);
  co_await stream.async_connect(found, asio::use_awaitable);
  co_await http::async_write(stream, request, asio::use_awaitable);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kReplyBytesMax);
  co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
  ClientReply reply;
  reply.status = parser.get().result_int();
  reply.body = std::move(parser.get().body());
  co_return reply;
}

/// The text of a member of a JSON object; empty when there is none.
std::string member(const nlohmann::json& json, const char* name) {
  if (!json.is_object() || !json.contains(name) || !json[name].is_string()) return {};
  return json[name].get<std::string>();
}

}  // namespace

std::optional<Endpoint> parse_url(std::string_view url) {
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed || parsed->scheme() != "http" || parsed->has_userinfo() || parsed->has_query() ||
      parsed->has_fragment() || parsed->encoded_path().size() > 1) {
    return std::nullopt;
  }
  const std::string_view host = parsed->encoded_host();
  const bool is_v6 = parsed->host_type() == boost::urls::host_type::ipv6;
  if (!is_v6 && (host.size() > 253 || !is_plain_name(host))) return std::nullopt;
  if (!parsed->has_port()) return Endpoint{parsed->host_address(), "80"};
  if (parsed->port_number() == 0) return std::nullopt;
  return Endpoint{parsed->host_address(), std::string(parsed->port())};
}

Endpoint endpoint_of(const std::string& address, unsigned port) {
  boost::system::error_code error;
  const auto parsed = asio::ip::make_address(address, error);
  if (error || !parsed.is_unspecified()) return {address, std::to_string(port)};
  return {parsed.is_v6() ? "::1" : "127.0.0.1", std::to_string(port)};
}

AdminClient::AdminClient(Endpoint server, std::string key, Millis timeout)
    : server_(std::move(server)), key_(std::move(key)), timeout_(timeout) {}

ClientReply AdminClient::get(std::string_view path) { return exchange("GET", path, {}); }

ClientReply AdminClient::post(std::string_view path, std::string body) {
  return exchange("POST", path, std::move(body));
}

ClientReply AdminClient::exchange(std::string_view method, std::string_view path,
                                  std::string body) {
  Request request(http::string_to_verb(method), path, 11);
  request.set(http::field::host, authority(server_));
  request.set(http::field::accept, "application/json");
  request.set(http::field::connection, "close");
  if (!key_.empty()) request.set(http::field::authorization, "Bearer " + key_);
  if (!body.empty()) request.set(http::field::content_type, "application/json");
  request.body() = std::move(body);
  request.prepare_payload();

  const std::string who = "http://" + authority(server_);
  ClientReply reply;
  std::exception_ptr failure;
  bool finished = false;
  asio::io_context context(1);
  auto finish = [&](std::exception_ptr thrown, ClientReply result) {
    failure = thrown;
    reply = std::move(result);
    finished = true;
  };
  auto work = exchange_with(server_, std::move(request));
  asio::co_spawn(context, std::move(work), finish);
  context.run_for(timeout_);
  if (!finished) {
    throw ClientError(who + " gave no answer within " + std::to_string(timeout_.count()) + " ms");
  }
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    throw ClientError(who + ": " + error.code().message());
  }
  return reply;
}

std::string describe_refusal(const ClientReply& reply) {
  const auto json = nlohmann::json::parse(reply.body, nullptr, false);
  const auto code = member(json, "code");
  const auto title = member(json, "title");
  const auto detail = member(json, "detail");
  std::string text = "HTTP " + std::to_string(reply.status);
  if (!code.empty()) text += ", " + code;
  if (!title.empty()) text += ": " + title;
  if (!detail.empty()) text += (title.empty() ? ": " : " ") + detail;
  // What a server says may hold anything, and goes to a terminal.
  return terminal_text(text);
}

}  // namespace sluice
