#pragma once

#include "sluice/base/time.hpp"
#include "sluice/dependency/call_meter.hpp"

namespace sluice {

struct AimdSettings {
  double start_per_s = 500;       ///< `floor_per_s` … `ceiling_per_s`.
  double floor_per_s = 20;        ///< Never lower; 0.1 or more.
  double ceiling_per_s = 20'000;  ///< Never higher; `floor_per_s` … 10^9.
  Millis target{250};             ///< The mean latency of a call to aim below; 1 ms … 1 min.
  double decrease = 0.7;          ///< The factor of a decrease; 0.1 … 0.95.
  double increase_per_s = 25;     ///< Added each second, in orders per second; 1 … 10,000.
};

/// The rate that a store sustains, found by trying: additive increase, multiplicative decrease
/// (D.-M. Chiu and R. Jain, "Analysis of the Increase and Decrease Algorithms for Congestion
/// Avoidance in Computer Networks", Computer Networks and ISDN Systems 17, 1989: of the linear
/// rules, those converge to efficiency and fairness from wherever they start). So several nodes on
/// one store come to share it evenly. Past about `increase_per_s` × 40 it settles within a tenth of
/// what the store sustains; slower stores see wider swings.
///
/// It falls while the latency is above the target or calls fail, by `decrease`, but not below 9/10
/// of what the store was seen to take: a queue that only has to drain costs no more than that. It
/// rises while the limit is what holds the orders back: by half each second up to the threshold,
/// which is where the last congestion that still let orders pass left it, then additively. Twice
/// the threshold without congestion shows that the store has changed: the threshold is forgotten.
/// One thread.
class AimdLimit {
 public:
  explicit AimdLimit(AimdSettings settings);

  /// What happened in `interval`, and whether the limit held orders back meanwhile; call it about
  /// once a second. Returns the rate for the next interval, in orders per second.
  double feed(const CallSample& sample, Millis interval, bool binding);

  double per_s() const noexcept { return rate_; }

 private:
  void decrease(const CallSample& sample, double seconds);
  void increase(double seconds);

  AimdSettings settings_;
  double rate_;
  double threshold_ = 0;  ///< 0: none.
};

}  // namespace sluice
