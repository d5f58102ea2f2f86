#include "braid/serving/rest_json.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace braid::serving {
namespace {

using Json = nlohmann::json;
using inference::InferParameter;
using inference::ModelInferRequest;
using ParameterMap = google::protobuf::Map<std::string, InferParameter>;

// Where in the request the reader is. Each value of the stack is an open array or object.
enum class Place : uint8_t {
  kOutside,     // before the request begins and after its end
  kRequest,     // {...}
  kInputs,      // "inputs": [...]
  kInput,       // an element of it
  kShape,       // its "shape": [...]
  kData,        // its "data": [...], and arrays therein
  kOutputs,     // "outputs": [...]
  kOutput,      // an element of it
  kParameters,  // "parameters": {...} of request, input or output
  kSkipped,     // what the protocol does not name, and all therein
};

// Elements of `data`, kept until the tensor's datatype is known: it may come after them.
struct Elements {
  std::vector<int64_t> integers;
  std::vector<double> reals;       // in use when the first fraction comes
  std::vector<std::string> texts;
  bool real = false, bools = false;
  size_t size() const { return texts.size() + (real ? reals.size() : integers.size()); }
};

class Reader final : public nlohmann::json_sax<Json> {
 public:
  Reader(ModelInferRequest* message, std::vector<bool>* has_data)
      : message_(message), has_data_(has_data) {}

  const Status& status() const { return status_; }
  bool complete() const { return complete_; }

  bool null() override {
    if (AtSkippedValue()) return true;
    return Bad("null is not allowed here");
  }
  bool boolean(bool value) override {
    if (AtSkippedValue()) return true;
    if (InParameters()) {
      Parameter().set_bool_param(value);
      return true;
    }
    if (AtElement()) {
      elements_.bools = true;
      return AddInteger(value ? 1 : 0);
    }
    return Bad("a truth value is not allowed here");
  }
  bool number_integer(number_integer_t value) override { return Integer(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Integer(static_cast<int64_t>(value));
    }
    if (AtSkippedValue()) return true;
    if (InParameters()) {
      Parameter().set_uint64_param(value);
      return true;
    }
    if (AtElement()) return AddReal(static_cast<double>(value));
    return Bad("the number is too large");
  }
  bool number_float(number_float_t value, const string_t&) override {
    if (AtSkippedValue()) return true;
    if (InParameters()) {
      Parameter().set_double_param(value);
      return true;
    }
    if (AtElement()) return AddReal(value);
    return Bad("a fraction is not allowed here");
  }
  bool string(string_t& value) override {
    if (AtSkippedValue()) return true;
    if (InParameters()) {
      Parameter().set_string_param(value);
      return true;
    }
    if (AtElement()) {
      if (elements_.size() > elements_.texts.size()) return Bad("numbers and texts in one tensor");
      elements_.texts.push_back(std::move(value));
      return true;
    }
    if (place() == Place::kRequest && key_ == "id") {
      message_->set_id(std::move(value));
      return true;
    }
    if (place() == Place::kInput && key_ == "name") {
      input().set_name(std::move(value));
      return true;
    }
    if (place() == Place::kInput && key_ == "datatype") {
      input().set_datatype(std::move(value));
      return true;
    }
    if (place() == Place::kOutput && key_ == "name") {
      message_->mutable_outputs(message_->outputs_size() - 1)->set_name(std::move(value));
      return true;
    }
    return Bad("a text is not allowed here");
  }
  bool binary(binary_t&) override { return Bad("binary values are not JSON"); }

