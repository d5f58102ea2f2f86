#include "braid/serving/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "braid/serving/serving_testing.h"

namespace braid::serving {
namespace {

using inference::ModelInferRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RequestTest : public ::testing::Test {
 protected:
  RequestTest() {
    request_.set_model_name("test_model");
    auto* input = request_.add_inputs();
    input->set_name("input");
    input->set_datatype("UINT8");
    for (const int dimension : {2, 2, 3, 1}) input->add_shape(dimension);
    request_.add_raw_input_contents(std::string("\1\2\3\4\5\6\7\x8\x9\xa\xb\xff", 12));
  }

  Result<ParsedRequest> Parse(std::optional<Duration> remaining = std::nullopt) {
    return ParseRequest(request_, model_.network, 4, remaining);
  }
  inference::InferParameter& Parameter(const std::string& name) {
    return (*request_.mutable_parameters())[name];
  }
  void ExpectError(StatusCode code, const std::string& part) {
    const Status status = Parse().status();
    EXPECT_EQ(status.code(), code) << status.ToString();
    EXPECT_THAT(status.message(), HasSubstr(part));
  }
  void ExpectInvalid(const std::string& part) { ExpectError(StatusCode::kInvalidArgument, part); }
  void UseContents() {
    request_.clear_raw_input_contents();
    auto* contents = request_.mutable_inputs(0)->mutable_contents();
    for (unsigned i = 1; i <= 12; ++i) contents->add_uint_contents(i == 12 ? 255 : i);
  }

  static Answer AnswerTo(const cluster::InferRequest& request) {
    auto result = std::make_shared<const cluster::InferResult>(FakeDevice::Answer(request));
    return {result, 0, result->images};
  }

  const model::ModelFile model_ = TestModel();
  ModelInferRequest request_;
};

TEST_F(RequestTest, TakesRawPixels) {
  const auto parsed = Parse();
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  EXPECT_THAT(parsed->infer.pixels, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255));
  EXPECT_EQ(parsed->infer.constraints.images, 2);
  EXPECT_FALSE(parsed->infer.constraints.remaining.has_value());
  EXPECT_THAT(parsed->form.outputs, ElementsAre(Output::kLogits, Output::kClass));
  EXPECT_TRUE(parsed->form.raw);
}

TEST_F(RequestTest, TakesPixelsAsContents) {
  UseContents();
  const auto parsed = Parse();
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  EXPECT_THAT(parsed->infer.pixels, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255));
  EXPECT_FALSE(parsed->form.raw);
}

