#include "sluice/base/mutation.hpp"

#ifdef SLUICE_MUTATIONS

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
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

/// One line of a text and what stands there instead.
struct Replacement {
  std::string folder;
  std::string old_text;
  std::string new_text;
};

/// What the table of mistakes has for the chosen one; nothing of it for all others.
Replacement chosen_replacement() {
  Replacement found;
  std::ifstream table(SLUICE_SCRIPT_MUTANTS);
  const auto begin = chosen() + " | ";
  for (std::string line; std::getline(table, line);) {
    if (!line.starts_with(begin)) continue;
    found.folder = line.substr(begin.size(), line.find(" | ", begin.size()) - begin.size());
    if (std::getline(table, line)) found.old_text = line.substr(2);
    if (std::getline(table, line)) found.new_text = line.substr(2);
  }
  return found;
}

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

std::string_view mutated(std::string_view folder, std::string_view text) {
  if (chosen().empty()) return text;
  static const Replacement replacement = chosen_replacement();
  const auto place = text.find(replacement.old_text);
  if (folder != replacement.folder || place == std::string_view::npos) return text;
  reached.store(true, std::memory_order_relaxed);
  static std::mutex mutex;
  static std::map<std::string, std::string, std::less<>> known;
  const std::lock_guard lock(mutex);
  const auto [entry, is_new] = known.try_emplace(std::string(text), text);
  if (is_new) entry->second.replace(place, replacement.old_text.size(), replacement.new_text);
  return entry->second;
}

}  // namespace sluice

#endif
