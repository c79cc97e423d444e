#include "sluice/base/mutation.hpp"

#ifdef SLUICE_MUTATIONS

#include <atomic>
#include <cstdlib>
#include <utility>

namespace sluice {
namespace {

std::string from_environment() {
  const char* text = std::getenv("SLUICE_MUTANT");
  return text == nullptr ? "" : text;
}

std::string& chosen() {
  static std::string name = from_environment();
  return name;
}

std::atomic<bool> reached{false};

}  // namespace

bool mutant(std::string_view name) {
  const auto& choice = chosen();
  if (choice.empty() || choice != name) return false;
  reached.store(true, std::memory_order_relaxed);
  return true;
}

void set_mutant(std::string name) {
  chosen() = std::move(name);
  reached = false;
}

bool mutant_reached() { return reached; }

}  // namespace sluice

#endif
