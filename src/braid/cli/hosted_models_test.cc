// Models of a repository on real devices in this process, behind the doors' queue.
#include "braid/cli/hosted_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "braid/model/file.h"
#include "braid/runtime/testing/random_network.h"
#include "braid/serving/model_repository.h"
#include "braid/serving/request.h"

namespace braid::cli {
namespace {

namespace fs = std::filesystem;
using serving::Answer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HostedModelsTest : public testing::Test {
 protected:
  HostedModelsTest() {
    options_.repository = folder_.string();
    options_.device.name = "host";
    options_.device.max_batch = 16;
    fs::create_directories(folder_);
  }
  ~HostedModelsTest() override { fs::remove_all(folder_); }

  // Writes a network of random weights; `seed` tells them apart.
  void Put(const std::string& name, const std::string& version, uint64_t seed) {
    const fs::path path = folder_ / name / version;
    fs::create_directories(path);
    const Status written = model::WriteModelFile(
        runtime::testing::SmallImageNetwork(seed, 4, 4), (path / "model.braid").string());
    ASSERT_TRUE(written.ok()) << written.ToString();
  }
  static FrontDoorOptions Closed() {
    FrontDoorOptions options;
    options.rest = options.metrics = "none";
    return options;
  }
  static std::vector<uint8_t> Image(const model::Network& network, uint64_t seed) {
    return runtime::testing::RandomPixels(seed, network, 1);
  }
  static Result<Answer> Ask(serving::ServedModel& model, std::vector<uint8_t> pixels) {
    std::promise<Result<Answer>> answer;
    serving::Job job;
    job.pixels = std::move(pixels);
    job.arrived = std::chrono::steady_clock::now();
    job.deadline = job.arrived + std::chrono::minutes(1);
    job.done = [&answer](const Result<Answer>& done) { answer.set_value(done); };
    model.dispatcher().Submit(std::move(job));
    return answer.get_future().get();
  }
  static std::vector<int32_t> Logits(const Answer& answer, const model::Network& network) {
    const auto logits = serving::LogitsOf(answer, network);
    return {logits.begin(), logits.end()};
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("braid_hosted_models_" + std::to_string(::getpid()));
  HostedModelOptions options_;
};

TEST_F(HostedModelsTest, ScansNamesAndVersionsInOrder) {
  Put("b", "10", 1);
  Put("b", "9", 1);
  Put("a", "1", 1);
  Put("a", "01", 1);   // no version
  Put("a", "new", 1);  // nor this
  Put(".hidden", "1", 1);
  fs::create_directories(folder_ / "c" / "1");  // its file is not there yet
  const auto entries = serving::ScanRepository(folder_.string());
  ASSERT_TRUE(entries.ok()) << entries.status().ToString();
  std::vector<std::string> found;
  for (const auto& entry : *entries) found.push_back(entry.name + "/" + entry.version);
  EXPECT_THAT(found, ElementsAre("a/1", "b/9", "b/10"));
  EXPECT_EQ(serving::ScanRepository((folder_ / "nothing").string()).status().code(),
            StatusCode::kNotFound);
  EXPECT_EQ(serving::ScanRepository((folder_ / "c").string()).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(HostedModelsTest, ServesEveryVersionAndShowsTheOneThatCannotBeLoaded) {
  Put("one", "1", 1);
  Put("one", "2", 2);
  Put("two", "1", 3);
  Put("two", "3", 4);
  std::ofstream(folder_ / "two" / "3" / "model.braid") << "damaged";
  FrontDoors doors(Closed());
  const auto hosted = HostModels(options_, &doors);
  ASSERT_TRUE(hosted.ok()) << hosted.status().ToString();
  EXPECT_EQ(hosted->size(), 3u);
  EXPECT_THAT(doors.catalog().Names(), ElementsAre("one", "two"));
  EXPECT_THAT(doors.catalog().Versions("one"), ElementsAre("1", "2"));
  while (!doors.catalog().ready()) std::this_thread::sleep_for(std::chrono::milliseconds(2));

  const auto newest = *doors.catalog().Find("one", "");
  EXPECT_EQ(newest->version(), "2");
  const auto former = *doors.catalog().Find("one", "1");
  const std::vector<uint8_t> image = Image(newest->network(), 7);
  const auto a = Ask(*newest, image), b = Ask(*former, image);
  ASSERT_TRUE(a.ok() && b.ok()) << a.status().ToString() << b.status().ToString();
  EXPECT_NE(Logits(*a, newest->network()), Logits(*b, former->network()));
  EXPECT_EQ(doors.catalog().Find("", "").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(doors.catalog().Find("two", "3").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(newest->statistics().Snapshot().success.count, 1u);

  const auto index = doors.catalog().Index();
  ASSERT_EQ(index.size(), 4u);
  EXPECT_EQ(index.back().name, "two");
  EXPECT_EQ(index.back().version, "3");
  EXPECT_FALSE(index.back().reason.ok());
}

TEST_F(HostedModelsTest, NothingToServeIsAnError) {
  fs::create_directories(folder_ / "bad" / "1");
  std::ofstream(folder_ / "bad" / "1" / "model.braid") << "damaged";
  FrontDoors doors(Closed());
  EXPECT_EQ(HostModels(options_, &doors).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(HostedModelsTest, BatchesGiveTheBitsOfSingleRequests) {
  options_.device.brief_work = {};  // else each is answered before the next one comes
  Put("one", "1", 1);
  FrontDoors doors(Closed());
  const auto hosted = HostModels(options_, &doors);
  ASSERT_TRUE(hosted.ok()) << hosted.status().ToString();
  const auto model = *doors.catalog().Find("one", "");
  constexpr int kImages = 200;
  std::vector<std::vector<int32_t>> alone, together(kImages);
  for (int i = 0; i < kImages; ++i) {
    const auto answer = Ask(*model, Image(model->network(), static_cast<uint64_t>(i)));
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    alone.push_back(Logits(*answer, model->network()));
  }
  std::atomic<int> open = kImages, failed = 0;
  for (int i = 0; i < kImages; ++i) {
    serving::Job job;
    job.pixels = Image(model->network(), static_cast<uint64_t>(i));
    job.arrived = std::chrono::steady_clock::now();
    job.deadline = job.arrived + std::chrono::minutes(1);
    job.done = [&, i](const Result<Answer>& answer) {
      if (answer.ok()) {
        together[static_cast<size_t>(i)] = Logits(*answer, model->network());
      } else {
        ++failed;
      }
      --open;
    };
    model->dispatcher().Submit(std::move(job));
  }
  while (open > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(together, alone);
  EXPECT_LT(model->statistics().Snapshot().executions, 2u * kImages) << "some went together";
}

TEST(PortAfterTest, CountsFromTheFirst) {
  EXPECT_EQ(*PortAfter("127.0.0.1:7000", 3), "127.0.0.1:7003");
  EXPECT_EQ(*PortAfter("[::1]:0", 3), "[::1]:0");
  EXPECT_EQ(*PortAfter("", 3), "");
  EXPECT_FALSE(PortAfter("127.0.0.1:65534", 3).ok());
  EXPECT_FALSE(PortAfter("127.0.0.1:x", 3).ok());
}

}  // namespace
}  // namespace braid::cli
