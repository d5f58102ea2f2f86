#include "braid/cli/chaos/steady_load.h"

#include <algorithm>
#include <utility>

namespace braid::cli {
namespace {

TimePoint Now() { return std::chrono::steady_clock::now(); }

}  // namespace

SteadyLoad::SteadyLoad(client::Client* client, const data::Dataset* dataset,
                       SteadyLoadOptions options, std::function<void(const StreamAnswer&)> take)
    : client_(client), dataset_(dataset), options_(options), take_(std::move(take)) {}

SteadyLoad::~SteadyLoad() { Stop(); }

void SteadyLoad::Start() {
  sender_ = std::thread([this] { Send(); });
}

void SteadyLoad::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (!sender_.joinable()) return;
  sender_.join();
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, 2 * options_.deadline, [this] { return open_ == 0; });
}

void SteadyLoad::Send() {
  const auto distance =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / options_.rate));
  TimePoint next = Now();
  int image = 0;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_until(lock, next, [this] { return stopping_; })) {
    lock.unlock();
    longest_late_ = std::max(longest_late_.load(), Duration(Now() - next));
    SendOne(image);
    image = (image + options_.images) % (dataset_->count - options_.images + 1);
    next += distance;
    lock.lock();
  }
}

void SteadyLoad::SendOne(int first_image) {
  StreamAnswer answer;
  answer.first_image = first_image;
  answer.images = options_.images;
  client::InferRequest request = RequestFor(*dataset_, first_image, options_.images);
  request.deadline = options_.deadline;
  ++sent_;
  ++open_;
  answer.sent = Now();
  client_->InferAsync(std::move(request), [this, answer = std::move(answer)](
                                              Result<client::InferReply> reply) mutable {
    answer.answered = Now();
    if (reply.ok()) {
      answer.reply = std::move(reply).value();
    } else {
      answer.status = reply.status();
    }
    take_(answer);
    const std::lock_guard lock(mutex_);
    if (--open_ == 0) wake_.notify_all();
  });
}

}  // namespace braid::cli
