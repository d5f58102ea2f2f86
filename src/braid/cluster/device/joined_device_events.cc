// What reaches the device: connections, frames of attempts, ends of sessions.
#include <algorithm>

#include "braid/cluster/device/joined_device.h"
#include "braid/cluster/device/start_check.h"

namespace braid::cluster {
namespace {

// Participants drop an attempt at its deadline; no honest deadline is this far away.
constexpr uint64_t kMaxRemainingUs = 3'600'000'000ull;

}  // namespace

void JoinedDevice::OnConnected(ConnectionId connection, bool dialed, const std::string& address) {
  membership_.OnConnected(connection, dialed, address);
}

void JoinedDevice::OnClosed(ConnectionId connection, const Status& reason) {
  membership_.OnClosed(connection, reason);
}

void JoinedDevice::OnDialFailed(const std::string& address, const Status& reason) {
  membership_.OnDialFailed(address, reason);
}

void JoinedDevice::OnRefused(const std::string& address, const Status& reason) {
  membership_.OnRefused(address, reason);
}

void JoinedDevice::OnFrame(ConnectionId connection, Frame frame) {
  const auto from = membership_.OnFrame(connection, frame);
  if (!from) return;
  const Status status = OnAttemptFrame(*from, connection, std::move(frame));
  if (!status.ok()) membership_.Shun(connection, status.message());
}

Status JoinedDevice::OnAttemptFrame(DeviceId from, ConnectionId connection, Frame frame) {
  switch (frame.kind) {
    case FrameKind::kStart:
      return OnStart(from, frame);
    case FrameKind::kMap:
      if (frame.decision_digest != 0) {  // no point of wire version 1 takes decisions
        SendFailed(DeviceId{frame.key.requester}, frame.key, AttemptFailure::kMismatch, from,
                   frame.layer, "decisions differ");
        return OkStatus();
      }
      return sessions_.Deliver(from, connection, std::move(frame), transport_->clock().Now());
    case FrameKind::kLogits:
      return requester_.OnLogits(from, frame);
    case FrameKind::kFailed:
      return requester_.OnFailed(from, frame);
    case FrameKind::kAbort:
      if (frame.key.requester != static_cast<uint64_t>(from)) {
        return InvalidArgument("abort: of another requester");
      }
      sessions_.Close(frame.key);
      return OkStatus();
    case FrameKind::kHello:
    case FrameKind::kPing:
    case FrameKind::kPong:
    case FrameKind::kBye:
      break;  // membership took them
  }
  return InvalidArgument("unknown kind of frame");
}

Status JoinedDevice::OnStart(DeviceId from, const Frame& frame) {
  const Membership::Peer* peer = membership_.FindUp(from);
  if (frame.key.requester != static_cast<uint64_t>(from) || peer == nullptr ||
      frame.key.incarnation != peer->info.incarnation) {
    return InvalidArgument("start: of another requester");
  }
  if (sessions_.IsOver(frame.key)) return OkStatus();  // its abort came first
  if (sessions_.Has(frame.key)) return InvalidArgument("start: sent twice");
  BRAID_ASSIGN_OR_RETURN(cluster::Start start, DecodeStart(frame.payload));
  BRAID_RETURN_IF_ERROR(CheckStart(model_.network, start, self_, options_.share));
  const auto refuse = [&](const std::string& reason) {
    sessions_.Close(frame.key);
    SendFailed(from, frame.key, AttemptFailure::kPeerRefused, self_, 0, reason);
    return OkStatus();
  };
  if (start.images > static_cast<uint32_t>(options_.max_batch)) return refuse("too many images");
  if (sessions_.CountOf(from) >= options_.credit) return refuse("no credit");
  DeviceId absent{};
  const Duration remaining =
      std::chrono::microseconds(std::min(start.remaining_us, kMaxRemainingUs));
  const Status opened = sessions_.Open(
      {.key = frame.key,
       .requester = from,
       .point = static_cast<int>(start.point),
       .images = static_cast<int>(start.images),
       .placement = std::move(start.placement),
       .deadline = transport_->clock().Now() + remaining,
       .pixels = std::make_shared<const std::vector<uint8_t>>(std::move(start.pixels))},
      membership_, &absent);
  if (!opened.ok()) {
    sessions_.Close(frame.key);
    SendFailed(from, frame.key, AttemptFailure::kBrokenLink, absent, 0, opened.message());
  }
  return OkStatus();
}

void JoinedDevice::SendFailed(DeviceId requester, const AttemptKey& key, AttemptFailure failure,
                              DeviceId culprit, model::LayerIndex layer,
                              const std::string& reason) {
  const Membership::Peer* peer = membership_.FindUp(requester);
  if (peer == nullptr) return;
  Frame frame;
  frame.kind = FrameKind::kFailed;
  frame.key = key;
  frame.layer = static_cast<uint16_t>(layer);
  frame.payload = EncodeFailed({.failure = static_cast<uint8_t>(failure),
                                .culprit = static_cast<uint64_t>(culprit),
                                .reason = reason});
  transport_->Send(peer->connection, std::move(frame));
}

void JoinedDevice::PeerUp(const PeerInfo& peer) { requester_.PeerUp(peer); }

void JoinedDevice::PeerDown(DeviceId peer) {
  sessions_.DropDevice(peer);
  requester_.PeerDown(peer);
}

void JoinedDevice::PeerSilent(DeviceId peer) { requester_.PeerSilent(peer); }
void JoinedDevice::PeerHeard(DeviceId peer) { requester_.PeerHeard(peer); }

void JoinedDevice::PeerMeasured(DeviceId peer, Duration round_trip, TimePoint pinged,
                                const Pong& pong) {
  requester_.PeerMeasured(peer, round_trip, pinged, pong);
}

Pong JoinedDevice::OwnLoad() {
  Pong pong;
  pong.requests_queued = static_cast<uint32_t>(sessions_.open_sessions());
  pong.macs_per_second = static_cast<uint64_t>(macs_per_second_);
  return pong;
}

void JoinedDevice::SessionDone(const AttemptKey& key, int term, std::vector<int32_t> sums,
                               int64_t macs, Duration busy) {
  sessions_.SessionEnded(key, term);
  if (busy > Duration{} && macs > 0) {
    const double sample = static_cast<double>(macs) / std::chrono::duration<double>(busy).count();
    // An eighth of each sample: load changes over tens of requests, not from one to the next.
    macs_per_second_ =
        macs_per_second_ == 0 ? sample : macs_per_second_ + (sample - macs_per_second_) / 8;
    sessions_.SelfMeasured(macs_per_second_);
  }
  if (key.requester == static_cast<uint64_t>(self_)) requester_.OwnPartDone(key, term, sums);
}

void JoinedDevice::SessionFailed(const AttemptKey& key, int term, const Status& reason) {
  sessions_.SessionEnded(key, term);
  if (key.requester == static_cast<uint64_t>(self_)) {
    requester_.OwnPartFailed(key, reason);
    return;
  }
  SendFailed(DeviceId{key.requester}, key, AttemptFailure::kPeerRefused, self_, 0,
             reason.message());
}

void JoinedDevice::MapRefused(const AttemptKey& key, const ReceivedMap& map, const Status& reason) {
  membership_.Shun(map.connection, reason.message());
  ReportMissing({key, map.from, map.layer}, reason.message());
}

void JoinedDevice::ReportMissing(const MissingMap& missing, const std::string& reason) {
  const DeviceId requester{missing.key.requester};
  if (requester == self_) {
    requester_.OwnPartMissesMap(missing);
  } else {
    SendFailed(requester, missing.key, AttemptFailure::kBrokenLink, missing.culprit, missing.layer,
               reason);
  }
}

}  // namespace braid::cluster
