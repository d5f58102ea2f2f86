// A peer that has the key and means harm: an input is a script of what it sends to a simulated
// device and when, with requests of honest clients in between. Whatever it does, each of those is
// answered or refused once, by its deadline; and once the peer is gone all is as it was. A request
// that it takes part in it can delay or answer wrongly (docs/security.md).
#include <memory>
#include <optional>
#include <string>

#include "braid/base/check.h"
#include "braid/cluster/device/handshake.h"
#include "braid/cluster/device/logit_bounds.h"
#include "braid/cluster/sim/group.h"
#include "braid/cluster/sim/stranger.h"
#include "braid/runtime/testing/random_network.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

using namespace cluster;
using std::chrono::microseconds;
using std::chrono::seconds;

enum Step : uint8_t {
  kWait,
  kHello,
  kStart,
  kMap,
  kLogits,
  kFailed,
  kOther,
  kRequest,
  kRedial,
  kSteps
};
constexpr int kMaxSteps = 24;
constexpr uint64_t kLife = 77;

class Script {
 public:
  explicit Script(std::span<const uint8_t> input) : reader_(input) {}

  void Run() {
    Dial();
    for (int step = 0; step < kMaxSteps && !reader_.empty(); ++step) Take(reader_.Byte() % kSteps);
    EndRequests();
    stranger_.reset();
    for (const std::string& complaint : group_.judge().complaints()) {
      BRAID_CHECK(complaint.find("logits are not those of") != std::string::npos ||
                  complaint.find("failed: DEADLINE_EXCEEDED") != std::string::npos)
          << complaint;
    }
    const size_t complaints = group_.judge().complaints().size();
    group_.Submit(0, std::nullopt, 1, seconds(1));
    EndRequests();
    BRAID_CHECK(group_.judge().complaints().size() == complaints)
        << group_.judge().complaints().back();
  }

 private:
  static const model::ModelFile& Model() {
    static const model::ModelFile model = sim::BraidedModel(11);
    return model;
  }
  static sim::Oracle* Answers() {
    static sim::Oracle oracle(Model().network);
    return &oracle;
  }
  static sim::GroupOptions OneDevice() {
    sim::GroupOptions options;
    options.shares = {GroupSet(0b0011)};
    options.device.credit = 2;
    return options;
  }

  // No request is older than its deadline, a second.
  void EndRequests() {
    for (int i = 0; i < 25 && group_.judge().open() > 0; ++i) {
      group_.RunFor(std::chrono::milliseconds(50));
    }
    BRAID_CHECK(group_.judge().open() == 0);
  }

  void Dial() {
    stranger_.reset();
    group_.RunFor(std::chrono::milliseconds(5));
    stranger_ = std::make_unique<sim::Stranger>(&group_.network(), "x");
    group_.RunFor(std::chrono::milliseconds(5));
  }
  void Say(Frame frame) {
    if (stranger_->open) stranger_->Say(std::move(frame));
  }

  // A frame about an attempt: of its own request, or of one that the device asked it for.
  Frame Of(FrameKind kind) {
    Frame frame;
    frame.kind = kind;
    const uint8_t which = reader_.Byte();
    const Frame* asked = stranger_->Heard(FrameKind::kStart);
    if (asked != nullptr && which < 0x80) {
      frame.key = asked->key;
    } else {
      frame.key = {.requester = static_cast<uint64_t>(DeviceIdOf("x")),
                   .incarnation = kLife,
                   .request = which & 7u};
    }
    if (which == 0xff) frame.key.incarnation -= reader_.Byte();
    return frame;
  }
  // The payload, or what the script puts in its place: a byte says how much of it changes.
  std::vector<uint8_t> Changed(std::vector<uint8_t> payload) {
    for (uint8_t changes = reader_.Byte() % 4; changes > 0 && !payload.empty(); --changes) {
      const size_t at = reader_.Short() % payload.size();
      payload[at] = reader_.Byte();
    }
    return payload;
  }

