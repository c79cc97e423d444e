// A file of settings, as an operator writes it.
#include "sluice/settings/settings.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.hpp"

using sluice::test::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int file = memfd_create("settings", MFD_CLOEXEC);
  require(file >= 0 && write(file, data, size) == static_cast<ssize_t>(size),
          "the file is written");
  sluice::SettingsSources sources;
  sources.file = "/proc/self/fd/" + std::to_string(file);
  try {
    const auto loaded = sluice::load_settings(sources);
    require(!sluice::show_settings(loaded).empty(), "what was loaded can be shown");
  } catch (const sluice::SettingsError& error) {
    require(!error.problems.empty(), "a refusal says why");
  }
  close(file);
  return 0;
}
