// After Create an execution allocates nothing: this program's operator new counts, and the count
// stands still while executions run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "braid/runtime/execution.h"
#include "braid/runtime/testing/random_network.h"
#include "braid/runtime/testing/split_run.h"

namespace {
int64_t allocations = 0;

void* Allocate(size_t bytes, size_t alignment) {
  ++allocations;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  return std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
}
void* AllocateOrThrow(size_t bytes, size_t alignment) {
  void* memory = Allocate(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
constexpr size_t kDefaultAlignment = alignof(std::max_align_t);
}  // namespace

void* operator new(size_t bytes) { return AllocateOrThrow(bytes, kDefaultAlignment); }
void* operator new[](size_t bytes) { return AllocateOrThrow(bytes, kDefaultAlignment); }
void* operator new(size_t bytes, std::align_val_t a) {
  return AllocateOrThrow(bytes, static_cast<size_t>(a));
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return Allocate(bytes, kDefaultAlignment);
}
void* operator new(size_t bytes, std::align_val_t a, const std::nothrow_t&) noexcept {
  return Allocate(bytes, static_cast<size_t>(a));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { std::free(p); }

namespace braid::runtime {
namespace {

using testing::MakeDevice;
using testing::RandomPixels;
using testing::SplitDevice;

TEST(AllocationTest, TheCountSeesAnAllocation) {
  const int64_t before = allocations;
  const auto one = std::make_unique<std::array<int, 100>>();
  EXPECT_EQ(allocations - before, 1) << one->size();
}

TEST(AllocationTest, NothingIsAllocatedWhileDevicesExchangeMaps) {
  for (const kernels::Path path : kernels::SupportedPaths()) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      const model::Network network = testing::RandomNetwork(
          seed, {.groups = 2, .concatenations = seed % 2 == 1, .filters = seed % 2 == 1});
      const GroupSet both = GroupSet::First(2);
      const SplitDevice a =
          MakeDevice(network, {.groups = both, .local = GroupSet::Single(0), .max_batch = 3}, path);
      const SplitDevice b =
          MakeDevice(network, {.groups = both, .local = GroupSet::Single(1), .max_batch = 3}, path);
      const auto pixels = RandomPixels(seed, network, 3);
      const int64_t before = allocations;
      bool fine = a.execution->Start(pixels, 3).ok() && b.execution->Start(pixels, 3).ok();
      Step step_a = Step::kExchangeReady;
      Step step_b = Step::kExchangeReady;
      while (fine && (step_a != Step::kDone || step_b != Step::kDone)) {
        if (step_a != Step::kDone) step_a = a.execution->Resume();
        if (step_a == Step::kExchangeReady) {
          fine &=
              b.execution->Supply(a.execution->exchange_layer(), 0, a.execution->LocalMap(0)).ok();
        }
        if (step_b != Step::kDone) step_b = b.execution->Resume();
        if (step_b == Step::kExchangeReady) {
          fine &=
              a.execution->Supply(b.execution->exchange_layer(), 1, b.execution->LocalMap(1)).ok();
        }
      }
      const int64_t after = allocations;
      EXPECT_TRUE(fine);
      EXPECT_EQ(after, before) << kernels::PathName(path) << " seed " << seed;
    }
  }
}

TEST(AllocationTest, NothingIsAllocatedWhileImagesLeaveThroughExits) {
  int checkpoints = 0;
  for (const kernels::Path path : kernels::SupportedPaths()) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const model::Network network = testing::RandomNetwork(seed, {.groups = 2,
                                                                   .exits = true,
                                                                   .concatenations = seed % 2 == 1,
                                                                   .filters = seed % 2 == 1});
      const GroupSet both = GroupSet::First(2);
      const SplitDevice device =
          MakeDevice(network, {.groups = both, .local = both, .max_batch = 4}, path);
      const auto pixels = RandomPixels(seed, network, 4);
      static constexpr int kOdd[] = {1, 3};
      const int64_t before = allocations;
      const bool started = device.execution->Start(pixels, 4).ok();
      while (started && device.execution->Resume() == Step::kCheckpoint) {
        ++checkpoints;
        if (device.execution->batch() == 4) device.execution->Retain(kOdd);
      }
      const int64_t after = allocations;
      EXPECT_TRUE(started);
      EXPECT_EQ(after, before) << kernels::PathName(path) << " seed " << seed;
    }
  }
  EXPECT_GT(checkpoints, 0);
}

}  // namespace
}  // namespace braid::runtime
