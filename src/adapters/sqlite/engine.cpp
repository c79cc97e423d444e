#include "adapters/sqlite/engine.hpp"

#include <algorithm>
#include <iterator>
#include <pthread.h>
#include <utility>

#include "sluice/orders/order_store.hpp"

#include "adapters/sqlite/apply.hpp"

namespace sluice {
namespace sqlite {

ConnectionThread::ConnectionThread(std::string name, std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)) {
  boost::asio::post(
      thread_, [name = std::move(name)] { ::pthread_setname_np(::pthread_self(), name.c_str()); });
}

void GroupCommit::add(Batch batch) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(batch));
}

std::vector<Batch> GroupCommit::take() {
  const std::lock_guard lock(mutex_);
  std::vector<Batch> taken;
  std::size_t messages = 0;
  while (!waiting_.empty()) {
    messages += waiting_.front().messages.size();
    if (!taken.empty() && messages > kMessagesMax) break;
    taken.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return taken;
}

void GroupCommit::commit(Connection& connection) {
  auto batches = take();
  std::erase_if(batches, [](const Batch& batch) { return !batch.call->begin(); });
  if (batches.empty()) return;

  std::vector<OrderMessage> joined;
  Ticks deadline{};
  for (auto& batch : batches) {
    std::ranges::move(batch.messages, std::back_inserter(joined));
    deadline = std::max(deadline, batch.deadline);
  }
  const auto outcomes = connection.answer(
      deadline, [&] { return connection.prepared<Apply>().run(joined, std::nullopt); });
  auto next = outcomes ? outcomes->begin() : Outcomes::const_iterator();
  for (auto& batch : batches) {
    if (outcomes) {
      const auto first = std::exchange(next, next + std::ssize(batch.messages));
      batch.call->answer(Outcomes(first, next));
    } else {
      batch.call->answer(outcomes.error());
    }
  }
}

}  // namespace sqlite

SqliteDatabase::SqliteDatabase(const SqliteSettings& settings, std::shared_ptr<Clock> its_clock)
    : clock(std::move(its_clock)),
      path(sqlite::usable_path(settings)),
      lock(path, settings.lock_wait),
      writer("sqlite", sqlite::open_writer(path, settings, clock)),
      reader("sqlite-reader", sqlite::open_reader(path, clock)) {
  sqlite3_wal_hook(writer.connection().raw(), &SqliteDatabase::committed, this);
}

SqliteDatabase::~SqliteDatabase() {
  // What still runs may post to the other: nobody does when both have ended.
  writer.end();
  reader.end();
}

int SqliteDatabase::committed(void* self, sqlite3*, const char*, int log_pages) {
  // In pages of 4 KiB.
  constexpr int kLogPagesMax = 1'024;
  if (log_pages >= kLogPagesMax) static_cast<SqliteDatabase*>(self)->write_back();
  return SQLITE_OK;
}

/// The reader writes back what is there while orders come, then the writer the little that came
/// meanwhile, after which the log begins anew.
void SqliteDatabase::write_back() {
  if (std::exchange(writing_back_, true)) return;
  reader.post([this](sqlite::Connection& beside) {
    beside.checkpoint();
    writer.post([this](sqlite::Connection& connection) {
      connection.checkpoint();
      writing_back_ = false;
    });
  });
}

std::shared_ptr<SqliteDatabase> open_sqlite(const SqliteSettings& settings,
                                            std::shared_ptr<Clock> clock) {
  return std::make_shared<SqliteDatabase>(settings, std::move(clock));
}

}  // namespace sluice
