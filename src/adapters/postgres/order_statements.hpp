#pragma once

#include "sluice/orders/order_store.hpp"

#include "adapters/postgres/link.hpp"

// What the order store and the moves ask the server. The columns stand in the order of
// `sql::columns`.
namespace sluice::postgres {

#define SLUICE_ORDER_COLUMNS                                                            \
  "o.order_id, o.sale_id, o.lane::integer, o.user_id, o.quantity, o.status, o.reason, " \
  "o.unit_price_minor, o.currency, o.reserved_at, o.pay_by"

inline constexpr Statement kApply{
    "apply",
    "SELECT status, reason FROM sluice_apply($1::uuid[], $2::bigint[], $3::integer[], "
    "$4::integer[], $5::text[], $6::integer[], $7::timestamptz[], nullif($8::text, ''), "
    "$9::integer, $10::bigint, $11::bigint, $12::timestamptz, $13::bigint[], $14::integer[], "
    "$15::integer[], $16::boolean)"};
/// The same without messages: with fences alone, and with nothing but the offset.
inline constexpr Statement kRaise{kApply.name, kApply.sql, "raise"};
inline constexpr Statement kAdvance{kApply.name, kApply.sql, "progress"};

#define SLUICE_KEYS                                                     \
  "  FROM unnest($1::uuid[], $2::bigint[], $3::text[]) WITH ORDINALITY" \
  "         AS k (order_id, sale_id, user_id, place)"
#define SLUICE_THE_KEY(t) \
  t ".order_id = k.order_id AND " t ".sale_id = k.sale_id AND " t ".user_id = k.user_id"

inline constexpr Statement kFind{
    "find",
    "SELECT k.place, o.order_id, o.sale_id, o.lane::integer, o.user_id, o.quantity,"
    "       o.status::text, o.reason, o.unit_price_minor, o.currency, o.reserved_at,"
    "       o.pay_by" SLUICE_KEYS "  JOIN orders o ON " SLUICE_THE_KEY("o")
    " UNION ALL "
    "SELECT k.place, l.order_id, l.sale_id, l.lane::integer, l.user_id, l.quantity,"
    "       CASE l.reason WHEN 'none' THEN 'queued' ELSE 'rejected' END, l.reason,"
    "       s.unit_price_minor, s.currency, l.reserved_at, NULL" SLUICE_KEYS
    "  JOIN late_orders l ON " SLUICE_THE_KEY("l") " JOIN sales s ON s.sale_id = l.sale_id",
    "look-up"};

inline constexpr Statement kFindLive{
    "find_live",
    "SELECT " SLUICE_ORDER_COLUMNS
    "  FROM (SELECT order_id, sale_id, lane, user_id, quantity, status::text, reason,"
    "               unit_price_minor, currency, reserved_at, pay_by"
    "          FROM orders WHERE sale_id = $1::bigint AND user_id = $2::text"
    "           AND status IN ('confirmed', 'paid')"
    "         UNION ALL"
    "        SELECT order_id, sale_id, lane, user_id, quantity, 'queued', reason,"
    "               unit_price_minor, currency, reserved_at, NULL"
    "          FROM late_orders JOIN sales USING (sale_id)"
    "         WHERE sale_id = $1::bigint AND user_id = $2::text"
    "           AND reason = 'none' AND quantity > 0) o"
    " ORDER BY o.status LIMIT 1",
    "look-up"};

#define SLUICE_HEAD_COLUMNS                                        \
  "k.fence_epoch, k.newest_epoch, k.store_epoch, k.suspect_epoch," \
  " EXISTS (SELECT FROM late_orders l WHERE l.sale_id = k.sale_id AND l.reason = 'none')"
#define SLUICE_THE_LANE "k.sale_id = $1::bigint AND k.lane = $2::integer"

inline constexpr Statement kHead{
    "head", "SELECT " SLUICE_HEAD_COLUMNS " FROM product_stock k WHERE " SLUICE_THE_LANE};

// One statement, hence one snapshot.
inline constexpr Statement kHeads{"heads",
                                  "SELECT k.sale_id, k.lane, " SLUICE_HEAD_COLUMNS
                                  "  FROM product_stock k WHERE k.sale_id = ANY ($1::bigint[])",
                                  nullptr, Step::Weight::bulk};

inline constexpr Statement kNextEpoch{
    "next_epoch",
    "SELECT e FROM sluice_next_epoch($1::bigint, $2::integer, $3::boolean, $4::integer, "
    "$5::bigint) e"};

inline constexpr Statement kBeginOpening{
    "begin_opening",
    "SELECT sluice_begin_opening($1::bigint, $2::integer, $3::integer, $4::bigint)"};

inline constexpr Statement kRaiseFence{
    "raise_fence",
    "UPDATE product_stock k SET fence_epoch ="
    "   CASE WHEN newest_epoch >= $3::integer THEN greatest(fence_epoch, $3::integer)"
    "        ELSE fence_epoch END"
    "  FROM (SELECT sluice_check_leader($5::bigint)) AS checked"
    " WHERE " SLUICE_THE_LANE
    "   AND ($4::integer IS NULL OR fence_epoch = $4::integer) RETURNING fence_epoch"};

inline constexpr Statement kSuspect{"suspect",
                                    "UPDATE product_stock k SET suspect_epoch = fence_epoch"
                                    " WHERE " SLUICE_THE_LANE " RETURNING 1"};

inline constexpr Statement kLane{
    "lane",
    "SELECT k.fence_epoch, k.stock, k.initial - k.stock, s.limit_per_order, s.state, s.starts_at, "
    "s.ends_at, s.revision"
    "  FROM product_stock k JOIN sales s USING (sale_id) WHERE " SLUICE_THE_LANE,
    "image", Step::Weight::bulk};

// All of it will be read, so the plan that ends soonest is the one to take.
inline constexpr Statement kWholeRead{"whole_read", "SET LOCAL cursor_tuple_fraction = 1"};

inline constexpr Statement kLiveOrders{
    "live_orders",
    "DECLARE live_orders NO SCROLL CURSOR FOR"
    " SELECT user_id, order_id, status, quantity FROM orders"
    " WHERE sale_id = $1::bigint AND lane = $2::integer AND status IN ('confirmed', 'paid')"};

inline constexpr Statement kLiveOrdersPage{"live_orders_page", "FETCH 1000 FROM live_orders",
                                           "image_page", Step::Weight::bulk};
static_assert(kImagePageMax == 1000);

// In the order of `orders_live`, which it follows.
inline constexpr Statement kWinnersAfter{
    "winners_after",
    "SELECT user_id FROM orders"
    " WHERE sale_id = $1::bigint AND lane = $2::integer AND user_id > $3::text"
    "   AND status IN ('confirmed', 'paid') ORDER BY user_id LIMIT $4::bigint"};

// One statement, hence one snapshot. A row for each user, or one row without a user. The limit
// keeps the planner from reading the whole sale at once, as it would while it has no statistics.
inline constexpr Statement kStanding{
    "lane_snapshot",
    "SELECT " SLUICE_HEAD_COLUMNS
    ", k.stock, s.state, s.starts_at, s.ends_at, s.revision,"
    "       s.state = 'open' AND now() >= s.starts_at AND now() < s.ends_at, k.returned,"
    "       o.order_id, o.status, o.quantity"
    "  FROM product_stock k JOIN sales s USING (sale_id)"
    "  LEFT JOIN unnest($3::text[]) WITH ORDINALITY AS u (user_id, place) ON true"
    "  LEFT JOIN LATERAL (SELECT order_id, status, quantity FROM orders"
    "                      WHERE sale_id = $1::bigint AND user_id = u.user_id"
    "                        AND status IN ('confirmed', 'paid') LIMIT 1) o ON true"
    " WHERE " SLUICE_THE_LANE " ORDER BY u.place"};
inline constexpr int kStandingOrder = 12;  ///< The first column of the user's order.

inline constexpr Statement kPosition{"position",
                                     "SELECT coalesce(max(next), 0) FROM queue_offsets"
                                     " WHERE topic = $1::text AND partition = $2::integer"};

inline constexpr Statement kProgress{
    "progress",
    "SELECT coalesce(sum(next), 0)::bigint,"
    "       CASE WHEN count(*) = $2::integer THEN min(applied_through) END"
    "  FROM queue_offsets WHERE topic = $1::text AND partition < $2::integer"};

// One statement, hence one snapshot.
inline constexpr Statement kAudit{
    "audit",
    "SELECT k.sale_id, k.lane, " SLUICE_HEAD_COLUMNS
    ", k.initial, k.stock,"
    "       coalesce(l.units, 0), coalesce(l.orders, 0),"
    "       coalesce(r.stock, 0), coalesce(r.duplicate, 0), coalesce(b.units, 0)"
    "  FROM product_stock k"
    "  LEFT JOIN (SELECT lane, sum(quantity)::bigint AS units, count(*) AS orders"
    "               FROM orders WHERE sale_id = $1::bigint AND status IN ('confirmed', 'paid')"
    "              GROUP BY lane) l ON l.lane = k.lane"
    "  LEFT JOIN (SELECT lane, count(*) FILTER (WHERE reason = 'stock') AS stock,"
    "                    count(*) FILTER (WHERE reason = 'duplicate') AS duplicate"
    "               FROM orders WHERE sale_id = $1::bigint AND status = 'rejected'"
    "              GROUP BY lane) r ON r.lane = k.lane"
    "  LEFT JOIN (SELECT lane, sum(quantity)::bigint AS units FROM outbox"
    "              WHERE sale_id = $1::bigint GROUP BY lane) b ON b.lane = k.lane"
    " WHERE k.sale_id = $1::bigint ORDER BY k.lane",
    "audit", Step::Weight::bulk};

inline constexpr Statement kMove{
    "move",
    "SELECT o.place, " SLUICE_ORDER_COLUMNS
    "  FROM sluice_move($1::uuid[], $2::bigint[], $3::integer[], $4::text[], $5::text[]) o"};

inline constexpr Statement kDue{
    "due",
    "SELECT order_id, sale_id, user_id FROM orders"
    " WHERE status = 'confirmed' AND pay_by <= now() ORDER BY pay_by LIMIT $1::bigint"};

inline constexpr Statement kReturning{
    "returning",
    "SELECT DISTINCT sale_id, lane FROM outbox ORDER BY sale_id, lane LIMIT $1::bigint"};

inline constexpr Statement kOutbox{
    "outbox",
    "SELECT order_id, user_id, quantity FROM outbox"
    " WHERE sale_id = $1::bigint AND lane = $2::integer ORDER BY place LIMIT $3::bigint"};

inline constexpr Statement kRelayed{
    "relayed", "SELECT sluice_relayed($1::bigint, $2::integer, $3::integer, $4::uuid[])"};

inline constexpr Statement kNoteLate{
    "note_late",
    "SELECT sluice_note_late($1::uuid[], $2::bigint[], $3::integer[], $4::integer[], $5::text[])"};

inline constexpr Statement kUndecidedLate{
    "undecided_late",
    "SELECT order_id, sale_id, lane::integer, epoch, user_id, quantity, reserved_at, noted_at,"
    "       place FROM late_orders WHERE reason = 'none' AND place > $1::bigint"
    " ORDER BY place LIMIT $2::bigint"};

inline constexpr Statement kRefuseLate{
    "refuse_late",
    "SELECT sluice_refuse_late($1::uuid[], $2::bigint[], $3::integer[], $4::integer[], "
    "$5::text[], $6::bigint)"};

#undef SLUICE_KEYS
#undef SLUICE_THE_KEY
#undef SLUICE_ORDER_COLUMNS
#undef SLUICE_HEAD_COLUMNS
#undef SLUICE_THE_LANE

}  // namespace sluice::postgres
