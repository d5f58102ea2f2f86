// Asks a group of devices through the Open Inference Protocol: several endpoints, one answer.
// Layer: client. An endpoint that dies, freezes or drains costs time, not the request, as long as
// another answers within the deadline. No gRPC type is needed to use it. Rules: docs/client.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/client/local_model.h"

namespace braid::client {

enum class Balance {
  kLeastOutstanding,  // the endpoint with the fewest requests of ours in flight; ties in turn
  kRoundRobin,
};

struct ClientOptions {
  std::vector<std::string> endpoints;  // "host:port", at least one
  std::string model;                   // empty: whatever model the endpoint serves
  Balance balance = Balance::kLeastOutstanding;
  Duration deadline = std::chrono::seconds(1);  // of a request that names none
  // No answer for so long (or for four times the usual latency, if that is more): the endpoint is
  // suspected and the request also sent to another one; the first answer wins.
  Duration attempt_timeout = std::chrono::milliseconds(150);
  // Also send a request that takes longer than 95 % of the latest ones to another endpoint.
  bool hedge = false;
  // The budget of hedges and retries: so many for each request, so many a second, and at most
  // `most_outstanding` at once, so that an endpoint may be lost with all that it was working on.
  // Of hedges alone no more than the share and ten. A hedge without budget is left out; a retry
  // waits for it.
  double retry_share = 0.1;
  double retries_per_second = 10;
  // Requests open at one endpoint; what finds all endpoints full is refused at once. Below the 256
  // streams of a connection, beyond which the transport holds calls back where nobody sees them.
  int most_outstanding = 200;
  // The last resort, or null; shared with its other users. It runs as soon as every endpoint is
  // known to be down or has refused, and at the latest `local_reserve` before the deadline (half of
  // it, where that is less).
  std::shared_ptr<LocalModel> local;
  Duration local_reserve = std::chrono::milliseconds(100);
  // Connections are pinged so often, and given up when a ping gets no answer for as long again.
  Duration keepalive = std::chrono::seconds(1);
  // An endpoint that failed is asked for its health after the first, then after twice as long, up
  // to the second.
  Duration first_back_off = std::chrono::milliseconds(50);
  Duration longest_back_off = std::chrono::seconds(1);
};

struct InferRequest {
  std::vector<uint8_t> pixels;  // [images,height,width,channels]
  int images = 1;
  int height = 0, width = 0, channels = 0;
  std::optional<Duration> deadline;  // for the whole request, all attempts; ClientOptions::deadline
  std::string operating_point;       // empty: the group's choice
  std::optional<int64_t> max_macs;
  std::optional<double> max_energy_mj;
  std::optional<double> min_accuracy;  // fraction
  bool strict = false;
};

struct InferReply {
  int images = 0;
  std::vector<int32_t> logits;   // [images, logits.size() / images]
  std::vector<int64_t> classes;  // [images]
  std::string model;
  std::string version;               // of the model
  std::string operating_point;       // the one that answered
  std::vector<std::string> devices;  // that took part
  int64_t macs = 0;                  // for one image
  int exit = 0;
  int failovers = 0;     // attempts that the group gave up
  int attempts = 1;      // that this client sent
  std::string endpoint;  // that answered; "local" for the local model
  bool answered_locally = false;
  Duration elapsed{};  // from the call to the answer, all attempts
};

struct ModelInfo {
  std::string name;
  std::string version;
  std::string platform;
  int height = 0, width = 0, channels = 0;
  int classes = 0;
};

struct EndpointReport {
  std::string address;
  bool up = true;  // as far as is known
  int outstanding = 0;
  int64_t answered = 0;
  int64_t failed = 0;      // attempts
  std::string last_error;  // of an attempt or probe; empty when there was none
};

// Since the client was made.
struct ClientCounts {
  int64_t requests = 0;
  int64_t attempts = 0;  // sent: first ones, retries and hedges
  int64_t retries = 0;
  int64_t hedges = 0;
  int64_t shed = 0;   // found every endpoint full
  int64_t local = 0;  // given to the local model
};

class Client {
 public:
  using Done = std::function<void(Result<InferReply>)>;

  // Connects in the background. INVALID_ARGUMENT without endpoints or with a malformed one.
  static Result<std::unique_ptr<Client>> Create(const ClientOptions& options);
  // Requests in flight are cancelled: their `done` is called with CANCELLED before this returns.
  // Not from inside a `done`.
  virtual ~Client() = default;

  // Any thread. `done` is called exactly once, on a thread of the client's; it must not block.
  // Errors: the device's own (INVALID_ARGUMENT, NOT_FOUND, OUT_OF_RANGE, ...) as they come;
  // UNAVAILABLE when every endpoint failed until the deadline; DEADLINE_EXCEEDED;
  // RESOURCE_EXHAUSTED when all refuse, or at once when too many requests are open.
  virtual void InferAsync(InferRequest request, Done done) = 0;
  // The same, waiting.
  Result<InferReply> Infer(InferRequest request);

  // From the first endpoint that answers.
  virtual Result<ModelInfo> Model(Duration deadline) = 0;
  // Waits until `count` endpoints say SERVING. DEADLINE_EXCEEDED names those that did not.
  virtual Status WaitReady(int count, Duration deadline) = 0;
  virtual std::vector<EndpointReport> Endpoints() const = 0;
  virtual ClientCounts Counts() const = 0;
};

}  // namespace braid::client
