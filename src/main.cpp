#include <iostream>
#include <string>
#include <vector>

#include "sluice/app/serve.hpp"
#include "sluice/cli/cli.hpp"

/// `run_command` in the world of this process.
int main(int argc, char** argv) {
  const sluice::CliWorld world{sluice::process_environment(), std::cout, std::cerr, sluice::serve,
                               sluice::migrate};
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const int code = sluice::run_command(arguments, world);
  std::cout.flush();
  if (code == sluice::kExitOk && !std::cout) {
    std::cerr << "sluice: the output cannot be written\n";
    return sluice::kExitFailed;
  }
  return code;
}