  bool start_object(size_t) override {
    if (place() == Place::kOutside) return Push(Place::kRequest);
    if (place() == Place::kInputs) {
      message_->add_inputs();
      has_data_->push_back(false);
      elements_ = {};
      return Push(Place::kInput);
    }
    if (place() == Place::kOutputs) {
      message_->add_outputs();
      return Push(Place::kOutput);
    }
    if (key_ == "parameters" && (place() == Place::kRequest || place() == Place::kInput ||
                                 place() == Place::kOutput)) {
      parameters_ = OpenParameters();
      return Push(Place::kParameters);
    }
    if (AtSkippedValue()) return Push(Place::kSkipped);
    return Bad("an object is not allowed here");
  }
  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }
  bool end_object() override {
    const Place ended = place();
    stack_.pop_back();
    key_.clear();
    if (ended == Place::kInput) return EndInput();
    complete_ = stack_.empty();
    return true;
  }
  bool start_array(size_t) override {
    if (place() == Place::kOutside) return Bad("the request must be an object");
    if (place() == Place::kRequest && key_ == "inputs") return Push(Place::kInputs);
    if (place() == Place::kRequest && key_ == "outputs") return Push(Place::kOutputs);
    if (place() == Place::kInput && key_ == "shape") {
      input().clear_shape();
      return Push(Place::kShape);
    }
    if (place() == Place::kInput && key_ == "data") {
      elements_ = {};
      has_data_->back() = true;
      return Push(Place::kData);
    }
    if (place() == Place::kData) return Push(Place::kData);
    if (AtSkippedValue()) return Push(Place::kSkipped);
    return Bad("an array is not allowed here");
  }
  bool end_array() override {
    stack_.pop_back();
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    if (status_.ok()) {
      status_ = InvalidArgument("the request is not JSON: error at byte " +
                                std::to_string(position));
    }
    return false;
  }

 private:
  Place place() const { return stack_.empty() ? Place::kOutside : stack_.back(); }
  ModelInferRequest::InferInputTensor& input() {
    return *message_->mutable_inputs(message_->inputs_size() - 1);
  }
  bool AtElement() const { return place() == Place::kData; }
  bool InParameters() const { return place() == Place::kParameters; }

  // A value that the protocol does not name may be anything.
  bool AtSkippedValue() const {
    switch (place()) {
      case Place::kSkipped:
        return true;
      case Place::kRequest:
        return key_ != "id" && key_ != "inputs" && key_ != "outputs" && key_ != "parameters";
      case Place::kInput:
        return key_ != "name" && key_ != "datatype" && key_ != "shape" && key_ != "data" &&
               key_ != "parameters";
      case Place::kOutput:
        return key_ != "name" && key_ != "parameters";
      case Place::kOutside:
      case Place::kInputs:
      case Place::kOutputs:
      case Place::kShape:
      case Place::kData:
      case Place::kParameters:
        return false;
    }
    return false;
  }

  ParameterMap* OpenParameters() {
    if (place() == Place::kRequest) return message_->mutable_parameters();
    if (place() == Place::kInput) return input().mutable_parameters();
    return message_->mutable_outputs(message_->outputs_size() - 1)->mutable_parameters();
  }
  InferParameter& Parameter() { return (*parameters_)[key_]; }

  bool Push(Place place) {
    if (static_cast<int>(stack_.size()) >= kMaxJsonDepth) {
      return Bad("arrays and objects lie deeper than " + std::to_string(kMaxJsonDepth));
    }
    stack_.push_back(place);
    return true;
  }

  bool Integer(int64_t value) {
    if (AtSkippedValue()) return true;
    if (InParameters()) {
      Parameter().set_int64_param(value);
      return true;
    }
    if (AtElement()) return AddInteger(value);
    if (place() == Place::kShape) {
      input().add_shape(value);
      return true;
    }
    return Bad("a number is not allowed here");
  }
  bool AddInteger(int64_t value) {
    if (!elements_.texts.empty()) return Bad("numbers and texts in one tensor");
    if (elements_.real) {
      elements_.reals.push_back(static_cast<double>(value));
    } else {
      elements_.integers.push_back(value);
    }
    return true;
  }
  bool AddReal(double value) {
    if (!elements_.texts.empty()) return Bad("numbers and texts in one tensor");
    if (!elements_.real) {
      elements_.real = true;
      elements_.reals.assign(elements_.integers.begin(), elements_.integers.end());
      elements_.integers.clear();
    }
    elements_.reals.push_back(value);
    return true;
  }

  // Elements of [from, to] go into `field`.
  template <typename Field, typename Value>
  bool FillIntegers(Field* field, int64_t from, int64_t to, Value /*kind*/) {
    field->Reserve(static_cast<int>(elements_.integers.size()));
    for (size_t i = 0; i < elements_.integers.size(); ++i) {
      const int64_t value = elements_.integers[i];
      if (value < from || value > to) {
        return Bad("element " + std::to_string(i) + " is " + std::to_string(value) + ", " +
                   input().datatype() + " goes from " + std::to_string(from) + " to " +
                   std::to_string(to));
      }
      field->Add(static_cast<Value>(value));
    }
    return true;
  }
  template <typename Field, typename Value>
  bool FillReals(Field* field, Value /*kind*/) {
    if (elements_.real) {
      for (const double value : elements_.reals) field->Add(static_cast<Value>(value));
    } else {
      for (const int64_t value : elements_.integers) field->Add(static_cast<Value>(value));
    }
    return true;
  }

