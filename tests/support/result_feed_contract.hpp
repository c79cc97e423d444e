#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "sluice/fulfilment/result_feed.hpp"

namespace sluice::test {

/// The feeds of several nodes or threads, stepped on one io_context.
class ResultFeedWorld {
 public:
  virtual ~ResultFeedWorld() = default;

  virtual boost::asio::io_context& context() = 0;

  /// One more feed, ready to announce. It is destroyed before the world.
  virtual std::unique_ptr<ResultFeed> make_feed() = 0;
};

struct ResultFeedContract {
  std::string name;  ///< Letters and digits.
  std::function<std::unique_ptr<ResultFeedWorld>()> make;
};

/// Puts an adapter under the suite; called at static initialisation by one source of its tests.
bool register_result_feed_contract(ResultFeedContract contract);

}  // namespace sluice::test
