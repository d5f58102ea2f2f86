// One device of a group: takes requests, runs its part, answers; whatever fails elsewhere, it
// answers with what is left. Layer: cluster. The thread model is docs/cluster.md, "Threads".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/cluster/core/coordinator.h"
#include "braid/cluster/link/transport.h"
#include "braid/control/controller.h"
#include "braid/model/file.h"
#include "braid/runtime/execution.h"

namespace braid::cluster {

// Where plans are executed: a thread of its own, or (simulation) the transport's loop.
class Executor {
 public:
  virtual ~Executor() = default;
  // Runs jobs one at a time in order of arrival. Any thread may call.
  virtual void Run(std::function<void()> job) = 0;
  // Waits until the jobs that were accepted have run; none is accepted afterwards.
  virtual void Stop() = 0;
};
std::unique_ptr<Executor> MakeThreadExecutor();
std::unique_ptr<Executor> MakeLoopExecutor(Transport* transport);

struct DeviceOptions {
  std::string name;                  // unique in the group
  std::string group = "braid";       // group name
  GroupSet share;                    // channel groups whose weights this device carries
  std::string listen;                // "host:port", empty: no peers may dial us
  std::vector<std::string> peers;    // addresses that we dial, again and again while not connected
  uint64_t incarnation = 0;          // random per start
  kernels::Path path = kernels::Path::kScalar;
  int threads = 1;                   // that share each execution; 0: one a usable processor
  Duration ping_interval = std::chrono::milliseconds(20);
  Duration silence_limit = std::chrono::milliseconds(100);   // then a peer is suspected
  Duration exchange_limit = std::chrono::milliseconds(250);  // a map missing for longer: broken link;
                                                             // no result for longer: a stall
  Duration redial_interval = std::chrono::milliseconds(100);
  int credit = 64;                   // requests at a time that each peer may have here
  int max_batch = 64;                // images of one request
  // Work that is expected to take no longer runs on the loop, which is quicker than another thread
  // can be woken; the loop is late for its peers by that much. Zero: all goes to the executor.
  Duration brief_work = std::chrono::microseconds(100);
  CoordinatorOptions coordinator;
  // Gets lines for people: who came, went, was refused and why. Called on the loop; may be empty.
  std::function<void(const std::string& line)> log;
};

struct InferRequest {
  std::vector<uint8_t> pixels;  // [images,H,W,C]
  control::Constraints constraints;
};

struct InferResult {
  int images = 0;
  std::vector<int32_t> logits;      // [images, classes], in the step that all points share
  std::vector<int64_t> classes;     // [images]: index of the largest logit, the first on a tie
  int point = 0;                    // index into Network::points: bit for bit this one's answer
  std::vector<std::string> devices; // names
  int64_t macs = 0;                 // per image
  int failovers = 0;
  Duration elapsed{};
};

class Device {
 public:
  using Done = std::function<void(Result<InferResult>)>;

  // `model`, `transport`, `executor` and `controller` must outlive the device.
  static Result<std::unique_ptr<Device>> Create(const model::ModelFile& model,
                                                const DeviceOptions& options, Transport* transport,
                                                Executor* executor,
                                                control::Controller* controller);
  virtual ~Device() = default;

  // Listens and dials. Returns the address bound ("" without one).
  virtual Result<std::string> Start() = 0;
  // Any thread, without a lock that `done` takes. `done` is called exactly once, on the loop, and may
  // have been before Submit returns, since the calling thread may stand in for it. It must not block.
  virtual void Submit(InferRequest request, Done done) = 0;
  // Runs one image (all zeros) of the best local point through the real path.
  virtual void SelfTest(std::function<void(Status)> done) = 0;
  // Any thread: who is here, for health and reports.
  struct PeerReport {
    std::string name;
    GroupSet share;
    bool usable = false;
    Duration round_trip{};
    int64_t stalls = 0;  // times since the start that it held on to its part and delivered nothing
  };
  virtual void Report(std::function<void(std::vector<PeerReport>)> done) = 0;
  // Any thread: bytes between this device and its peers.
  virtual TransportTraffic Traffic() const { return {}; }
  virtual const model::ModelFile& model() const = 0;
  virtual const DeviceOptions& options() const = 0;
};

}  // namespace braid::cluster