  bool EndInput() {
    if (!has_data_->back()) return true;
    const std::string& kind = input().datatype();
    auto* contents = input().mutable_contents();
    if (kind == "BYTES") {
      if (elements_.size() > elements_.texts.size()) return Bad("a BYTES tensor holds texts");
      for (std::string& text : elements_.texts) contents->add_bytes_contents(std::move(text));
      return true;
    }
    if (!elements_.texts.empty()) return Bad("texts in a tensor of datatype \"" + kind + "\"");
    if (kind == "FP32" || kind == "FP16" || kind == "BF16") {
      return FillReals(contents->mutable_fp32_contents(), float{});
    }
    if (kind == "FP64") return FillReals(contents->mutable_fp64_contents(), double{});
    if (kind == "BOOL") {
      return FillIntegers(contents->mutable_bool_contents(), 0, 1, bool{});
    }
    if (elements_.real) return Bad("fractions in a tensor of datatype \"" + kind + "\"");
    if (elements_.bools) return Bad("truth values in a tensor of datatype \"" + kind + "\"");
    constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
    if (kind == "UINT8") return FillIntegers(contents->mutable_uint_contents(), 0, 255, uint32_t{});
    if (kind == "UINT16") {
      return FillIntegers(contents->mutable_uint_contents(), 0, 65535, uint32_t{});
    }
    if (kind == "UINT32") {
      return FillIntegers(contents->mutable_uint_contents(), 0, 4294967295, uint32_t{});
    }
    if (kind == "UINT64") {
      return FillIntegers(contents->mutable_uint64_contents(), 0, kMost, uint64_t{});
    }
    if (kind == "INT8") return FillIntegers(contents->mutable_int_contents(), -128, 127, int32_t{});
    if (kind == "INT16") {
      return FillIntegers(contents->mutable_int_contents(), -32768, 32767, int32_t{});
    }
    if (kind == "INT32") {
      return FillIntegers(contents->mutable_int_contents(), -2147483648LL, 2147483647, int32_t{});
    }
    if (kind == "INT64") {
      return FillIntegers(contents->mutable_int64_contents(), -kMost - 1, kMost, int64_t{});
    }
    return Bad("datatype \"" + kind + "\" is not one of the protocol's");
  }

  bool Bad(const std::string& what) {
    if (status_.ok()) status_ = InvalidArgument(Where() + ": " + what);
    return false;
  }
  std::string Where() const {
    std::string where = "request";
    if (place() != Place::kOutside) {
      const bool in_input = place() == Place::kInput || place() == Place::kShape ||
                            place() == Place::kData;
      if (in_input || place() == Place::kInputs) where = "inputs";
      if (in_input) where += "[" + std::to_string(message_->inputs_size() - 1) + "]";
      if (place() == Place::kShape) return where + ".shape";
      if (place() == Place::kData) return where + ".data";
      if (place() == Place::kOutputs || place() == Place::kOutput) where = "outputs";
      if (place() == Place::kOutput) {
        where += "[" + std::to_string(message_->outputs_size() - 1) + "]";
      }
      if (place() == Place::kParameters) where = "parameters";
    }
    return key_.empty() ? where : where + "." + key_.substr(0, 64);
  }

  ModelInferRequest* const message_;
  std::vector<bool>* const has_data_;
  std::vector<Place> stack_;
  std::string key_;
  ParameterMap* parameters_ = nullptr;
  Elements elements_;
  bool complete_ = false;
  Status status_;
};

}  // namespace

Status ReadRestJson(std::string_view text, ModelInferRequest* message,
                    std::vector<bool>* has_data) {
  Reader reader(message, has_data);
  const bool read = Json::sax_parse(text.begin(), text.end(), &reader);
  if (!reader.status().ok()) return reader.status();
  if (!read || !reader.complete()) return InvalidArgument("the request must be a JSON object");
  return OkStatus();
}

}  // namespace braid::serving
