// Log lines without floods: a peer that is refused every 100 ms is worth one line in ten seconds.
// Layer: cluster/device.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "braid/base/clock.h"

namespace braid::cluster {

class LogLimiter {
 public:
  // `sink` may be empty: then nothing is logged.
  explicit LogLimiter(std::function<void(const std::string&)> sink) : sink_(std::move(sink)) {}

  // Logs `line` unless the same `topic` was logged less than kInterval ago; the next line of the
  // topic tells how many were held back.
  void Log(const std::string& topic, const std::string& line, TimePoint now) {
    if (!sink_) return;
    if (topics_.size() >= kMaxTopics && !topics_.contains(topic)) topics_.clear();
    const auto [it, fresh] = topics_.try_emplace(topic);
    Topic& entry = it->second;
    if (!fresh && now - entry.logged < kInterval) {
      ++entry.held_back;
      return;
    }
    const std::string repeats =
        entry.held_back == 0 ? "" : " (and " + std::to_string(entry.held_back) + " times before)";
    entry = {now, 0};
    sink_(line + repeats);
  }

 private:
  static constexpr Duration kInterval = std::chrono::seconds(10);
  // Topics carry names that strangers choose; their number must not grow with the strangers.
  static constexpr size_t kMaxTopics = 256;
  struct Topic {
    TimePoint logged{};
    int held_back = 0;
  };
  std::function<void(const std::string&)> sink_;
  std::map<std::string, Topic> topics_;
};

}  // namespace braid::cluster
