// A model on disk for tests that start `braid` as a process. For tests of this module only.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "braid/cli/device_process.h"
#include "braid/cli/image_stream.h"
#include "braid/model/file.h"
#include "braid/runtime/testing/random_network.h"

namespace braid::cli {

// A folder of its own with a four-group network of random weights for `digits`. Its accuracies are
// invented so that more groups are better, as in a trained one: the rules combine devices.
class ProcessTest : public testing::Test {
 protected:
  ProcessTest() : folder_(std::filesystem::temp_directory_path() / FolderName()) {
    std::filesystem::create_directories(folder_);
    network_ = runtime::testing::SmallImageNetwork(3, 4, 4);
    for (model::OperatingPoint& point : network_.points) {
      int groups = 0;
      for (const int term : point.terms) {
        groups += network_.sub_networks[static_cast<size_t>(term)].groups.size();
      }
      point.accuracy = 0.8 + 0.04 * groups;
    }
    const Status written = model::WriteModelFile(network_, ModelPath());
    EXPECT_TRUE(written.ok()) << written.ToString();
  }
  ~ProcessTest() override { std::filesystem::remove_all(folder_); }

  std::string ModelPath() const { return In("model.braid"); }
  std::string In(const std::string& name) const { return (folder_ / name).string(); }

  DeviceProcessOptions Device(const std::string& name, const std::string& share) const {
    DeviceProcessOptions options;
    options.program = BRAID_PROGRAM;
    options.model = ModelPath();
    options.name = name;
    options.group = "test-" + std::to_string(::getpid());
    options.share = share;
    options.kernels = "scalar";
    return options;
  }

  // Waits until two devices took part in an answer that came from now on.
  static bool BothAnswer(const ImageStream& stream) {
    const TimePoint limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (size_t seen = stream.answered(); std::chrono::steady_clock::now() < limit;) {
      const std::vector<StreamAnswer> answers = stream.Answers(seen);
      seen += answers.size();
      for (const StreamAnswer& answer : answers) {
        if (answer.reply.devices.size() == 2) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }

  model::Network network_;

 private:
  static std::string FolderName() {
    std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    std::replace(name.begin(), name.end(), '/', '_');  // of parameterized tests
    return "braid_" + name + "_" + std::to_string(::getpid());
  }

  const std::filesystem::path folder_;
};

}  // namespace braid::cli
