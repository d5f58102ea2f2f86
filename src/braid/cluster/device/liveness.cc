#include "braid/cluster/device/liveness.h"

namespace braid::cluster {
namespace {

// A ping may wait behind bulk data on a slow link, which silence (of all frames) may not: a peer
// that is heard gets this many silence limits to answer.
constexpr int kAnswerLimitFactor = 3;
constexpr size_t kMaxOpenPings = 64;

}  // namespace

bool Liveness::OnHeard(TimePoint now) {
  heard_ = now;
  const bool was = suspected();
  silent_ = false;
  return was && !suspected();
}

Liveness::PongResult Liveness::OnPong(uint64_t echo, TimePoint now) {
  PongResult result;
  for (size_t i = 0; i < open_pings_.size(); ++i) {
    if (open_pings_[i].echo != echo) continue;
    result.sent = open_pings_[i].sent;
    const Duration sample = now - result.sent;
    // The link is in order: older pings were lost with their answers or are answered too.
    open_pings_.erase(open_pings_.begin(), open_pings_.begin() + static_cast<ptrdiff_t>(i) + 1);
    round_trip_ = round_trip_ == Duration{} ? sample : (round_trip_ * 7 + sample) / 8;
    result.expected = true;
    break;
  }
  result.round_trip = round_trip_;
  if (!result.expected) return result;
  const bool was = suspected();
  silent_ = deaf_ = false;
  result.recovered = was;
  return result;
}

Liveness::Due Liveness::Tick(TimePoint now) {
  Due due;
  const bool was = suspected();
  if (now - heard_ > limits_.silence_limit) silent_ = true;
  // Who stood still answers no ping; only of who is heard does that say that ours do not arrive.
  if (!silent_ && !open_pings_.empty() &&
      now - open_pings_.front().sent > kAnswerLimitFactor * limits_.silence_limit) {
    deaf_ = true;
  }
  due.suspect = !was && suspected();
  // A busy line needs no ping to show that it lives, but load and round trip travel with pongs.
  const bool quiet = now - heard_ >= limits_.ping_interval;
  const Duration since_ping = now - pinged_;
  if ((quiet && since_ping >= limits_.ping_interval) || since_ping >= limits_.silence_limit) {
    due.ping = next_echo_++;
    pinged_ = now;
    if (open_pings_.size() == kMaxOpenPings) open_pings_.erase(open_pings_.begin() + 1);
    open_pings_.push_back({*due.ping, now});
  }
  return due;
}

void Liveness::Forgive(TimePoint now) {
  heard_ = now;
  open_pings_.clear();  // their answers would tell a wrong round trip
}

}  // namespace braid::cluster
