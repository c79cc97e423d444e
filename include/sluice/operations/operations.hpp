#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/problem.hpp"
#include "sluice/catalog/sale_store.hpp"
#include "sluice/domain/order.hpp"
#include "sluice/domain/sale.hpp"
#include "sluice/orders/lane_router.hpp"
#include "sluice/recovery/auditor.hpp"
#include "sluice/recovery/settings.hpp"

namespace sluice {

class Control;
class ControlStore;

/// A refusal for an operator, with a sentence that names what is wrong.
struct OperatorRefusal {
  Code code = Code::internal_error;
  std::string detail;
};

template <class T>
using Operated = boost::system::result<T, OperatorRefusal>;

/// What operators ask of a node. Lives on the control thread; callers on other threads cross over
/// to its executor.
class Operations {
 public:
  virtual ~Operations() = default;

  virtual boost::asio::awaitable<Operated<Sale>> create(SaleDraft draft) = 0;

  /// Those below `before`, by id, newest first; at most `max` and `kSalesPageMax`.
  virtual boost::asio::awaitable<Operated<std::vector<Sale>>> list(SaleFilter which, SaleId before,
                                                                   std::size_t max) = 0;
  virtual boost::asio::awaitable<Operated<Sale>> show(SaleId sale) = 0;

  /// Opens, pauses or closes a sale. When it returns without a refusal, the lanes enforce the new
  /// state on every node, and this node's snapshot has it.
  virtual boost::asio::awaitable<Operated<Sale>> set_state(SaleId sale, SaleState state) = 0;

  /// The law of conservation, lane by lane.
  virtual boost::asio::awaitable<Operated<SaleAudit>> audit(SaleId sale) = 0;

  /// Asks for new epochs for all lanes of a sale: the leader gives them, and the audit shows how
  /// far it is. `force` raises fences that are on their way without waiting for the log: what
  /// the log alone knows will be refused.
  virtual boost::asio::awaitable<Operated<SaleAudit>> rebuild(SaleId sale, bool force) = 0;

  /// How this node sells.
  virtual boost::asio::awaitable<Operated<ModeReport>> flow() = 0;

  /// Holds all nodes in a mode; empty: each node and the leader decide by what they see.
  virtual boost::asio::awaitable<Operated<ModeReport>> hold(std::optional<OperatingMode> mode) = 0;
};

struct OperationsPorts {
  SaleStore& sales;
  OrderStore& orders;
  ControlStore& requests;
  Auditor& auditor;
  Control& control;
  Clock& clock;
};

/// On the executor of `ports.control`, and not past it.
std::unique_ptr<Operations> create_operations(RecoverySettings settings, OperationsPorts ports);

}  // namespace sluice
