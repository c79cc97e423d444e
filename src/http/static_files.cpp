#include "http/static_files.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <unordered_map>

#include "sluice/base/hash.hpp"

#include "http/routes.hpp"
#include "sluice_web.hpp"

namespace sluice::http {
namespace {

constexpr std::string_view kFileHeaders =
    "Cache-Control: no-cache\r\n"
    "Content-Security-Policy: default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n";

struct File {
  std::string_view bytes;
  std::string_view type;
  std::string etag;
};

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "application/octet-stream";
}

std::unordered_map<std::string_view, File> all_files() {
  // The key is fixed: nodes behind one balancer must give the same tag.
  const HashKey key{};
  std::unordered_map<std::string_view, File> files;
  for (const auto name : sluice_web::names()) {
    const auto bytes = sluice_web::file(name);
    files[name] = File{bytes, type_of(name), fmt::format("\"{:016x}\"", keyed_hash(key, bytes))};
  }
  return files;
}

}  // namespace

bool names_etag(std::string_view if_none_match, std::string_view etag) {
  while (!if_none_match.empty()) {
    auto tag = take_element(if_none_match);
    if (tag == "*") return true;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag) return true;
  }
  return false;
}

Answer static_file(const Request& request) {
  static const auto files = all_files();
  const auto path = request.path.substr(1);
  const auto found = files.find(path.empty() ? std::string_view("index.html") : path);
  if (found == files.end()) return refused(Code::not_found);
  const auto& file = found->second;
  if (!answers(Method::get, request.method)) return method_not_allowed("GET, HEAD");
  Answer answer;
  answer.headers = fmt::format("ETag: {}\r\n{}", file.etag, kFileHeaders);
  if (names_etag(request.if_none_match, file.etag)) {
    answer.status = 304;
    return answer;
  }
  answer.type = file.type;
  answer.static_body = file.bytes;
  return answer;
}

}  // namespace sluice::http
