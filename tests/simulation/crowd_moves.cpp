#include <utility>

#include "simulation/crowd.hpp"

namespace sluice::simulation {

void Crowd::settle_up(std::size_t index, const Known& order) {
  auto& rng = services_.scheduler.rng();
  const auto habit = users_[index].habit;
  if (habit == Habit::pays && !rng.one_in(4)) return move_some(index, order, Move::pay);
  if (habit == Habit::varies) {
    const auto choice = rng.below(8);
    if (choice < 2) return move_some(index, order, Move::pay);
    if (choice < 5) return move_some(index, order, Move::cancel);
    if (choice == 5) {
      move(index, order, Move::cancel);
      return move_by_shop(index, order, Move::pay);
    }
  }
  look(index, order);
}

void Crowd::move_some(std::size_t index, const Known& order, Move move) {
  auto& rng = services_.scheduler.rng();
  const unsigned clicks = rng.one_in(4) ? 2 : 1;
  for (unsigned i = 0; i < clicks; ++i) {
    // Payments come from the shop; it may cancel, too.
    if (move == Move::pay || rng.one_in(4)) {
      move_by_shop(index, order, move);
    } else {
      this->move(index, order, move);
    }
  }
}

Crowd::RequestPtr Crowd::move_request(std::size_t index, const Known& order, Move move) {
  services_.story.note(who(index), move == Move::pay ? "pays order {}" : "cancels order {}",
                       brief(order.id));
  auto request = this->request(index);
  request->id = order.id;
  request->move = move;
  return request;
}

void Crowd::move(std::size_t index, const Known& order, Move move) {
  const auto& user = users_[index];
  auto request = move_request(index, order, move);
  auto work = [this, request, sale = user.sale, id = user.id](Node& node) {
    node.move(sale, request->id, id, request->move, [this, request](LookUp answer) {
      carry(request, [this, request, answer = std::move(answer)] { moved(request, answer); });
    });
  };
  send(request, std::move(work));
}

void Crowd::move_by_shop(std::size_t index, const Known& order, Move move) {
  const auto& user = users_[index];
  auto request = move_request(index, order, move);
  auto work = [this, request, sale = user.sale, id = user.id](Node& node) {
    auto receive = [this, request](Operated<Order> answer) {
      carry(request,
            [this, request, answer = std::move(answer)] { moved_by_shop(request, answer); });
    };
    node.move_for_shop(sale, request->id, id, request->move, std::move(receive));
  };
  send(request, std::move(work));
}

void Crowd::moved(const RequestPtr& request, const LookUp& answer) {
  if (!answer) return not_moved(request, answer.error().code);
  const auto& order = answer->order;
  if (order.id != request->id || order.status != after(request->move)) {
    services_.story.violate("a move was answered with another order, or another status");
  }
  learn(request, order.id, order.status, answer->reason);
  act_later(request->user, Millis{50}, Millis{1500});
}

void Crowd::moved_by_shop(const RequestPtr& request, const Operated<Order>& answer) {
  if (!answer) return not_moved(request, answer.error().code);
  if (answer->id != request->id || answer->status != after(request->move)) {
    services_.story.violate("the shop was answered with another order, or another status");
  }
  learn(request, answer->id, answer->status, answer->reason);
  act_later(request->user, Millis{50}, Millis{1500});
}

void Crowd::not_moved(const RequestPtr& request, Code code) {
  const auto index = request->user;
  const auto& user = users_[index];
  services_.story.note(who(index), problem(code).name.data());
  const auto order = "order " + std::to_string(brief(request->id));
  bool decided = false;
  for (const auto& known : request->known) {
    decided |= known.id == request->id && known.seen != OrderStatus::queued;
  }
  switch (code) {
    case Code::order_final:
      // Whatever it is by now, it is for good: a row that can still move proves the answer wrong.
      if (ledger_.unmovable(request->id, lane_of_user(user), request->move).empty()) {
        services_.story.violate(order + " was called final and is not");
      }
      break;
    case Code::order_undecided:
      if (decided) services_.story.violate(order + " was decided, and then called undecided");
      break;
    case Code::unknown_order:
      if (decided) services_.story.violate(order + " was decided, and then not found");
      break;
    case Code::internal_error:
      services_.story.violate("a move failed: internal_error");
      break;
    default:
      break;
  }
  act_later(index, Millis{50}, Millis{1500});
}

}  // namespace sluice::simulation
