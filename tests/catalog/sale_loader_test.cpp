#include "sluice/catalog/sale_loader.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_store.hpp"
#include "support/store_values.hpp"

namespace sluice {
namespace {

class SaleLoaderTest : public testing::Test {
 protected:
  std::string refresh() { return test::error_of(loop_.finish(loader_.refresh())); }

  void add(SaleId first, SaleId last, SaleState state, bool finished = false) {
    for (auto id = first; id <= last; ++id) {
      Sale sale;
      sale.id = id;
      sale.terms = test::draft_of(1);
      sale.state = state;
      sale.finished = finished;
      store_.sales[id] = sale;
    }
  }

  std::vector<SaleId> known() const {
    std::vector<SaleId> ids;
    for (const auto& [id, sale] : loader_.sales()) ids.push_back(id);
    return ids;
  }

  /// How many calls the store has had.
  std::size_t calls() const { return store_.on_list.calls() + store_.on_changed.calls(); }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeSaleStore store_;
  Metrics metrics_;
  SaleBook book_{std::make_shared<SaleSnapshot>()};
  SaleLoaderSettings settings_{5, 2, Millis{1000}};
  SaleLoader loader_{settings_, store_, book_, clock_, metrics_};
};

TEST_F(SaleLoaderTest, NoNumberOfDraftsOrFinishedSalesHidesAnother) {
  add(1, 1, SaleState::open);
  add(2, 2, SaleState::closed);
  add(3, 2000, SaleState::draft);
  add(2001, 4000, SaleState::closed, true);
  EXPECT_EQ(refresh(), "ok");
  EXPECT_EQ(known(), (std::vector<SaleId>{4000, 3999, 2, 1}));
  EXPECT_FALSE(loader_.full());
  EXPECT_TRUE(book_.get()->loaded);
  EXPECT_NE(book_.get()->find(1), nullptr);
}

TEST_F(SaleLoaderTest, WithoutAChangeOneNumberIsReadAndTheSnapshotStays) {
  add(1, 3, SaleState::open);
  refresh();
  const auto before = calls();
  const auto snapshot = book_.get();
  for (int i = 0; i < 10; ++i) refresh();
  EXPECT_EQ(calls(), before + 10);
  EXPECT_EQ(book_.get(), snapshot);
}

TEST_F(SaleLoaderTest, OnlyWhatChangedIsRead) {
  add(1, 3, SaleState::open);
  refresh();
  store_.sales[2].state = SaleState::paused;
  add(4, 4, SaleState::open);
  add(5, 5, SaleState::draft);
  const auto before = calls();
  EXPECT_EQ(refresh(), "ok");
  EXPECT_EQ(calls(), before + 2);
  EXPECT_EQ(known(), (std::vector<SaleId>{4, 3, 2, 1}));
  EXPECT_EQ(book_.get()->find(2)->state, SaleState::paused);
  const auto again = calls();
  refresh();
  EXPECT_EQ(calls(), again + 1) << "a draft is read once at most";
}

TEST_F(SaleLoaderTest, OfTheFinishedTheNewestStay) {
  add(1, 4, SaleState::closed);
  refresh();
  for (SaleId id = 1; id <= 3; ++id) store_.sales[id].finished = true;
  refresh();
  EXPECT_EQ(known(), (std::vector<SaleId>{4, 3, 2}));
}

TEST_F(SaleLoaderTest, WhenTooManyAreUnfinishedItSaysSoUntilThereIsRoom) {
  add(1, 5, SaleState::open);
  refresh();
  EXPECT_FALSE(loader_.full());
  add(6, 7, SaleState::open);
  refresh();
  EXPECT_TRUE(loader_.full());
  EXPECT_EQ(known().size(), 5U);
  EXPECT_NE(metrics_.text().find("sluice_sales_full 1"), std::string::npos);
  for (SaleId id = 1; id <= 2; ++id) {
    store_.sales[id].state = SaleState::closed;
    store_.sales[id].finished = true;
  }
  refresh();
  refresh();
  EXPECT_FALSE(loader_.full());
  EXPECT_EQ(known(), (std::vector<SaleId>{7, 6, 5, 4, 3, 2, 1}));
  EXPECT_NE(metrics_.text().find("sluice_sales_full 0"), std::string::npos);
}

TEST_F(SaleLoaderTest, ANodeThatStartsWithTooManySaysSo) {
  add(1, 7, SaleState::open);
  refresh();
  EXPECT_TRUE(loader_.full());
  EXPECT_EQ(known().size(), 5U);
}

TEST_F(SaleLoaderTest, AStoreThatFailsChangesNothing) {
  add(1, 1, SaleState::open);
  refresh();
  add(2, 2, SaleState::open);
  store_.on_changed.fail(Errc::unavailable);
  EXPECT_NE(refresh(), "ok");
  EXPECT_EQ(known(), std::vector<SaleId>{1});
  EXPECT_EQ(refresh(), "ok");
  EXPECT_EQ(known(), (std::vector<SaleId>{2, 1}));
}

TEST_F(SaleLoaderTest, AnOlderCopyOfTheDatabaseIsReadAnew) {
  add(1, 3, SaleState::open);
  refresh();
  store_.sales.erase(3);
  EXPECT_EQ(refresh(), "ok");
  EXPECT_EQ(known(), (std::vector<SaleId>{2, 1}));
}

}  // namespace
}  // namespace sluice
