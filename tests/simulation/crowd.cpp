#include "simulation/crowd.hpp"

#include <algorithm>
#include <utility>

namespace sluice::simulation {
namespace {

constexpr Millis kPatience{8000};
constexpr unsigned kRevisits = 2;

/// How a story says that a user learns of an order.
const char* words(OrderStatus status) {
  switch (status) {
    case OrderStatus::queued:
      return "learns that order {} is queued";
    case OrderStatus::confirmed:
      return "learns that order {} is confirmed";
    case OrderStatus::paid:
      return "learns that order {} is paid";
    case OrderStatus::rejected:
      return "learns that order {} is rejected";
    case OrderStatus::cancelled:
      return "learns that order {} is cancelled";
    case OrderStatus::expired:
      break;
  }
  return "learns that order {} is expired";
}

/// An order with the first status may have the second one later, or has it still.
bool leads_to(OrderStatus first, OrderStatus second, bool must_pay) {
  if (first == second || first == OrderStatus::queued) return true;
  const bool moves = first == OrderStatus::confirmed && must_pay;
  return moves && second != OrderStatus::queued && second != OrderStatus::rejected;
}

}  // namespace

Crowd::Crowd(Services services, Cluster& nodes, Ledger& ledger)
    : services_(services), nodes_(nodes), ledger_(ledger) {}

void Crowd::add(SaleId sale, UserId id, std::uint32_t quantity, Ticks at, Ticks until,
                Habit habit) {
  User user;
  user.id = std::move(id);
  user.sale = sale;
  user.quantity = quantity;
  user.until = until;
  user.habit = habit;
  user.acting = true;
  users_.push_back(std::move(user));
  const auto index = users_.size() - 1;
  services_.scheduler.at(at, [this, index] { act(index); });
}

void Crowd::act_later(std::size_t index, Millis first, Millis last) {
  auto& user = users_[index];
  if (user.acting || user.under_way > 0) return;
  user.acting = true;
  services_.scheduler.in(services_.scheduler.rng().between(first, last),
                         [this, index] { act(index); });
}

const Crowd::Known* Crowd::open_order(const User& user) const {
  const bool paid_for = must_pay(user);
  for (const auto& order : user.orders) {
    if (order.seen == OrderStatus::queued) return &order;
    if (order.seen == OrderStatus::confirmed && paid_for) return &order;
  }
  return nullptr;
}

const Crowd::Known* Crowd::kept_order(const User& user) const {
  const auto end = must_pay(user) ? OrderStatus::paid : OrderStatus::confirmed;
  const auto kept = std::ranges::find(user.orders, end, &Known::seen);
  return kept == user.orders.end() ? nullptr : &*kept;
}

bool Crowd::must_pay(const User& user) const {
  return must_be_paid(services_.store.sales().at(user.sale).terms);
}

LaneId Crowd::lane_of_user(const User& user) const {
  const auto& terms = services_.store.sales().at(user.sale).terms;
  return {user.sale, lane_of(user.id, terms.lanes)};
}

void Crowd::act(std::size_t index) {
  auto& user = users_[index];
  user.acting = false;
  auto& rng = services_.scheduler.rng();
  if (const auto* order = open_order(user)) {
    const auto copy = *order;
    if (rng.one_in(6)) mine(index);
    if (rng.one_in(6)) buy(index);
    if (copy.seen == OrderStatus::confirmed) return settle_up(index, copy);
    // What is undecided cannot be moved yet; some try.
    if (rng.one_in(12)) move(index, copy, Move::cancel);
    look(index, copy);
    return;
  }
  if (const auto* kept = kept_order(user)) {
    const auto copy = *kept;
    if (user.revisits++ >= kRevisits) {
      user.content = true;
      return;
    }
    if (rng.one_in(3)) {
      buy(index);
    } else if (rng.one_in(2)) {
      mine(index);
    } else if (rng.one_in(3)) {
      move(index, copy, Move::cancel);
    } else {
      look(index, copy);
    }
    return;
  }
  if (services_.scheduler.now() >= user.until) {
    user.content = true;
    return;
  }
  const unsigned clicks = rng.one_in(5) ? 2 : 1;
  for (unsigned i = 0; i < clicks; ++i) buy(index);
}

Crowd::RequestPtr Crowd::request(std::size_t index) {
  auto request = std::make_shared<Request>();
  request->user = index;
  request->known = users_[index].orders;
  ++users_[index].under_way;
  ++requests_;
  return request;
}

void Crowd::send(const RequestPtr& request, std::function<void(Node&)> work) {
  auto& scheduler = services_.scheduler;
  const auto choice = scheduler.rng().below(nodes_.size());
  scheduler.in(kPatience, [this, request] {
    if (!end(request)) return;
    users_[request->user].doubt = true;
    act_later(request->user, Millis{1}, Millis{500});
  });
  const auto there = scheduler.rng().between(Micros{100}, Micros{20'000});
  scheduler.in(there, [this, request, choice, work = std::move(work)] {
    auto* node = nodes_[choice].get();
    if (node != nullptr) {
      work(*node);
    } else if (end(request)) {
      act_later(request->user, Millis{50}, Millis{800});
    }
  });
}

void Crowd::carry(const RequestPtr& request, std::function<void()> receive) {
  auto& scheduler = services_.scheduler;
  if (scheduler.rng().ppm(lose)) return;
  const auto back = scheduler.rng().between(Micros{100}, Micros{20'000});
  scheduler.in(back, [this, request, receive = std::move(receive)] {
    if (end(request)) receive();
  });
}

bool Crowd::end(const RequestPtr& request) {
  if (std::exchange(request->over, true)) return false;
  --users_[request->user].under_way;
  return true;
}

void Crowd::buy(std::size_t index) {
  const auto& user = users_[index];
  services_.story.note(who(index), "clicks buy {}", user.quantity);
  auto request = this->request(index);
  auto work = [this, request, sale = user.sale, id = user.id,
               quantity = user.quantity](Node& node) {
    node.buy(sale, id, quantity, [this, request](PurchaseAnswer answer) {
      carry(request, [this, request, answer = std::move(answer)] { bought(request, answer); });
    });
  };
  send(request, std::move(work));
}

void Crowd::look(std::size_t index, const Known& order) {
  const auto& user = users_[index];
  auto request = this->request(index);
  request->id = order.id;
  const auto patience = services_.scheduler.rng().one_in(3) ? Millis{2000} : Millis{0};
  auto work = [this, request, sale = user.sale, id = user.id, patience](Node& node) {
    node.find(sale, request->id, id, patience, [this, request](LookUp answer) {
      carry(request, [this, request, answer = std::move(answer)] { looked(request, answer); });
    });
  };
  send(request, std::move(work));
}

void Crowd::mine(std::size_t index) {
  const auto& user = users_[index];
  auto request = this->request(index);
  auto work = [this, request, sale = user.sale, id = user.id](Node& node) {
    node.mine(sale, id, [this, request](LookUp answer) {
      carry(request, [this, request, answer = std::move(answer)] { was_mine(request, answer); });
    });
  };
  send(request, std::move(work));
}

void Crowd::bought(const RequestPtr& request, const PurchaseAnswer& answer) {
  const auto index = request->user;
  users_[index].answered = services_.scheduler.now();
  ledger_.figures.at_once += answer.kind == PurchaseAnswer::Kind::confirmed;
  ledger_.figures.backlogged += answer.backlogged;
  ledger_.figures.unknown += answer.refusal.code == Code::outcome_unknown;
  if (answer.kind != PurchaseAnswer::Kind::refused) {
    learn(request, answer.order.id, answer.order.status, RejectReason::none);
    act_later(index, Millis{20}, Millis{1500});
    return;
  }
  refused(index, answer.refusal.code);
}

void Crowd::refused(std::size_t index, Code code) {
  auto& user = users_[index];
  services_.story.note(who(index), problem(code).name.data());
  if (code == Code::outcome_unknown) user.doubt = true;
  if (code == Code::internal_error) services_.story.violate("a purchase failed: internal_error");
  if (code == Code::sold_out && !ledger_.sold_out(lane_of_user(user))) {
    services_.story.violate("user " + user.id.text() + " was told that it is sold out for good");
  }
  act_later(index, Millis{200}, Millis{3000});
}

void Crowd::looked(const RequestPtr& request, const LookUp& answer) {
  const auto index = request->user;
  if (answer) {
    const auto& order = answer->order;
    if (order.id != request->id) services_.story.violate("a look-up showed another order");
    learn(request, order.id, order.status, answer->reason);
    const bool waits = users_[index].habit == Habit::waits;
    if (waits && answer->pay_by) return act_later(index, Millis{300}, Millis{4000});
  } else if (answer.error().code == Code::unknown_order) {
    services_.story.violate("order " + std::to_string(brief(request->id)) +
                            " was acknowledged and then not found");
  }
  act_later(index, Millis{50}, Millis{1500});
}

void Crowd::was_mine(const RequestPtr& request, const LookUp& answer) {
  const auto index = request->user;
  if (answer) {
    const auto& order = answer->order;
    if (!is_live(order.status) && order.status != OrderStatus::rejected) {
      services_.story.violate("`mine` showed an order that was over");
    }
    learn(request, order.id, order.status, answer->reason);
  } else if (answer.error().code == Code::unknown_order) {
    const auto& user = users_[index];
    const auto lane = lane_of_user(user);
    for (const auto& known : request->known) {
      if (!is_live(known.seen) || !ledger_.may_live(known.id, lane)) continue;
      services_.story.violate("user " + user.id.text() + " has an order that `mine` did not find");
    }
  }
  act_later(index, Millis{50}, Millis{1500});
}

void Crowd::learn(const RequestPtr& request, const OrderId& id, OrderStatus status,
                  RejectReason reason) {
  auto& user = users_[request->user];
  services_.story.note(who(request->user), words(status), brief(id));
  const bool paid_for = must_pay(user);
  const auto same = [&](const Known& known) { return known.id == id; };
  const auto before = std::ranges::find_if(request->known, same);
  const bool back = before != request->known.end() && !leads_to(before->seen, status, paid_for);
  auto now = std::ranges::find_if(user.orders, same);
  // Answers may overtake each other, but all of them belong to one life.
  const bool contrary = now != user.orders.end() && !leads_to(now->seen, status, paid_for) &&
                        !leads_to(status, now->seen, paid_for);
  if (back || contrary) {
    const auto was = back ? before->seen : now->seen;
    services_.story.violate("order " + std::to_string(brief(id)) + " of user " + user.id.text() +
                            " was " + std::string(name(was)) + " and is now " +
                            std::string(name(status)));
    return;
  }
  if (now == user.orders.end()) {
    user.orders.push_back({id, status, reason});
  } else if (leads_to(now->seen, status, paid_for)) {
    now->seen = status;
    now->reason = reason;
  }
}

std::string Crowd::missing() const {
  for (const auto& user : users_) {
    if (user.content) continue;
    if (open_order(user) != nullptr) {
      return "user " + user.id.text() + " waits for the end of order " +
             std::to_string(brief(open_order(user)->id));
    }
    return "user " + user.id.text() + " is not done";
  }
  return "";
}

void Crowd::settle_accounts() {
  for (const auto& user : users_) {
    const auto lane = lane_of_user(user);
    for (const auto& order : user.orders) {
      const auto wrong = ledger_.judge(order.id, lane, order.seen, order.reason);
      if (!wrong.empty()) services_.story.violate(wrong);
      ledger_.figures.rejected += order.seen == OrderStatus::rejected;
    }
    const auto live = services_.store.find_live(user.sale, user.id).value();
    if (!live || user.doubt || ledger_.granted_late(live->id, user.answered)) continue;
    // Without its record Redis cannot tell that he bought.
    if (ledger_.was_forgotten(live->id)) continue;
    const bool known =
        std::ranges::any_of(user.orders, [&](const Known& order) { return order.id == live->id; });
    if (!known) {
      services_.story.violate("user " + user.id.text() + " was always refused, but has order " +
                              std::to_string(brief(live->id)));
    }
  }
}

}  // namespace sluice::simulation
