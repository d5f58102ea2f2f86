// Prometheus's text format, version 0.0.4. Layer: serving. Pure.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace braid::serving {

// Writes families one after the other. Our own few lines rather than prometheus-cpp: the counts are
// kept where they arise (Statistics) and only need to be written down, which is four rules; the
// library would keep a second registry and bring a web server and libcurl into the device.
class MetricsText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // Begins a family. `type`: counter, gauge or histogram.
  void Family(std::string_view name, std::string_view type, std::string_view help);
  // A sample of the family; `suffix`: "_bucket" and the like.
  void Sample(Labels labels, double value, std::string_view suffix = "");
  void Sample(Labels labels, uint64_t value, std::string_view suffix = "");

  std::string Take() { return std::move(text_); }

 private:
  void Begin(Labels labels, std::string_view suffix);
  std::string name_;
  std::string text_;
};

}  // namespace braid::serving