  void Take(uint8_t step) {
    switch (static_cast<Step>(step)) {
      case kWait:
        group_.RunFor(microseconds(50) * reader_.Byte() * (1 + reader_.Byte() % 16));
        break;
      case kHello: {
        Hello hello{.group = "braid",
                    .device = "x",
                    .model_digest = Model().digest,
                    .incarnation = kLife,
                    .share = GroupSet(reader_.Byte() & 0x0fu),
                    .credit = reader_.Byte()};
        if (hello.share.empty()) hello.share = GroupSet(0b1100);
        Frame frame;
        frame.kind = FrameKind::kHello;
        frame.payload = Changed(EncodeHello(hello));
        Say(std::move(frame));
        break;
      }
      case kStart:
        SayStart();
        break;
      case kMap: {
        Frame frame = Of(FrameKind::kMap);
        frame.layer = static_cast<uint16_t>(reader_.Byte() % (network_.layers.size() + 1));
        frame.group = reader_.Byte() % 5;
        frame.term = reader_.Byte() % 4;
        size_t bytes = reader_.Byte();
        if (frame.group < 4 && frame.layer < network_.layers.size() && bytes < 0xf0) {
          const model::Layer& layer = network_.layers[frame.layer];
          if (frame.group < layer.group_channels.size()) {
            bytes = static_cast<size_t>(layer.out_h * layer.out_w) *
                    static_cast<size_t>(layer.group_channels[frame.group]);
          }
        }
        frame.payload.assign(bytes, reader_.Byte());
        Say(std::move(frame));
        break;
      }
      case kLogits: {
        Frame frame = Of(FrameKind::kLogits);
        frame.term = reader_.Byte() % 4;
        const size_t classes = network_.labels.size() + reader_.Byte() / 0xfe;
        frame.payload.assign(4 * classes, reader_.Byte());
        Say(std::move(frame));
        break;
      }
      case kFailed: {
        Frame frame = Of(FrameKind::kFailed);
        frame.payload = Changed(EncodeFailed(
            {.failure = static_cast<uint8_t>(reader_.Byte() % 8),
             .culprit = static_cast<uint64_t>(DeviceIdOf(reader_.Byte() % 2 == 0 ? "d0" : "x")),
             .reason = "it was them"}));
        Say(std::move(frame));
        break;
      }
      case kOther: {
        const uint8_t kind = reader_.Byte() % 4;
        Frame frame = Of(kind == 0   ? FrameKind::kAbort
                         : kind == 1 ? FrameKind::kPing
                         : kind == 2 ? FrameKind::kPong
                                     : FrameKind::kBye);
        if (kind == 1) frame.payload.assign(8, reader_.Byte());
        if (kind == 2) {
          frame.payload = Changed(EncodePong(
              {.echo = reader_.Byte(), .requests_queued = reader_.Byte(), .macs_per_second = 1}));
        }
        Say(std::move(frame));
        break;
      }
      case kRequest: {
        const int images = 1 + reader_.Byte() % 3;
        const uint8_t point = reader_.Byte();
        const auto pinned =
            point < network_.points.size() ? std::optional<int>(point) : std::nullopt;
        group_.Submit(0, pinned, images, seconds(1));
        group_.RunFor(std::chrono::milliseconds(2));
        break;
      }
      case kRedial:
        Dial();
        break;
      case kSteps:
        break;
    }
  }

  void SayStart() {
    const auto device = DeviceIdOf("d0"), self = DeviceIdOf("x");
    Start start{.point = static_cast<uint32_t>(model::FindPoint(network_, "g0-3")),
                .images = 1,
                .remaining_us = 1000u * reader_.Byte(),
                .placement = {{device, 0, GroupSet(0b0011)}, {self, 0, GroupSet(0b1100)}},
                .pixels = runtime::testing::RandomPixels(1, network_, 1)};
    const uint8_t change = reader_.Byte();
    if ((change & 1) != 0) start.point = reader_.Byte();
    if ((change & 2) != 0) start.images = reader_.Byte();
    if ((change & 4) != 0) {
      start.placement.clear();
      for (int n = reader_.Byte() % 6; n > 0; --n) {
        const uint8_t who = reader_.Byte();
        start.placement.push_back({who < 100   ? device
                                   : who < 200 ? self
                                               : DeviceIdOf("nobody"),
                                   who % 4, GroupSet(reader_.Byte() & 0x0fu)});
      }
    }
    Frame frame = Of(FrameKind::kStart);
    frame.payload = EncodeStart(start);
    if ((change & 8) != 0) frame.payload = Changed(std::move(frame.payload));
    Say(std::move(frame));
  }

  const model::Network& network_ = Model().network;
  Reader reader_;
  sim::Group group_{Model(), Answers(), OneDevice()};
  std::unique_ptr<sim::Stranger> stranger_;
};

void Run(std::span<const uint8_t> input) { Script(input).Run(); }

std::vector<Bytes> Seeds() {
  const Bytes hello = {kHello, 0b1100, 8, 0};
  const auto after = [&hello](std::initializer_list<uint8_t> rest) {
    Bytes script = hello;
    script.insert(script.end(), rest);
    return script;
  };
  return {{kRequest, 0, 0xff},
          // Asked to take part, it is silent; or sends logits; or reports a failure.
          after({kWait, 20, 0, kRequest, 0, 0xff, kWait, 0xff, 15}),
          after({kWait, 20, 0, kRequest, 0, 0xff, kLogits, 0, 1, 0, 0}),
          after({kWait, 20, 0, kRequest, 0, 0xff, kFailed, 0, 0, 1, 0}),
          // Asks itself, and sends a map.
          after({kStart, 0x81, 0xff, 0, kMap, 0x81, 1, 2, 0, 0, 1, kWait, 0xff, 8}),
          after({kStart, 0x81, 0xff, 0, kOther, 0x00, 0x81, kRedial, kHello, 0b1100, 8, 0, kRequest,
                 1, 0xff})};
}

}  // namespace

const Target kPeer = {"peer", Run, Seeds};

}  // namespace braid::fuzz
