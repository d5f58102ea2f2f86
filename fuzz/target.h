// A fuzz target: one entrance that takes bytes from outside, and inputs to begin with. The same
// functions run under libFuzzer (fuzzer.cc) and, over kept inputs, in every build (replay_test.cc).
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace braid::fuzz {

using Bytes = std::vector<uint8_t>;

struct Target {
  std::string_view name;
  // Feeds the entrance. Refusing is fine; a crash, a sanitizer's report, a BRAID_CHECK are
  // findings.
  void (*run)(std::span<const uint8_t> input);
  // Small inputs made by Braid's own writers, which reach deep from the start.
  std::vector<Bytes> (*seeds)();
};

// All of them, in the order of docs/architecture.md.
std::span<const Target> Targets();
const Target* FindTarget(std::string_view name);

// A first byte that says how to read the rest.
inline Bytes Headed(uint8_t head, std::span<const uint8_t> rest) {
  Bytes bytes(1 + rest.size(), head);
  std::copy(rest.begin(), rest.end(), bytes.begin() + 1);
  return bytes;
}
inline Bytes ToBytes(std::string_view text) { return {text.begin(), text.end()}; }
inline std::string_view ToText(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Takes an input apart from the front; gives zeros once it is used up, so that every input is one.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> input) : rest_(input) {}
  bool empty() const { return rest_.empty(); }
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const uint8_t byte = rest_.front();
    rest_ = rest_.subspan(1);
    return byte;
  }
  uint16_t Short() {
    const uint8_t low = Byte();
    return static_cast<uint16_t>(low | Byte() << 8);
  }
  std::span<const uint8_t> Take(size_t count) {
    const auto taken = rest_.first(count < rest_.size() ? count : rest_.size());
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::span<const uint8_t> Rest() { return Take(rest_.size()); }

 private:
  std::span<const uint8_t> rest_;
};

}  // namespace braid::fuzz
