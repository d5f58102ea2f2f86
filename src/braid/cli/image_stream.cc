#include "braid/cli/image_stream.h"

#include <algorithm>
#include <utility>

namespace braid::cli {
namespace {

// A stream whose every request is refused at once would spin; it has shown enough by then.
constexpr int kMostFailuresInARow = 200;

}  // namespace

client::InferRequest RequestFor(const data::Dataset& dataset, int first, int images) {
  client::InferRequest request;
  const size_t bytes = dataset.ImageBytes();
  const auto begin =
      dataset.images.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(first) * bytes);
  request.pixels.assign(
      begin, begin + static_cast<std::ptrdiff_t>(static_cast<size_t>(images) * bytes));
  request.images = images;
  request.height = dataset.height;
  request.width = dataset.width;
  request.channels = dataset.channels;
  return request;
}

ImageStream::ImageStream(client::Client* client, const data::Dataset* dataset,
                         StreamOptions options)
    : client_(client), dataset_(dataset), options_(std::move(options)) {
  next_image_ = options_.first_image % dataset_->count;
}

ImageStream::~ImageStream() { Stop(); }

void ImageStream::Start() {
  for (int i = 0; i < options_.in_flight; ++i) SendOne();
}

void ImageStream::Stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  idle_.wait(lock, [this] { return outstanding_ == 0; });
}

size_t ImageStream::answered() const {
  const std::lock_guard lock(mutex_);
  return answers_.size();
}

std::vector<StreamAnswer> ImageStream::Answers(size_t from) const {
  const std::lock_guard lock(mutex_);
  return {answers_.begin() + static_cast<std::ptrdiff_t>(std::min(from, answers_.size())),
          answers_.end()};
}

void ImageStream::SendOne() {
  StreamAnswer answer;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    ++outstanding_;
    answer.first_image = next_image_;
    answer.images = std::min(options_.batch, dataset_->count - next_image_);
    next_image_ = (next_image_ + answer.images) % dataset_->count;
  }
  client::InferRequest request = RequestFor(*dataset_, answer.first_image, answer.images);
  request.deadline = options_.deadline;
  request.operating_point = options_.point;
  answer.sent = std::chrono::steady_clock::now();
  client_->InferAsync(std::move(request),
                      [this, answer = std::move(answer)](Result<client::InferReply> reply) mutable {
                        answer.answered = std::chrono::steady_clock::now();
                        if (reply.ok()) {
                          answer.reply = std::move(reply).value();
                        } else {
                          answer.status = reply.status();
                        }
                        OnAnswer(std::move(answer));
                      });
}

void ImageStream::OnAnswer(StreamAnswer answer) {
  {
    const std::lock_guard lock(mutex_);
    failures_in_a_row_ = answer.status.ok() ? 0 : failures_in_a_row_ + 1;
    if (failures_in_a_row_ >= kMostFailuresInARow) stopping_ = true;
    answers_.push_back(std::move(answer));
  }
  SendOne();
  const std::lock_guard lock(mutex_);
  // Under the lock: Stop's caller may destroy this as soon as it sees nothing in flight.
  if (--outstanding_ == 0) idle_.notify_all();
}

}  // namespace braid::cli
