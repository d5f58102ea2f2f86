// What EventLoop hides: Boost.Asio's context and its thread. Layer: serving, for its own sources.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

#include "braid/serving/event_loop.h"

namespace braid::serving {

struct EventLoop::Impl {
  boost::asio::io_context context{1};  // one thread: the library can leave out what others need
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
      context.get_executor()};
  std::thread thread;
};

}  // namespace braid::serving
