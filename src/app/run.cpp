#include <iostream>

#include "sluice/app/serve.hpp"

namespace sluice {

int run(int argc, char** argv) {
  const CliWorld world{process_environment(), std::cout, std::cerr, serve, migrate};
  const int code =
      run_command(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc), world);
  std::cout.flush();
  if (code == kExitOk && !std::cout) {
    std::cerr << "sluice: the output cannot be written\n";
    return kExitFailed;
  }
  return code;
}

}  // namespace sluice
