#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/dependency/dependency.hpp"

#include "adapters/sqlite/engine.hpp"

namespace sluice::sqlite {

/// What the stores of one set share: the way to the database. It belongs to one executor.
class Client {
 public:
  Client(boost::asio::any_io_executor executor, std::shared_ptr<SqliteDatabase> database,
         Dependency& dependency);
  ~Client() { caller_->leave(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Lets this connection's `Part` do `work` where writes are made, after what arrived before it.
  /// The answer comes by `deadline`, however long the disk takes.
  template <class Part, class T, class... Params>
  Task<T> write(std::string_view name, Ticks deadline, Result<T> (Part::*work)(Params...),
                const std::type_identity_t<Params>&... arguments) {
    return call<T>({name}, deadline, database_->writer, Errc::unknown,
                   bind<Part, T>(work, owned(arguments)...));
  }

  /// Lets it do `work`, which only reads much, beside the writes, on what is committed.
  template <class Part, class T, class... Params>
  Task<T> read(std::string_view name, Ticks deadline, Result<T> (Part::*work)(Params...),
               const std::type_identity_t<Params>&... arguments) {
    return call<T>({name, Step::Weight::bulk}, deadline, database_->reader, Errc::unavailable,
                   bind<Part, T>(work, owned(arguments)...));
  }

  /// What a call does on the database's thread. It owns its arguments: the caller may be gone.
  template <class T>
  using Work = std::function<Result<T>(Connection&)>;

  /// The same for work that is no function of statements.
  template <class T>
  Task<T> read(std::string_view name, Ticks deadline, Work<T> work) {
    return call<T>({name, Step::Weight::bulk}, deadline, database_->reader, Errc::unavailable,
                   std::move(work));
  }

  const std::string& path() const { return database_->path; }
  std::shared_ptr<Clock> clock() const { return database_->clock; }

  /// Decides orders together with those of other callers.
  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages);

 private:
  template <class Part, class T, class Function, class... Arguments>
  static Work<T> bind(Function work, Arguments... arguments) {
    return [work, ... kept = std::move(arguments)](Connection& connection) {
      return (connection.prepared<Part>().*work)(kept...);
    };
  }

  template <class T>
  static T owned(const T& argument) {
    return argument;
  }
  template <class T>
  static std::vector<T> owned(const In<T>& arguments) {
    return {arguments.begin(), arguments.end()};
  }

  template <class T>
  using Begin = std::function<void(std::shared_ptr<Call<T>>)>;

  template <class T>
  Task<T> call(Step step, Ticks deadline, ConnectionThread& thread, Errc late, Work<T> work) {
    const Begin<T> begin = [&](std::shared_ptr<Call<T>> call) {
      thread.post([call = std::move(call), deadline, work](Connection& connection) {
        if (!call->begin()) return;
        call->answer(connection.answer(deadline, [&] { return work(connection); }));
      });
    };
    const Dependency::Operation<T> operation = [&] { return wait<T>(deadline, late, begin); };
    co_return co_await dependency_.call(step, deadline, operation);
  }

  /// Begins a call and waits for its answer, until `deadline` at most; `late`: see `Call::take`.
  template <class T>
  Task<T> wait(Ticks deadline, Errc late, const Begin<T>& begin) {
    const auto left = deadline - database_->clock->ticks();
    const auto timer = std::make_shared<boost::asio::steady_timer>(caller_->executor(), left);
    const auto call = std::make_shared<Call<T>>(caller_, timer);
    begin(call);
    co_await timer->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    co_return call->take(late);
  }

  std::shared_ptr<SqliteDatabase> database_;
  Dependency& dependency_;
  std::shared_ptr<Caller> caller_;
};

/// Orders in the columns of `sql::columns`.
inline const std::string kOrderQuery =
    "SELECT order_id, o.sale_id, lane, user_id, quantity, status, reason, unit_price_minor,"
    " currency, reserved_at_ms, pay_by_ms FROM orders AS o JOIN sales USING (sale_id) ";
inline const std::string kOrderByKey =
    kOrderQuery + "WHERE order_id = ?1 AND o.sale_id = ?2 AND user_id = ?3";

/// The implementations behind `create_sqlite_stores`.
std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Client> client);
std::unique_ptr<OrderTransitions> create_order_transitions(std::shared_ptr<Client> client);
std::unique_ptr<LateOrders> create_late_orders(std::shared_ptr<Client> client);
std::unique_ptr<SaleStore> create_sale_store(std::shared_ptr<Client> client);
std::unique_ptr<ControlStore> create_control_store(std::shared_ptr<Client> client);

}  // namespace sluice::sqlite
