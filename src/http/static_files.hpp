#pragma once

#include <string>
#include <string_view>

#include "http/answer.hpp"
#include "http/request.hpp"

namespace sluice::http {

/// A file of the embedded web folder; "/" is index.html. `not_found` when there is none. GET and
/// HEAD.
Answer static_file(const Request& request);

/// True when an If-None-Match field names this entity tag, or any.
bool names_etag(std::string_view if_none_match, std::string_view etag);

}  // namespace sluice::http