TEST_F(RequestTest, ReadsTritonsPriorityAndTimeout) {
  EXPECT_EQ(Parse()->priority, kDefaultPriority);
  Parameter("priority").set_uint64_param(1);
  Parameter("timeout").set_int64_param(2500);
  const auto parsed = Parse();
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  EXPECT_EQ(parsed->priority, kHighestPriority);
  EXPECT_EQ(parsed->infer.constraints.remaining, std::chrono::microseconds(2500));
  Parameter("braid_deadline_ms").set_int64_param(1);
  EXPECT_EQ(Parse()->infer.constraints.remaining, std::chrono::milliseconds(1));
  Parameter("priority").set_int64_param(0);
  EXPECT_EQ(Parse()->priority, kDefaultPriority);
  Parameter("priority").set_uint64_param(std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(Parse()->priority, kLowestPriority);
  Parameter("priority").set_string_param("high");
  ExpectInvalid("parameter \"priority\"");
  Parameter("priority").set_int64_param(-1);
  ExpectInvalid("parameter \"priority\"");
  Parameter("priority").set_int64_param(1);
  Parameter("timeout").set_double_param(0.5);
  ExpectInvalid("parameter \"timeout\"");
}

TEST_F(RequestTest, RefusesBothContentsAndRaw) {
  request_.mutable_inputs(0)->mutable_contents()->add_uint_contents(1);
  ExpectInvalid("both contents and raw_input_contents");
}

TEST_F(RequestTest, RefusesNeitherContentsNorRaw) {
  request_.clear_raw_input_contents();
  ExpectInvalid("neither contents nor raw_input_contents");
}

TEST_F(RequestTest, RefusesContentsOfAnotherKind) {
  UseContents();
  request_.mutable_inputs(0)->mutable_contents()->add_int_contents(1);
  ExpectInvalid("uint_contents");
}

TEST_F(RequestTest, RefusesAnElementBeyondUint8) {
  UseContents();
  request_.mutable_inputs(0)->mutable_contents()->set_uint_contents(3, 256);
  ExpectInvalid("element 3 is 256");
}

TEST_F(RequestTest, RefusesSizesThatDisagreeWithTheShape) {
  request_.mutable_raw_input_contents(0)->push_back('x');
  ExpectInvalid("13 elements, its shape says 12");
  UseContents();
  request_.mutable_inputs(0)->mutable_contents()->add_uint_contents(1);
  ExpectInvalid("13 elements, its shape says 12");
  request_.clear_raw_input_contents();
  request_.mutable_inputs(0)->clear_contents();
  request_.add_raw_input_contents("");
  request_.add_raw_input_contents("");
  ExpectInvalid("2 entries for 1 input");
}

TEST_F(RequestTest, RefusesWrongShapes) {
  auto* shape = request_.mutable_inputs(0)->mutable_shape();
  shape->Set(2, 4);
  ExpectInvalid("shape is [2,2,4,1], must be [N,2,3,1]");
  shape->Set(2, 3);
  for (const int64_t n :
       {int64_t{0}, int64_t{-1}, int64_t{5}, std::numeric_limits<int64_t>::max()}) {
    shape->Set(0, n);
    ExpectInvalid("N must be between 1 and 4");
  }
  shape->RemoveLast();
  ExpectInvalid("must be [N,2,3,1]");
}

TEST_F(RequestTest, RefusesWrongNamesAndKinds) {
  request_.mutable_inputs(0)->set_datatype("FP32");
  ExpectInvalid("datatype is \"FP32\"");
  request_.mutable_inputs(0)->set_name("image");
  ExpectInvalid("input tensor \"image\"");
  request_.add_inputs();
  ExpectInvalid("2 tensors");
  request_.clear_inputs();
  ExpectInvalid("0 tensors");
}

TEST_F(RequestTest, HonoursRequestedOutputs) {
  request_.add_outputs()->set_name("class");
  auto parsed = Parse();
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->form.outputs, ElementsAre(Output::kClass));
  request_.add_outputs()->set_name("class");
  ExpectInvalid("asked for twice");
  request_.mutable_outputs(1)->set_name("embedding");
  ExpectInvalid("output tensor \"embedding\"");
}

TEST_F(RequestTest, ReadsBudgets) {
  Parameter("braid_deadline_ms").set_double_param(12.5);
  Parameter("braid_max_macs").set_int64_param(1000);
  Parameter("braid_min_accuracy").set_double_param(0.98);
  Parameter("braid_strict").set_bool_param(true);
  Parameter("braid_operating_point").set_string_param("g0");
  Parameter("priority").set_int64_param(3);  // somebody else's
  const auto parsed = Parse();
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  const control::Constraints& constraints = parsed->infer.constraints;
  EXPECT_EQ(constraints.remaining, std::chrono::microseconds(12500));
  EXPECT_EQ(constraints.max_macs, 1000);
  EXPECT_EQ(constraints.min_accuracy, 0.98);
  EXPECT_TRUE(constraints.strict);
  EXPECT_EQ(constraints.point, 1);
}

TEST_F(RequestTest, TheShorterOfBothDeadlinesHolds) {
  Parameter("braid_deadline_ms").set_int64_param(20);
  EXPECT_EQ(Parse(std::chrono::milliseconds(5))->infer.constraints.remaining,
            std::chrono::milliseconds(5));
  EXPECT_EQ(Parse(std::chrono::milliseconds(50))->infer.constraints.remaining,
            std::chrono::milliseconds(20));
  EXPECT_EQ(Parse(Duration::zero()).status().code(), StatusCode::kDeadlineExceeded);
}

TEST_F(RequestTest, RefusesAnUnknownParameterOfOurs) {
  Parameter("braid_speed").set_int64_param(1);
  ExpectInvalid("parameter \"braid_speed\"");
}

TEST_F(RequestTest, RefusesAReplyParameterInARequest) {
  Parameter("braid_devices").set_string_param("a");
  ExpectInvalid("parameter \"braid_devices\"");
}

TEST_F(RequestTest, RefusesAnEnergyLimitItCannotKeep) {
  Parameter("braid_max_energy_mj").set_double_param(1);
  ExpectError(StatusCode::kFailedPrecondition, "no energy profile");
}

