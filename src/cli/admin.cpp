#include "cli/admin.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/url/parse.hpp>
#include <fmt/format.h>
#include <future>
#include <ostream>

#include "sluice/base/text.hpp"
#include "sluice/settings/secrets.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace beast_http = beast::http;
using asio::ip::tcp;

constexpr std::uint64_t kReplyBytesMax = 8 << 20;

using Request = beast_http::request<beast_http::string_body>;

std::string authority(const Endpoint& server) {
  const bool v6 = server.host.find(':') != std::string::npos;
  return (v6 ? "[" + server.host + "]" : server.host) + ":" + server.port;
}

asio::awaitable<ClientReply> exchange(Endpoint server, Request request) {
  const auto executor = co_await asio::this_coro::executor;
  tcp::resolver resolver(executor);
  const auto found = co_await resolver.async_resolve(server.host, server.port, asio::use_awaitable);
  beast::tcp_stream stream(executor);
  co_await stream.async_connect(found, asio::use_awaitable);
  co_await beast_http::async_write(stream, request, asio::use_awaitable);
  beast::flat_buffer buffer;
  beast_http::response_parser<beast_http::string_body> parser;
  parser.body_limit(kReplyBytesMax);
  co_await beast_http::async_read(stream, buffer, parser, asio::use_awaitable);
  ClientReply reply{parser.get().result_int(), std::move(parser.get().body())};
  co_return reply;
}

/// The text of a member of a JSON object; empty when there is none.
std::string member(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
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

ClientReply AdminClient::ask(std::string_view method, std::string_view path,
                             std::string body) const {
  Request request(beast_http::string_to_verb(method), path, 11);
  request.set(beast_http::field::host, authority(server));
  request.set(beast_http::field::accept, "application/json");
  request.set(beast_http::field::connection, "close");
  if (!key.empty()) request.set(beast_http::field::authorization, "Bearer " + key);
  if (!body.empty()) request.set(beast_http::field::content_type, "application/json");
  request.body() = std::move(body);
  request.prepare_payload();

  asio::io_context context(1);
  auto work = exchange(server, std::move(request));
  auto reply = asio::co_spawn(context, std::move(work), asio::use_future);
  context.run_for(timeout);
  const std::string who = "http://" + authority(server);
  if (reply.wait_for(Millis(0)) != std::future_status::ready) {
    throw ClientError(fmt::format("{} gave no answer within {} ms", who, timeout.count()));
  }
  try {
    return reply.get();
  } catch (const boost::system::system_error& error) {
    throw ClientError(who + ": " + error.code().message());
  }
}

std::string describe_refusal(const ClientReply& reply) {
  const auto json = Json::parse(reply.body, nullptr, false);
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

Endpoint server_of(const std::string& flag, const Cli& cli, const HttpSettings& otherwise) {
  if (cli.url.empty()) return endpoint_of(otherwise.address, otherwise.port);
  if (const auto parsed = parse_url(cli.url)) return *parsed;
  throw UsageError(flag + " is http://HOST[:PORT]");
}

AdminClient admin_client(const Cli& cli, AdminRole role) {
  const auto timeout = duration_of(cli.timeout, Millis(1), Millis(600'000),
                                   "--timeout is a time such as 500ms or 10s, at most 10m");
  const auto settings = load_settings(cli).settings;
  const auto keys = load_admin_keys(settings, cli.world.environment);
  const auto good = [role](const AdminKey& key) { return permits(key, role); };
  const auto found = std::ranges::find_if(keys, good);
  const auto& key = found == keys.end() ? keys.front() : *found;
  return {server_of("--admin-url", cli, settings.admin.http), key.key, timeout};
}

Json json_of(const ClientReply& reply) {
  if (reply.status < 200 || reply.status > 299) {
    throw ClientError("the server refused: " + describe_refusal(reply));
  }
  auto json = Json::parse(reply.body, nullptr, false);
  if (!json.is_object()) throw ClientError("the server's reply is no JSON object");
  return json;
}

int print(const Cli& cli, const Json& reply, const std::string& text) {
  cli.world.out << (cli.json ? reply.dump(2) + "\n" : text);
  return kExitOk;
}

std::string sale_path(const std::string& sale) {
  if (!parse_sale_id(sale)) throw UsageError(terminal_text(sale) + " is no sale's number");
  return std::string(kSalesPath) + "/" + sale;
}

std::string field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return {};
  return terminal_text(found->is_string() ? found->get<std::string>() : found->dump(), 2'000);
}

std::string aligned(std::initializer_list<std::pair<const char*, std::string>> lines) {
  std::string out;
  for (const auto& [name, text] : lines) {
    if (!text.empty()) out += fmt::format("{:<17}{}\n", name, text);
  }
  return out;
}

}  // namespace sluice
