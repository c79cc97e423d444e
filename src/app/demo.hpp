#pragma once

#include <string>

#include "sluice/gate/identity.hpp"

#include "app/node.hpp"

namespace sluice {

/// The sale that `serve --demo` opens, if no sale is open yet.
Operated<Sale> ensure_demo_sale(Node& node, TimePoint now);

/// What a newcomer reads on the terminal: the page, and a line for a shell that buys.
std::string demo_greeting(const std::string& url, const Sale& sale, const std::string& token);

}  // namespace sluice
