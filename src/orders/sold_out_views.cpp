#include "sluice/orders/sold_out_views.hpp"

#include <algorithm>
#include <utility>

#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

constexpr Millis kSoldOutForNowWait{2000};

void raise(std::atomic<std::uint64_t>& newest, std::uint64_t moment) {
  auto before = newest.load();
  while (before < moment && !newest.compare_exchange_weak(before, moment)) {
  }
}

}  // namespace

SoldOutViews::SoldOutViews(SoldOutSettings settings, Ports ports)
    : settings_(settings),
      ports_(ports),
      book_(ports.book),
      complete_(ports.metrics.gauge("sluice_sold_out_lanes",
                                    "Lanes that said sold out, by whether their winners are read.",
                                    {{"winners", "complete"}})),
      reading_(ports.metrics.gauge("sluice_sold_out_lanes",
                                   "Lanes that said sold out, by whether their winners are read.",
                                   {{"winners", "reading"}})),
      winners_(ports.metrics.gauge("sluice_sold_out_winners",
                                   "Winners that the node knows, in 8 bytes each.")),
      pages_(ports.metrics.counter("sluice_sold_out_pages_total",
                                   "Calls that read winners, or whether units came back.")) {}

boost::asio::awaitable<void> SoldOutViews::upkeep() {
  std::vector<LaneId> ids;
  for (;;) {
    take_in();
    forget_ended();
    bool reading = false;
    ids.clear();
    for (const auto& [id, lane] : lanes_) ids.push_back(id);
    for (const auto id : ids) {
      const bool goes_on = co_await look_after(id);
      reading = reading || goes_on;
    }
    count();
    if (!reading) co_await ports_.clock.sleep_until(ports_.clock.ticks() + settings_.round);
  }
}

/// True when there is more to read at once.
boost::asio::awaitable<bool> SoldOutViews::look_after(LaneId id) {
  auto& [view, news] = lanes_.at(id);
  if (const Epoch epoch = news->sold_out.exchange(0); epoch > 0) {
    news->asked = true;
    view.said_sold_out(epoch);
  }
  const auto asked_at = ports_.clock.ticks();
  auto page = view.next(news->asked, asked_at);
  if (!page) co_return false;
  news->asked = false;
  const auto services = ports_.router.at(id);
  if (page->epoch < services.fence && !mutant("sold_out.behind_the_fence")) {
    view.forget();
    co_return false;
  }
  const Call call{id, page->epoch, asked_at + settings_.page_timeout};
  const auto before = view.known();
  auto read = co_await services.inventory.winners(call, std::move(page->cursor), settings_.page);
  pages_.Increment();
  const bool answered = read.has_value();
  const bool from_answer = mutant("sold_out.fresh_from_answer");
  view.read(call.epoch, std::move(read), from_answer ? ports_.clock.ticks() : asked_at);
  const bool goes_on = view.reading() && answered;
  if (view.known() != before) publish();
  co_await ports_.clock.sleep_until(ports_.clock.ticks() + settings_.page_pause);
  co_return goes_on;
}

void SoldOutViews::said_first(LaneId lane, Epoch epoch) {
  std::lock_guard lock(mutex_);
  auto& newest = said_[lane];
  newest = std::max(newest, epoch);
}

void SoldOutViews::take_in() {
  std::unordered_map<LaneId, Epoch> said;
  {
    std::lock_guard lock(mutex_);
    said.swap(said_);
  }
  bool grown = false;
  for (const auto& [id, epoch] : said) {
    if (!selling(id.sale)) continue;
    auto [place, fresh] = lanes_.try_emplace(id, Lane{SoldOutView(settings_.fresh)});
    place->second.news->sold_out = epoch;
    grown = grown || fresh;
  }
  // Before the first page is read: what a thread hears after that page must not be missed.
  if (grown) publish();
}

bool SoldOutViews::selling(SaleId sale) {
  const auto& book = book_.get();
  if (!book.loaded) return true;
  const auto* found = book.find(sale);
  if (found == nullptr) return false;
  const auto now = phase(*found, ports_.clock.now());
  return now != WindowPhase::ended && now != WindowPhase::closed;
}

void SoldOutViews::forget_ended() {
  const auto ended = [this](const auto& entry) { return !selling(entry.first.sale); };
  if (mutant("sold_out.never_over")) return;
  if (std::erase_if(lanes_, ended) > 0) publish();
}

void SoldOutViews::publish() {
  auto entries = std::make_shared<Entries>();
  entries->reserve(lanes_.size());
  for (const auto& [id, lane] : lanes_) {
    entries->emplace(id, Entry{lane.news, lane.view.known()});
  }
  snapshot_.publish(std::move(entries));
}

void SoldOutViews::count() {
  std::size_t complete = 0;
  std::size_t reading = 0;
  std::size_t winners = 0;
  for (const auto& [id, lane] : lanes_) {
    complete += lane.view.complete() ? 1U : 0U;
    reading += lane.view.reading() ? 1U : 0U;
    winners += lane.view.winners();
  }
  complete_.Set(static_cast<double>(complete));
  reading_.Set(static_cast<double>(reading));
  winners_.Set(static_cast<double>(winners));
}

const SoldOutViews::Entry* SoldOutViews::Reader::find(LaneId lane) {
  const auto& entries = entries_.get();
  const auto found = entries.find(lane);
  return found == entries.end() ? nullptr : &found->second;
}

AdmissionStage SoldOutViews::Reader::stage(Random& random) {
  return [this, &random](Admission& admission) -> std::optional<Refusal> {
    const auto* entry = find(admission.lane);
    if (entry == nullptr || !entry->known) return std::nullopt;
    auto& news = *entry->news;
    // Written once for each look: threads that only read it share its cache line.
    if (!news.asked.load(std::memory_order_relaxed)) news.asked = true;
    switch (entry->known->ask(*admission.user, news.newest, admission.ticks)) {
      case SoldOut::Answer::ask_the_lane:
        break;
      case SoldOut::Answer::sold_out_for_now:
        return sold_out(true, random);
      case SoldOut::Answer::sold_out:
        return sold_out(may_expire(*admission.sale), random);
    }
    return std::nullopt;
  };
}

void SoldOutViews::Reader::heard(LaneId lane, Epoch epoch, const ReserveReply& reply) {
  const auto said = [](const Reservation& one) { return one.verdict == Verdict::sold_out; };
  const bool sold_out = std::ranges::any_of(reply.reservations, said);
  const auto* entry = find(lane);
  if (entry == nullptr) {
    if (sold_out) views_.said_first(lane, epoch);
    return;
  }
  raise(entry->news->newest, lane_moment(epoch, reply.version));
  if (sold_out) entry->news->sold_out = epoch;
}

Refusal sold_out(bool may_return, Random& random) {
  if (!may_return) return {Code::sold_out, {}};
  return {Code::sold_out_for_now, jittered(kSoldOutForNowWait, random)};
}

bool may_expire(const Sale& sale) {
  return must_be_paid(sale.terms) && !mutant("sold_out.unpaid_final");
}

}  // namespace sluice
