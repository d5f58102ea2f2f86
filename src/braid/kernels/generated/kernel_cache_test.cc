// The cache compiles a name once whoever asks, and its memory is never writable and executable.
#include "braid/kernels/generated/kernel_cache.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/path.h"

namespace braid::kernels::generated {
namespace {

const std::byte* CodeOf(int m, int n, int k) {
  const auto made =
      Convolution::Make(ProductShape(BestPath(), m, n, k, Encoding::kU7, k, n)).value();
  return made->code().front().data();
}

class KernelCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (GeneratorFor(BestPath()) == nullptr) GTEST_SKIP() << "nothing is generated here";
  }
};

TEST_F(KernelCacheTest, MakesOneKernelForOneName) {
  EXPECT_EQ(CodeOf(3, 5, 7), CodeOf(3, 5, 7));
  EXPECT_NE(CodeOf(3, 5, 7), CodeOf(3, 5, 70));
}

TEST_F(KernelCacheTest, GivesThreadsThatAskAtOnceTheSameKernels) {
  constexpr int kThreads = 4;
  constexpr int kShapes = 30;
  std::vector<std::vector<const std::byte*>> seen(kThreads);
  std::vector<std::thread> threads;
  for (auto& mine : seen) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < kShapes; ++i) mine.push_back(CodeOf(11, 13, 100 + i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : seen) EXPECT_EQ(mine, seen[0]);
}

TEST_F(KernelCacheTest, LeavesNoPageWritableAndExecutable) {
  const std::byte* code = CodeOf(9, 9, 9);
  std::ifstream maps("/proc/self/maps");
  if (!maps) GTEST_SKIP() << "no /proc here";
  const auto address = reinterpret_cast<uintptr_t>(code);
  bool found = false;
  for (std::string line; std::getline(maps, line);) {
    const std::string permissions = line.substr(line.find(' ') + 1, 4);
    EXPECT_FALSE(permissions[1] == 'w' && permissions[2] == 'x') << line;
    const size_t dash = line.find('-');
    if (address < std::stoull(line.substr(0, dash), nullptr, 16) ||
        address >= std::stoull(line.substr(dash + 1), nullptr, 16)) {
      continue;
    }
    found = true;
    EXPECT_EQ(permissions.substr(0, 3), "r-x") << line;
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace braid::kernels::generated
