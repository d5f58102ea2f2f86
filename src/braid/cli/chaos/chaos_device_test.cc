// What chaos does to one device, on real processes: its disk, memory and clock.
#include "braid/cli/chaos/chaos_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <fstream>

#include "braid/cli/chaos/chaos_run.h"
#include "braid/cli/child_process.h"
#include "braid/cli/process_testing.h"
#include "braid/client/client.h"

namespace braid::cli {
namespace {

using std::chrono::seconds;

class ChaosDeviceTest : public ProcessTest {
 protected:
  std::unique_ptr<ChaosDevice> Make(const std::string& clock_library = "") {
    const auto ports = PickPorts(2, static_cast<uint64_t>(::getpid()));
    EXPECT_TRUE(ports.ok()) << ports.status().ToString();
    ChaosDeviceOptions options;
    options.process = Device("a", "all");
    options.process.grpc = "127.0.0.1:" + std::to_string((*ports)[0]);
    options.process.listen = "127.0.0.1:" + std::to_string((*ports)[1]);
    options.folder = In("device");
    options.model_name = "m";
    options.clock_library = clock_library;
    std::filesystem::create_directory(options.folder);
    auto device = ChaosDevice::Create(std::move(options));
    EXPECT_TRUE(device.ok()) << device.status().ToString();
    const Status started = (*device)->Start(ModelPath(), 1);
    EXPECT_TRUE(started.ok()) << started.ToString() << (*device)->LogSince(0);
    client::ClientOptions doors;
    doors.endpoints = {(*device)->grpc()};
    auto client = client::Client::Create(doors);
    EXPECT_TRUE(client.ok());
    client_ = std::move(client).value();
    return std::move(device).value();
  }

  Status Ask() {
    client::InferRequest request;
    request.height = network_.input_h;
    request.width = network_.input_w;
    request.channels = network_.input_c;
    request.pixels.resize(
        static_cast<size_t>(request.height * request.width * request.channels));
    request.deadline = seconds(20);
    return client_->Infer(std::move(request)).status();
  }

  std::unique_ptr<client::Client> client_;
};

TEST_F(ChaosDeviceTest, ADeviceWhoseLogCannotGrowGoesOnAndEndsInOrder) {
  auto device = Make();
  const int64_t before = device->LogBytes();
  ASSERT_GT(before, 0);
  ASSERT_TRUE(device->FillDisk().ok());
  EXPECT_TRUE(Ask().ok());
  EXPECT_TRUE(device->Stop().ok()) << "it logs that it drains";
  EXPECT_EQ(device->LogBytes(), before);
  ASSERT_TRUE(device->Start(ModelPath(), 2).ok());
  EXPECT_GT(device->LogBytes(), before);
  EXPECT_TRUE(Ask().ok());
}

TEST_F(ChaosDeviceTest, ADeviceWhoseMemoryMayNotGrowAnswersOrEndsAndIsStartedAgain) {
  auto device = Make();
  EXPECT_TRUE(Ask().ok());
  ASSERT_TRUE(device->LimitMemory(0).ok());
  (void)Ask();
  if (device->Alive()) {
    ASSERT_TRUE(device->FreeMemory().ok());
  } else {
    ASSERT_TRUE(device->Start(ModelPath(), 1).ok());
  }
  EXPECT_TRUE(Ask().ok());
}

TEST_F(ChaosDeviceTest, ADeviceWhoseWallClockJumpsKeepsItsDeadlines) {
  const std::string library =
      std::filesystem::path(BRAID_PROGRAM).replace_filename("libbraid_clock_jump.so");
  if (!std::filesystem::exists(library)) GTEST_SKIP() << "built without " << library;
  auto device = Make(library);
  for (const auto jump : {std::chrono::hours(0), std::chrono::hours(240), std::chrono::hours(-240)}) {
    ASSERT_TRUE(device->JumpClock(jump).ok());
    for (int i = 0; i < 20; ++i) {
      const Status status = Ask();
      EXPECT_TRUE(status.ok()) << status.ToString();
    }
  }
  EXPECT_TRUE(device->Stop().ok()) << "draining, too, is timed";
}

TEST_F(ChaosDeviceTest, TheLibraryMovesTheWallClockOnly) {
  const std::string library =
      std::filesystem::path(BRAID_PROGRAM).replace_filename("libbraid_clock_jump.so");
  if (!std::filesystem::exists(library)) GTEST_SKIP() << "built without " << library;
  const int64_t offset = int64_t{1'000'000} * 1'000'000'000;
  std::ofstream(In("offset"), std::ios::binary)
      .write(reinterpret_cast<const char*>(&offset), sizeof(offset));
  const auto child = ChildProcess::Start({"/usr/bin/env", "LD_PRELOAD=" + library,
                                          "BRAID_CLOCK_OFFSET_FILE=" + In("offset"), "date", "+%s"});
  ASSERT_TRUE(child.ok());
  const auto line = (*child)->ReadLine(seconds(20));
  ASSERT_TRUE(line.ok());
  EXPECT_NEAR(std::stod(*line), static_cast<double>(::time(nullptr)) + 1e6, 100);
}

}  // namespace
}  // namespace braid::cli
