// A request, as a client sends it: the first byte says where the bytes are cut in two.
#include "http/request.hpp"

#include <string>

#include "fuzz/fuzz.hpp"

using sluice::http::RequestReader;
using sluice::test::require;
using Step = RequestReader::Step;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  RequestReader whole({});
  const auto step = whole.look(bytes);
  const auto begins = bytes.substr(0, data[0] * bytes.size() / 256);
  RequestReader parts({});
  auto later = parts.look(begins);
  if (later == Step::need_header || later == Step::need_body) later = parts.look(bytes);
  require(later == step, "a request is read the same however it is cut");
  if (step != Step::ready) return 0;

  const auto& request = whole.request();
  const auto inside = [&bytes](std::string_view view) {
    return view.empty() || (view.data() >= bytes.data() &&
                            view.data() + view.size() <= bytes.data() + bytes.size());
  };
  require(whole.size() <= bytes.size() && whole.size() == parts.size(), "its size is known");
  require(request.path.starts_with('/'), "a path begins with a slash");
  require(inside(request.path) && inside(request.query) && inside(request.host) &&
              inside(request.authorization) && inside(request.content_type) &&
              inside(request.if_none_match) && inside(request.fields) && inside(request.body),
          "what is kept points into the bytes");
  std::size_t hosts = 0;
  sluice::http::for_each_field(request.fields, "host", [&hosts](std::string_view) { ++hosts; });
  require(hosts <= 1, "there are no two hosts");
  sluice::http::for_each_field(request.fields, "transfer-encoding", [](std::string_view) {
    require(false, "there is no transfer encoding");
  });
  return 0;
}
