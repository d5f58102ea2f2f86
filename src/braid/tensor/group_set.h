// A set of channel groups, as a bit mask. Layer: tensor.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

namespace braid {

// Networks have at most this many channel groups (one bit each in a GroupSet).
inline constexpr int kMaxGroups = 16;

class GroupSet {
 public:
  constexpr GroupSet() = default;
  constexpr explicit GroupSet(uint32_t mask) : mask_(mask) {}
  static constexpr GroupSet Single(int group) { return GroupSet(uint32_t{1} << group); }
  // Groups [0, count).
  static constexpr GroupSet First(int count) { return GroupSet((uint32_t{1} << count) - 1); }

  constexpr uint32_t mask() const { return mask_; }
  constexpr bool empty() const { return mask_ == 0; }
  constexpr int size() const { return std::popcount(mask_); }
  constexpr bool Contains(int group) const { return (mask_ >> group) & 1; }
  constexpr bool ContainsAll(GroupSet other) const { return (mask_ & other.mask_) == other.mask_; }
  constexpr GroupSet With(int group) const { return GroupSet(mask_ | (uint32_t{1} << group)); }

  constexpr GroupSet operator|(GroupSet o) const { return GroupSet(mask_ | o.mask_); }
  constexpr GroupSet operator&(GroupSet o) const { return GroupSet(mask_ & o.mask_); }
  // Set difference.
  constexpr GroupSet operator-(GroupSet o) const { return GroupSet(mask_ & ~o.mask_); }
  constexpr auto operator<=>(const GroupSet&) const = default;

  // `for (int group : set)` visits members in ascending order.
  class Iterator {
   public:
    constexpr explicit Iterator(uint32_t rest) : rest_(rest) {}
    constexpr int operator*() const { return std::countr_zero(rest_); }
    constexpr Iterator& operator++() {
      rest_ &= rest_ - 1;
      return *this;
    }
    constexpr bool operator!=(const Iterator& o) const { return rest_ != o.rest_; }

   private:
    uint32_t rest_;
  };
  constexpr Iterator begin() const { return Iterator(mask_); }
  constexpr Iterator end() const { return Iterator(0); }

 private:
  uint32_t mask_ = 0;
};

}  // namespace braid
