#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "sluice/base/problem.hpp"
#include "sluice/catalog/sale_store.hpp"
#include "sluice/domain/sale.hpp"

namespace sluice {

/// A refusal for an operator, with a sentence that names what is wrong.
struct OperatorRefusal {
  Code code = Code::internal_error;
  std::string detail;
};

template <class T>
using Operated = boost::system::result<T, OperatorRefusal>;

/// What an operator does to sales. Lives on the control thread; callers on other threads cross over
/// to its executor.
class SaleDesk {
 public:
  virtual ~SaleDesk() = default;

  virtual boost::asio::awaitable<Operated<Sale>> create(SaleDraft draft) = 0;
  virtual boost::asio::awaitable<Operated<std::vector<Sale>>> list() = 0;
  virtual boost::asio::awaitable<Operated<Sale>> show(SaleId sale) = 0;

  /// Opens, pauses or closes a sale. When it returns without a refusal, the lanes enforce the new
  /// state on every node, and this node's snapshot has it.
  virtual boost::asio::awaitable<Operated<Sale>> set_state(SaleId sale, SaleState state) = 0;
};

}  // namespace sluice
