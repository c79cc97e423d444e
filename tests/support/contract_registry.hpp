#pragma once

#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "support/store_world.hpp"

namespace sluice::test {

/// The adapters that asked for one contract suite. Filled at static initialisation, read when
/// GoogleTest expands the parameterised suites.
class ContractRegistry {
 public:
  bool add(StoreContract contract) {
    contracts_.push_back(std::move(contract));
    return true;
  }

  const std::vector<StoreContract>& contracts() const { return contracts_; }

 private:
  std::vector<StoreContract> contracts_;
};

inline std::string contract_name(const testing::TestParamInfo<StoreContract>& info) {
  return info.param.name;
}

}  // namespace sluice::test
