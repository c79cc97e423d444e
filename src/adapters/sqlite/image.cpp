#include "adapters/sqlite/image.hpp"

#include <utility>

namespace sluice::sqlite {
namespace {

// A lane began with what `lane_stock` gave it.
constexpr auto kLane =
    "SELECT fence_epoch, k.stock,"
    " initial_stock / lanes + (lane < initial_stock % lanes) - k.stock, limit_per_order, state,"
    " starts_at_ms, ends_at_ms, revision FROM product_stock AS k JOIN sales USING (sale_id)"
    " WHERE sale_id = ?1 AND lane = ?2";

// In the order of its index, which holds every column.
constexpr auto kOrders =
    "SELECT user_id, order_id, status, quantity FROM orders WHERE sale_id = ?1 AND lane = ?2"
    " AND status IN ('queued', 'confirmed', 'paid') ORDER BY order_id";

class Pages final : public ImagePages {
 public:
  Pages(std::shared_ptr<Client> client, std::shared_ptr<Image> image)
      : client_(std::move(client)), image_(std::move(image)) {}

  Task<ImagePage> next(Ticks deadline) override {
    if (!image_) co_return Errc::unavailable;
    const Client::Work<ImagePage> work = [image = image_, deadline](Connection&) {
      return image->next(deadline);
    };
    auto page = co_await client_->read("image_page", deadline, work);
    // The last holder closes the connection, and with it ends the snapshot.
    if (!page || page->last) image_.reset();
    co_return page;
  }

 private:
  std::shared_ptr<Client> client_;
  std::shared_ptr<Image> image_;
};

struct Begun {
  LaneImage lane;
  std::shared_ptr<Image> image;
};

/// One that is opened while another one closes finds the file locked for a moment.
Connection& patient(Connection& connection) {
  connection.execute("PRAGMA busy_timeout = 1000");
  return connection;
}

}  // namespace

Image::Image(const std::string& path, std::shared_ptr<Clock> clock, LaneId lane)
    : connection_(path, std::move(clock)), id_(lane), orders_(patient(connection_), kOrders) {}

Result<LaneImage> Image::lane(Ticks deadline) {
  return connection_.answer(deadline, [&]() -> Result<LaneImage> {
    transaction_.emplace(connection_, Transaction::Kind::read);
    auto image = Statement(connection_, kLane).first<LaneImage>(id_);
    if (!image) return Errc::not_found;
    image->lane = id_;
    orders_.start(id_);
    return *std::move(image);
  });
}

Result<ImagePage> Image::next(Ticks deadline) {
  return connection_.answer(deadline, [&]() -> Result<ImagePage> {
    ImagePage page{orders_.next<LiveOrder>(kImagePageMax), false};
    page.last = page.orders.size() < kImagePageMax;
    return page;
  });
}

Task<StoredImage> read_image(std::shared_ptr<Client> client, Ticks deadline, LaneId lane) {
  const Client::Work<Begun> work = [path = client->path(), clock = client->clock(), deadline,
                                    lane](Connection&) -> Result<Begun> {
    auto image = std::make_shared<Image>(path, clock, lane);
    const auto found = image->lane(deadline);
    if (!found) return found.error();
    return Begun{*found, std::move(image)};
  };
  auto begun = co_await client->read("image", deadline, work);
  if (!begun) co_return begun.error();
  StoredImage image;
  image.lane = begun->lane;
  image.pages = std::make_unique<Pages>(std::move(client), std::move(begun->image));
  co_return image;
}

}  // namespace sluice::sqlite
