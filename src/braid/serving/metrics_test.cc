// What Prometheus reads.
#include "braid/serving/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "braid/serving/http_testing.h"
#include "braid/serving/metrics_door.h"
#include "braid/serving/metrics_text.h"
#include "braid/serving/serving_testing.h"

namespace braid::serving {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsTextTest, WritesFamiliesAndEscapesLabels) {
  MetricsText text;
  text.Family("a_total", "counter", "Help.");
  text.Sample({}, uint64_t{3});
  text.Sample({{"x", "a\"b\\c\nd"}, {"y", "z"}}, 0.25, "_sum");
  EXPECT_EQ(text.Take(),
            "# HELP a_total Help.\n# TYPE a_total counter\na_total 3\n"
            "a_total_sum{x=\"a\\\"b\\\\c\\nd\",y=\"z\"} 0.25\n");
}

class MetricsTest : public ::testing::Test {
 protected:
  MetricsTest() {
    EXPECT_TRUE(
        catalog_.Add(std::make_shared<ServedModel>(&device_, &loop_, ServedModelOptions{})).ok());
    for (int i = 0; i < 3; ++i) Submit(OkStatus());
    Submit(DeadlineExceeded("late"));
    Submit(Internal("broken"));
  }
  void Submit(const Status& status) {
    if (!status.ok()) {
      device_.SetHandler([status](const auto&, const auto& done) { done(status); });
    }
    Job job;
    job.pixels.assign(6, 1);
    job.arrived = std::chrono::steady_clock::now();
    job.deadline = job.arrived + std::chrono::hours(1);
    job.done = [](const Result<Answer>&) {};
    (*catalog_.Find("", ""))->dispatcher().Submit(std::move(job));
    device_.SetHandler({});
  }

  EventLoop loop_;
  FakeDevice device_;
  Catalog catalog_;
};

TEST_F(MetricsTest, TellWhatBecameOfRequests) {
  const std::string text = Metrics(catalog_, {.triton_names = false, .version = "1.2.3"});
  const std::string model = "{model=\"test_model\",version=\"1\"";
  for (const std::string& line :
       {"braid_requests_total" + model + ",outcome=\"answered\"} 3\n",
        "braid_requests_total" + model + ",outcome=\"deadline\"} 1\n",
        "braid_requests_total" + model + ",outcome=\"failed\"} 1\n",
        "braid_requests_total" + model + ",outcome=\"rejected\"} 0\n",
        "braid_request_duration_seconds_bucket" + model + ",le=\"+Inf\"} 3\n",
        "braid_request_duration_seconds_count" + model + "} 3\n",
        "braid_images_total" + model + "} 3\n", "braid_executions_total" + model + "} 3\n",
        "braid_point_requests_total" + model + ",point=\"g0+1\"} 3\n",
        "braid_exit_requests_total" + model + ",exit=\"1\"} 3\n",
        "braid_device_requests_total" + model + ",device=\"peer\"} 3\n",
        "braid_failovers_total" + model + "} 6\n",
        "braid_budget_misses_total" + model + "} 1\n",
        "braid_peer_stalls_total" + model + "} 0\n",
        "braid_peer_bytes_total" + model + ",direction=\"sent\"} 0\n",
        "braid_queue_requests" + model + "} 0\n",
        std::string("braid_build_info{version=\"1.2.3\"} 1\n"),
        std::string("# TYPE braid_request_duration_seconds histogram\n")}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, HasSubstr("process_resident_memory_bytes "));
  EXPECT_THAT(text, Not(HasSubstr("nv_inference")));
}

TEST_F(MetricsTest, SpeakTritonsNamesWhenAsked) {
  const std::string text = Metrics(catalog_, {.triton_names = true});
  EXPECT_THAT(text, HasSubstr("nv_inference_request_success{model=\"test_model\",version=\"1\"} 3"));
  EXPECT_THAT(text, HasSubstr("nv_inference_request_failure{model=\"test_model\",version=\"1\","
                              "reason=\"BACKEND\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE nv_inference_queue_duration_us counter\n"));
}

TEST_F(MetricsTest, HaveADoor) {
  Access access;
  const auto door = OpenMetricsDoor(&loop_, &catalog_, &access, {}, false, {});
  ASSERT_TRUE(door.ok()) << door.status().ToString();
  RawClient client((*door)->address());
  const RawResponse response = client.Get("/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.headers.at("content-type"), HasSubstr("version=0.0.4"));
  EXPECT_THAT(response.body, HasSubstr("braid_requests_total"));
  EXPECT_EQ(client.Get("/").status, 404);
  EXPECT_EQ(client.Post("/metrics", "").status, 405);
  HttpServerOptions beyond;
  beyond.address = "0.0.0.0:0";
  EXPECT_EQ(OpenMetricsDoor(&loop_, &catalog_, &access, beyond, false, {}).status().code(),
            StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace braid::serving
