#pragma once

#include <memory>
#include <optional>
#include <string>

#include "sluice/orders/order_store.hpp"

#include "adapters/sqlite/client.hpp"

namespace sluice::sqlite {

/// A lane's image on a connection of its own: between two of its pages others read on theirs, and
/// see what is newer. Used by one thread at a time.
class Image {
 public:
  Image(const std::string& path, std::shared_ptr<Clock> clock, LaneId lane);

  /// The lane, first of all; `Errc::not_found` without it.
  Result<LaneImage> lane(Ticks deadline);

  /// The next page. Not after the last one, nor after an error.
  Result<ImagePage> next(Ticks deadline);

 private:
  Connection connection_;
  LaneId id_;
  std::optional<Transaction> transaction_;
  Statement orders_;
};

/// Reads the image on the database's thread for reading, a call for each page.
Task<StoredImage> read_image(std::shared_ptr<Client> client, Ticks deadline, LaneId lane);

}  // namespace sluice::sqlite
