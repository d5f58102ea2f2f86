#include "braid/serving/event_loop.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "braid/serving/event_loop_impl.h"

namespace braid::serving {

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {
  impl_->thread = std::thread([this] { impl_->context.run(); });
}

EventLoop::~EventLoop() {
  impl_->work.reset();
  impl_->context.stop();
  impl_->thread.join();
}

void EventLoop::Post(std::function<void()> task) {
  boost::asio::post(impl_->context, std::move(task));
}

void EventLoop::PostAfter(Duration delay, std::function<void()> task) {
  auto timer = std::make_shared<boost::asio::steady_timer>(impl_->context);
  timer->expires_after(delay);
  timer->async_wait([timer, task = std::move(task)](const boost::system::error_code& error) {
    if (!error) task();
  });
}

bool EventLoop::OnLoop() const { return impl_->context.get_executor().running_in_this_thread(); }

}  // namespace braid::serving
