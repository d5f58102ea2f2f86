#include "braid/serving/metrics_text.h"

#include <array>
#include <charconv>
#include <cmath>

namespace braid::serving {

void MetricsText::Family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += "# HELP " + name_ + " ";
  text_ += help;
  text_ += "\n# TYPE " + name_ + " ";
  text_ += type;
  text_ += '\n';
}

void MetricsText::Begin(Labels labels, std::string_view suffix) {
  text_ += name_;
  text_ += suffix;
  char separator = '{';
  for (const auto& [name, value] : labels) {
    text_ += std::exchange(separator, ',');
    text_ += name;
    text_ += "=\"";
    for (const char c : value) {
      if (c == '\\' || c == '"') text_ += '\\';
      if (c == '\n') {
        text_ += "\\n";
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }
  if (separator == ',') text_ += '}';
  text_ += ' ';
}

void MetricsText::Sample(Labels labels, double value, std::string_view suffix) {
  Begin(labels, suffix);
  if (std::isinf(value)) {
    text_ += value > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 40> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    text_.append(digits.data(), end);
  }
  text_ += '\n';
}

void MetricsText::Sample(Labels labels, uint64_t value, std::string_view suffix) {
  Begin(labels, suffix);
  text_ += std::to_string(value);
  text_ += '\n';
}

}  // namespace braid::serving