TEST_F(RequestTest, RefusesImpossibleParameterValues) {
  const auto expect_bad = [this](const std::string& name) {
    ExpectInvalid("parameter \"" + name + "\"");
    request_.clear_parameters();
  };
  for (const double value : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    Parameter("braid_deadline_ms").set_double_param(value);
    expect_bad("braid_deadline_ms");
  }
  Parameter("braid_deadline_ms").set_string_param("20");
  expect_bad("braid_deadline_ms");
  Parameter("braid_max_macs").set_int64_param(0);
  expect_bad("braid_max_macs");
  Parameter("braid_max_macs").set_double_param(10);
  expect_bad("braid_max_macs");
  Parameter("braid_min_accuracy").set_double_param(98);
  expect_bad("braid_min_accuracy");
  Parameter("braid_min_accuracy").set_double_param(std::numeric_limits<double>::quiet_NaN());
  expect_bad("braid_min_accuracy");
  Parameter("braid_strict").set_int64_param(1);
  expect_bad("braid_strict");
  Parameter("braid_strict").set_bool_param(true);  // about nothing
  expect_bad("braid_strict");
  Parameter("braid_operating_point").set_string_param("g9");
  expect_bad("braid_operating_point");
  Parameter("braid_operating_point");  // nothing set
  expect_bad("braid_operating_point");
}

TEST_F(RequestTest, AnEndlessDeadlineIsBoundedNotOverflowed) {
  Parameter("braid_deadline_ms").set_double_param(std::numeric_limits<double>::infinity());
  EXPECT_EQ(Parse()->infer.constraints.remaining, std::chrono::hours(24));
  Parameter("braid_max_macs").set_uint64_param(std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(Parse()->infer.constraints.max_macs, std::numeric_limits<int64_t>::max());
}

TEST_F(RequestTest, RefusesParametersOfOursOnTensors) {
  (*request_.mutable_inputs(0)->mutable_parameters())["braid_strict"].set_bool_param(true);
  ExpectInvalid("belongs to the request");
  request_.mutable_inputs(0)->clear_parameters();
  auto* output = request_.add_outputs();
  output->set_name("class");
  (*output->mutable_parameters())["braid_strict"].set_bool_param(true);
  ExpectInvalid("belongs to the request");
}

TEST_F(RequestTest, FillsARawResponse) {
  const auto parsed = Parse();
  const Answer answer = AnswerTo(parsed->infer);
  inference::ModelInferResponse response;
  FillResponse(answer, {"id7", {Output::kClass, Output::kLogits}, true}, model_.network, &response);
  EXPECT_EQ(response.id(), "id7");
  ASSERT_EQ(response.outputs_size(), 2);
  EXPECT_EQ(response.outputs(0).name(), "class");
  EXPECT_EQ(response.outputs(0).datatype(), "INT64");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2));
  EXPECT_EQ(response.outputs(1).name(), "logits");
  EXPECT_EQ(response.outputs(1).datatype(), "INT32");
  EXPECT_THAT(response.outputs(1).shape(), ElementsAre(2, 3));
  EXPECT_FALSE(response.outputs(0).has_contents());
  ASSERT_EQ(response.raw_output_contents_size(), 2);
  EXPECT_EQ(response.raw_output_contents(0), std::string("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16));
  EXPECT_EQ(response.raw_output_contents(1).substr(0, 8),
            std::string("\x15\0\0\0\xff\xff\xff\xff", 8));
  EXPECT_EQ(response.parameters().at("braid_operating_point").string_param(), "g0+1");
  EXPECT_EQ(response.parameters().at("braid_devices").string_param(), "fake,peer");
  EXPECT_EQ(response.parameters().at("braid_macs").int64_param(), 1234);
  EXPECT_EQ(response.parameters().at("braid_exit").int64_param(), 1);
  EXPECT_EQ(response.parameters().at("braid_failovers").int64_param(), 2);
}

TEST_F(RequestTest, FillsARepeatedResponse) {
  const auto parsed = Parse();
  inference::ModelInferResponse response;
  FillResponse(AnswerTo(parsed->infer), {"", {Output::kLogits, Output::kClass}, false},
               model_.network, &response);
  EXPECT_EQ(response.raw_output_contents_size(), 0);
  EXPECT_THAT(response.outputs(0).contents().int_contents(), ElementsAre(21, -1, -1, 300, -1, -1));
  EXPECT_THAT(response.outputs(1).contents().int64_contents(), ElementsAre(0, 0));
}

TEST_F(RequestTest, AnAnswerIsItsPartOfTheBatch) {
  const auto parsed = Parse();
  auto result = std::make_shared<const cluster::InferResult>(FakeDevice::Answer(parsed->infer));
  inference::ModelInferResponse response;
  FillResponse({result, 1, 1}, {"", {Output::kLogits, Output::kClass}, false}, model_.network,
               &response);
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(1, 3));
  EXPECT_THAT(response.outputs(0).contents().int_contents(), ElementsAre(300, -1, -1));
}

}  // namespace
}  // namespace braid::serving
