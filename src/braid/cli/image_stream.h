// A steady stream of a data set's images through a client: so many requests in flight, the next
// one sent when one is answered. Layer: cli.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/client/client.h"
#include "braid/data/dataset.h"

namespace braid::cli {

struct StreamOptions {
  int batch = 8;      // images of one request
  int in_flight = 4;  // requests
  Duration deadline = std::chrono::seconds(1);
  std::string point;  // empty: the group's choice
  int first_image = 0;
};

// What became of one request.
struct StreamAnswer {
  int first_image = 0;
  int images = 0;
  TimePoint sent{};
  TimePoint answered{};
  Status status;
  client::InferReply reply;  // where status is OK
};

// A request for `images` images of `dataset` from number `first` on.
client::InferRequest RequestFor(const data::Dataset& dataset, int first, int images);

class ImageStream {
 public:
  // `client` and `dataset` must outlive this.
  ImageStream(client::Client* client, const data::Dataset* dataset, StreamOptions options);
  // Stops.
  ~ImageStream();

  void Start();
  // Sends nothing more and waits for what is in flight.
  void Stop();

  // Answers so far; all of them after Stop.
  size_t answered() const;
  // The answers from number `from` on.
  std::vector<StreamAnswer> Answers(size_t from = 0) const;

 private:
  void SendOne();
  void OnAnswer(StreamAnswer answer);

  client::Client* const client_;
  const data::Dataset* const dataset_;
  const StreamOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  bool stopping_ = false;
  int outstanding_ = 0;
  int next_image_ = 0;
  int failures_in_a_row_ = 0;
  std::vector<StreamAnswer> answers_;
};

}  // namespace braid::cli
