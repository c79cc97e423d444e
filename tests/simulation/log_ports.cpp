#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "sluice/base/mutation.hpp"

#include "simulation/log.hpp"

namespace sluice::simulation {
namespace {

constexpr std::size_t kPublishMax = 1'024;
constexpr Millis kRetry{100};
constexpr Millis kEndEvery{1000};
constexpr Millis kEndMargin{1000};

class QueuePort final : public OrderQueue {
 public:
  QueuePort(Network& network, Caller caller, Log& log)
      : network_(network), caller_(caller), log_(log) {}

  bool decides() const noexcept override { return false; }

  Task<std::vector<Receipt>> publish(Ticks deadline, In<OrderMessage> messages) override {
    std::vector<Receipt> receipts(messages.size());
    if (messages.size() > kPublishMax) co_return Errc::overloaded;
    if (messages.empty()) co_return receipts;
    auto work = [&log = log_, copy = copy_of(messages)]() -> Result<std::vector<Receipt>> {
      std::vector<Receipt> taken;
      for (const auto& message : copy) {
        taken.push_back(log.take(log.partition_of(message.lane), message));
      }
      return taken;
    };
    auto call =
        network_.call<std::vector<Receipt>>(caller_, Service::log, deadline, std::move(work));
    // A lost answer counts as a failure of the log, and is told of in the receipts.
    auto answer = co_await std::move(call);
    if (answer || answer.error() == Errc::unavailable) co_return answer;
    co_return receipts;
  }

  Task<> fence(Ticks deadline, Fence fence) override {
    auto work = [&log = log_, fence]() -> Result<void> {
      log.append(log.partition_of(fence.lane), fence);
      return {};
    };
    return network_.call<void>(caller_, Service::log, deadline, std::move(work));
  }

 private:
  Network& network_;
  Caller caller_;
  Log& log_;
};

class FeedPort final : public OrderFeed, public Log::Consumer {
 public:
  FeedPort(Network& network, Caller caller, Log& log, OrderStore& positions, Clock& clock)
      : network_(network), caller_(caller), log_(log), positions_(positions), clock_(clock) {
    log_.join(this);
  }
  ~FeedPort() override { log_.lose(this); }

  void assign(std::vector<std::int32_t> partitions) override {
    std::map<std::int32_t, Reading> readings;
    // Where somebody else read meanwhile is not known.
    for (const auto partition : partitions) readings[partition] = {};
    readings_.swap(readings);
    if (wake_) wake_->answer(true);
  }
  bool responsive() const override { return !caller_.thread.frozen(); }

  Task<Delivery> next(Ticks deadline, std::size_t max) override;

  Task<> leave(Ticks) override {
    if (std::exchange(joined_, false)) log_.leave(this);
    readings_.clear();
    co_return Result<void>{};
  }

  Task<> rewind(Ticks deadline, OffsetRange range) override {
    const auto found = readings_.find(range.partition);
    if (found != readings_.end()) found->second.next.reset();
    return locate(deadline);
  }

  Task<> dead_letter(Ticks deadline, const OffsetRange&, In<Poison> poison) override {
    auto work = [&log = log_, copy = copy_of(poison)]() -> Result<void> {
      log.dead_letters.insert(log.dead_letters.end(), copy.begin(), copy.end());
      return {};
    };
    return network_.call<void>(caller_, Service::log, deadline, std::move(work));
  }

 private:
  struct Reading {
    std::optional<std::int64_t> next;  ///< Empty: the store has to be asked.
    Ticks end_told{};
  };

  struct Doze {
    FeedPort* feed;
    Ticks until;
    void operator()(Completion<bool> completion) {
      auto wait = std::make_shared<Wait<bool>>(feed->caller_.thread);
      wait->begin(std::move(completion));
      feed->wake_ = wait;
      feed->log_.await([wait] { wait->answer(true); });
      feed->network_.scheduler().at(until, [wait] { wait->answer(true); });
    }
  };

  boost::asio::awaitable<void> doze(Ticks until) {
    Doze doze{this, until};
    co_await suspend<bool>(std::move(doze));
    wake_.reset();
  }

  Task<> locate(Ticks deadline);
  Task<Delivery> fetch(Ticks deadline, std::int32_t partition, std::int64_t begin, std::size_t max);
  bool take(Delivery& delivery);

  Network& network_;
  Caller caller_;
  Log& log_;
  OrderStore& positions_;
  Clock& clock_;
  std::map<std::int32_t, Reading> readings_;
  std::shared_ptr<Wait<bool>> wake_;
  std::int32_t cursor_ = -1;
  bool joined_ = true;
};

Task<> FeedPort::locate(Ticks deadline) {
  std::vector<std::int32_t> lost;
  for (const auto& [partition, reading] : readings_) {
    if (!reading.next) lost.push_back(partition);
  }
  for (const auto partition : lost) {
    const auto position = co_await positions_.position(deadline, kTopic, partition);
    if (!position) co_return position.error();
    const auto found = readings_.find(partition);
    if (found != readings_.end() && !found->second.next) found->second.next = *position;
  }
  co_return boost::system::in_place_value;
}

Task<Delivery> FeedPort::fetch(Ticks deadline, std::int32_t partition, std::int64_t begin,
                               std::size_t max) {
  auto work = [&log = log_, partition, begin, max]() -> Result<Delivery> {
    return log.read(partition, begin, max);
  };
  return network_.call<Delivery>(caller_, Service::log, deadline, std::move(work));
}

bool FeedPort::take(Delivery& delivery) {
  auto& range = *delivery.range;
  const auto found = readings_.find(range.partition);
  if (found == readings_.end() || found->second.next != range.begin) return false;
  auto& reading = found->second;
  range.log_time = range.log_time - kEndMargin;
  const auto now = clock_.ticks();
  if (range.begin == range.next && now - reading.end_told < kEndEvery) return false;
  if (range.begin == range.next) reading.end_told = now;
  cursor_ = range.partition;
  reading.next = range.next;
  return true;
}

Task<Delivery> FeedPort::next(Ticks deadline, std::size_t max) {
  if (max == 0) co_return Errc::invalid;
  if (!std::exchange(joined_, true)) log_.join(this);
  for (;;) {
    const auto located = co_await locate(deadline);
    if (!located) co_return located.error();
    std::vector<std::pair<std::int32_t, std::int64_t>> turns;
    for (const auto& [partition, reading] : readings_) {
      if (reading.next) turns.emplace_back(partition, *reading.next);
    }
    const auto after = [this](const auto& turn) { return turn.first <= cursor_; };
    std::stable_partition(turns.begin(), turns.end(), std::not_fn(after));
    bool failed = false;
    for (const auto& [partition, begin] : turns) {
      auto delivery = co_await fetch(deadline, partition, begin, max);
      failed = !delivery;
      if (failed) break;
      if (take(*delivery)) co_return delivery;
    }
    const auto now = clock_.ticks();
    if (now >= deadline) co_return Delivery{};
    co_await doze(failed ? std::min<Ticks>(deadline, now + kRetry) : deadline);
  }
}

}  // namespace

std::unique_ptr<OrderQueue> create_queue(Network& network, Caller caller, Log& log) {
  return std::make_unique<QueuePort>(network, caller, log);
}

std::unique_ptr<OrderFeed> create_feed(Network& network, Caller caller, Log& log,
                                       OrderStore& positions, Clock& clock) {
  return std::make_unique<FeedPort>(network, caller, log, positions, clock);
}

}  // namespace sluice::simulation
