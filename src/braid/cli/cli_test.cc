// The program from outside: what it prints, what it refuses, how it exits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "braid/base/file.h"
#include "braid/data/image_file.h"
#include "braid/model/cost.h"
#include "braid/model/file.h"
#include "braid/runtime/testing/random_network.h"

namespace braid::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

struct Outcome {
  int code = -1;
  std::string out, err;
  json Report() const { return json::parse(out); }  // throws unless it is one whole document
};

class CliTest : public testing::Test {
 protected:
  CliTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("braid_cli_test_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~CliTest() override { std::filesystem::remove_all(folder_); }

  std::string In(const std::string& name) const { return (folder_ / name).string(); }

  // Runs `program arguments` through the shell with an empty data folder and cache.
  Outcome Run(const std::string& arguments, const std::string& program = BRAID_PROGRAM) {
    const std::string command = "BRAID_DATA= XDG_CACHE_HOME=" + In("cache") + " " + program + " " +
                                arguments + " >" + In("out") + " 2>" + In("err") + " </dev/null";
    const int status = std::system(command.c_str());
    Outcome outcome;
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome.out = Text(In("out"));
    outcome.err = Text(In("err"));
    return outcome;
  }

  static std::string Text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // A four-group network with random weights for `digits`: its 15 sub-networks, and one point that
  // adds logits.
  std::string Model() {
    model::Network network = runtime::testing::SmallImageNetwork(3, 4, 4);
    network.labels = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    network.card = R"({"dataset": "none"})";
    model::OperatingPoint added;
    added.name = "g0+1,2+3";
    added.terms = {model::FindSubNetwork(network, GroupSet(0b0011)),
                   model::FindSubNetwork(network, GroupSet(0b1100))};
    added.head = network.points.front().head;
    const model::Cost cost = model::PointCost(network, added);
    added.macs_mean = added.macs_worst = cost.macs;
    added.weight_bytes = cost.weight_bytes;
    network.points.push_back(added);
    const std::string path = In("m.braid");
    const Status status = model::WriteModelFile(network, path);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return path;
  }

  std::filesystem::path folder_;
};

TEST_F(CliTest, TellsUsageErrorsFromFailures) {
  EXPECT_EQ(Run("--version").code, 0);
  EXPECT_EQ(Run("--help").code, 0);
  EXPECT_EQ(Run("").code, 2);
  EXPECT_EQ(Run("evil").code, 2);
  EXPECT_EQ(Run("eval --data digits").code, 2);  // no model
  EXPECT_EQ(Run("eval --model x --data digits --batch 0").code, 2);
  const Outcome missing = Run("inspect " + In("missing.braid"));
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.out, "");
  EXPECT_THAT(missing.err, HasSubstr("missing.braid: no such file"));
}

// Those two bring 33 others along: a third of a cold start (docs/results/kernels.md).
TEST_F(CliTest, LoadsNoDownloadLibraryAtItsStart) {
  const std::string loaded = Run("", std::string("env LD_TRACE_LOADED_OBJECTS=1 ") + BRAID_PROGRAM).out;
  EXPECT_THAT(loaded, HasSubstr("libcrypto"));
  EXPECT_THAT(loaded, Not(HasSubstr("libcurl")));
  EXPECT_THAT(loaded, Not(HasSubstr("libarchive")));
}

TEST_F(CliTest, HelpOfEveryCommandFitsAScreen) {
  const std::string help = Run("--help").out;
  std::istringstream lines(help.substr(help.find("Subcommands:")));
  std::string line;
  std::getline(lines, line);
  int commands = 0;
  while (std::getline(lines, line) && !line.empty()) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "train") continue;  // its help is braid-train's
    const Outcome outcome = Run(command + " --help");
    EXPECT_EQ(outcome.code, 0) << command;
    EXPECT_LE(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 40) << command;
    ++commands;
  }
  EXPECT_GE(commands, 4);
}

TEST_F(CliTest, ListsDataSets) {
  const json report = Run("data list --json").Report();
  ASSERT_EQ(report["datasets"].size(), 5u);
  EXPECT_EQ(report["datasets"][0]["name"], "mnist");
  EXPECT_TRUE(report["datasets"][0]["folder"].is_null());
}

TEST_F(CliTest, SaysWhereDataIsMissing) {
  const Outcome outcome = Run("data digest --data mnist --offline --json");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr(In("cache") + "/braid/mnist"));
}

TEST_F(CliTest, ReadsBackWhatItGenerates) {
  const json made =
      Run("data generate digits --count 30 --seed 5 --json --out " + In("cache/braid/mnist"))
          .Report();
  // The generator's files have MNIST's form, so they can stand in for it.
  const json read = Run("data digest --data mnist --offline --json").Report();
  EXPECT_EQ(read["images"], 30);
  EXPECT_EQ(read["data_digest"], made["test_digest"]);
  EXPECT_EQ(read["data_files"][0]["known"], false);
}

TEST_F(CliTest, VerifiesAModelOnEveryPath) {
  const std::string model = Model();
  const Outcome before = Run("verify --json " + model);
  EXPECT_EQ(before.code, 1);
  EXPECT_TRUE(before.Report()["equal"].is_null());
  EXPECT_THAT(before.err, HasSubstr("nothing to verify"));

  const json written = Run("verify --write --json " + model).Report();
  EXPECT_GE(written["images"], 2);
  EXPECT_GT(written["exercised_weights"].get<int>(), written["weights"].get<int>() / 2);
  const Outcome after = Run("verify --json " + model);
  EXPECT_EQ(after.code, 0) << after.err;
  const json report = after.Report();
  EXPECT_EQ(report["model"], model);
  EXPECT_EQ(report["model_digest"], written["model_digest"]);
  EXPECT_EQ(report["equal"], true);
  EXPECT_TRUE(report["first_difference"].is_null());
  EXPECT_EQ(report["kernels"][0], "scalar");
  EXPECT_EQ(Run("verify --kernels scalar " + model).code, 0);
  EXPECT_EQ(Run("verify --write --json " + model).Report()["model_digest"],
            written["model_digest"]);
  EXPECT_EQ(Run("verify --out " + In("x") + " " + model).code, 2) << "only with --write";
}

TEST_F(CliTest, VerifyLocatesAFlippedBit) {
  const std::string model = Model();
  ASSERT_EQ(Run("verify --write " + model).code, 0);
  std::vector<uint8_t> bytes = *ReadFile(model);
  const std::vector<int8_t> weights = model::ReadModelFile(model)->network.layers[2].weights;
  const auto same = [](uint8_t a, int8_t b) { return a == static_cast<uint8_t>(b); };
  const auto at = std::search(bytes.begin(), bytes.end(), weights.begin(), weights.end(), same);
  ASSERT_NE(at, bytes.end());
  at[100] ^= 0x20;
  ASSERT_TRUE(WriteFileAtomically(model, bytes).ok());
  const Outcome damaged = Run("verify --json " + model);
  EXPECT_EQ(damaged.code, 1);
  const json report = damaged.Report();
  EXPECT_EQ(report["equal"], false);
  EXPECT_EQ(report["first_difference"]["tensor"], "layers[2].weights");
  EXPECT_THAT(damaged.err, HasSubstr("layers[2].weights"));
}

TEST_F(CliTest, VerifyFindsOtherBitsThanTheMakers) {
  ASSERT_EQ(Run("verify --write " + Model()).code, 0);
  // What a processor with wrong kernels would see: other maps than the digests of the file.
  model::Network network = model::ReadModelFile(In("m.braid"))->network;
  network.sub_networks[4].map_digests[2 * 16] ^= 1;
  ASSERT_TRUE(model::WriteModelFile(network, In("m.braid")).ok());
  const Outcome outcome = Run("verify --json " + In("m.braid"));
  EXPECT_EQ(outcome.code, 1);
  const json difference = outcome.Report()["first_difference"];
  EXPECT_EQ(difference["kernels"], "scalar");
  EXPECT_EQ(difference["sub_network"], "g0+2");
  EXPECT_EQ(difference["layer"], 2);
  EXPECT_EQ(difference["group"], 0);
  EXPECT_TRUE(difference["element"].is_null());
  EXPECT_THAT(Run("verify " + In("m.braid")).out, HasSubstr("differs  kernels scalar"));
}

TEST_F(CliTest, ExportsOnnx) {
  const std::string model = Model();
  for (const std::string form : {"qdq", "integer"}) {
    const Outcome outcome = Run("export --json --form " + form + " --point g0+1,2+3 --out " +
                                In("x.onnx") + " " + model);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.Report()["form"], form);
    EXPECT_EQ(outcome.Report()["onnx_bytes"], std::filesystem::file_size(In("x.onnx")));
  }
  const Outcome unknown = Run("export --point g9 --out " + In("y.onnx") + " " + model);
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("no operating point 'g9'"));
  EXPECT_FALSE(std::filesystem::exists(In("y.onnx")));
}

TEST_F(CliTest, ImportsOnnx) {
  const std::string onnx = std::string(BRAID_ONNX) + "/digits_resnet.onnx";
  const Outcome outcome = Run("import --json --mean 128 --std 64 --limit 32 --calibration digits "
                              "--out " + In("i.braid") + " " + onnx);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json report = outcome.Report();
  EXPECT_EQ(report["layers"].size(), 12u);
  EXPECT_GE(report["same_class"], 0.9);
  EXPECT_EQ(Run("verify " + In("i.braid")).code, 0);
  const json accuracy = Run("eval --json --limit 100 --data-seed 7 --data digits --model " +
                            In("i.braid")).Report();
  EXPECT_GE(accuracy["operating_points"][0]["accuracy"], 0.9);

  EXPECT_EQ(Run("import --out " + In("j.braid") + " " + onnx).code, 2) << "no pictures";
  const Outcome broken = Run("import --calibration digits --limit 2 --out " + In("j.braid") + " " +
                             In("i.braid"));
  EXPECT_EQ(broken.code, 1);
  EXPECT_THAT(broken.err, HasSubstr("not an ONNX file"));
  EXPECT_FALSE(std::filesystem::exists(In("j.braid")));
}

TEST_F(CliTest, ImportTakesTheMiddleOfLargerPictures) {
  const std::string onnx = std::string(BRAID_ONNX) + "/digits_resnet.onnx";
  std::filesystem::create_directories(In("pictures"));
  for (int i = 0; i < 4; ++i) {
    std::vector<uint8_t> pixels(36 * 40 * 3);
    for (size_t p = 0; p < pixels.size(); ++p) pixels[p] = static_cast<uint8_t>(p * 7 + p / 9 * 31);
    const auto png = data::EncodePng(pixels, {.height = 36, .width = 40, .channels = 3});
    ASSERT_TRUE(WriteFileAtomically(In("pictures/" + std::to_string(i) + ".png"), *png).ok());
  }
  const std::string common = "import --json --mean 128 --std 64 --calibration-folder " +
                             In("pictures") + " --out " + In("c.braid") + " " + onnx;
  EXPECT_EQ(Run(common + " --size 28,28,1").code, 1) << "of another size";
  const Outcome small = Run(common + " --size 40,40,1 --crop");
  EXPECT_EQ(small.code, 1);
  EXPECT_THAT(small.err, HasSubstr("36x40x1 pixels, and --size wants 40x40x1 of them"));
  EXPECT_FALSE(std::filesystem::exists(In("c.braid")));
  const Outcome outcome = Run(common + " --size 28,28,1 --crop");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.Report()["calibration_images"], 4);
  EXPECT_TRUE(outcome.Report()["same_pixels"].is_null()) << "a classifier";
}

TEST_F(CliTest, QuantizesInTheSchemesThatItCompares) {
  const std::string onnx = std::string(BRAID_ONNX) + "/digits_resnet.onnx";
  const std::string common = "quantize --json --mean 128 --std 64 --limit 16 --data digits --test 20 ";
  for (const std::string scheme : {"bounded", "minmax", "entropy"}) {
    const Outcome outcome = Run(common + "--bits 6 --step per-layer --scheme " + scheme + " " + onnx);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const json test = outcome.Report()["test"];
    EXPECT_EQ(test["split"], "test");
    EXPECT_GE(test["float_accuracy"], 0.9);
    EXPECT_GE(test["accuracy"], 0.7) << scheme;
    EXPECT_GT(test["layers"][1]["sqnr_db"], 10) << scheme;
    EXPECT_FALSE(outcome.Report().contains("model"));
  }
  for (const std::string wrong : {"--bits 6", "--scheme minmax"}) {
    const Outcome outcome = Run(common + wrong + " --out " + In("q.braid") + " " + onnx);
    EXPECT_EQ(outcome.code, 2) << "a model file holds 8 bits of the bounded scheme only";
    EXPECT_FALSE(std::filesystem::exists(In("q.braid")));
  }
  EXPECT_EQ(Run("quantize --data digits " + onnx).code, 2) << "neither --out nor --test";
  EXPECT_EQ(Run(common + "--snap " + onnx).code, 2) << "--snap without one step a layer";
}

TEST_F(CliTest, InspectsAModel) {
  const json report = Run("inspect --json " + Model()).Report();
  EXPECT_EQ(report["groups"], 4);
  EXPECT_EQ(report["input"], json({28, 28, 1}));
  EXPECT_EQ(report["sub_networks"].size(), 15u);
  EXPECT_EQ(report["operating_points"].size(), 16u);
  EXPECT_EQ(report["card"]["dataset"], "none");
  EXPECT_EQ(report["model_digest"].get<std::string>().size(), 64u);
  EXPECT_THAT(Run("inspect " + Model()).out, HasSubstr("g0-3"));
}

TEST_F(CliTest, RefusesADamagedModel) {
  std::vector<uint8_t> bytes = *ReadFile(Model());
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(WriteFileAtomically(In("bad.braid"), bytes).ok());
  const Outcome outcome = Run("eval --data digits --limit 4 --json --model " + In("bad.braid"));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("bad.braid"));
}

TEST_F(CliTest, EvaluatesWithTheDocumentedKeys) {
  const json report =
      Run("eval --data digits --limit 40 --points g0 g0-3 --json --model " + Model()).Report();
  EXPECT_EQ(report["dataset"], "digits");
  EXPECT_EQ(report["split"], "test");
  EXPECT_EQ(report["images"], 40);
  ASSERT_EQ(report["operating_points"].size(), 2u);
  const json& point = report["operating_points"][1];
  EXPECT_EQ(point["name"], "g0-3");
  EXPECT_EQ(point["accuracy"].get<double>(), point["correct"].get<double>() / 40);
  EXPECT_GT(point["macs"], report["operating_points"][0]["macs"]);
  EXPECT_GT(point["weight_bytes"], 0);
}

TEST_F(CliTest, GivesTheSameLogitsForEveryKernelPathBatchAndThread) {
  const std::string base =
      "eval --data digits --limit 24 --points g0-3 g0+1,2+3 --json --model " + Model();
  const json reference = Run(base + " --kernels scalar --batch 1 --threads 1").Report();
  for (const char* variant : {"--batch 7 --threads 3", "--batch 64 --threads 1"}) {
    const json report = Run(base + " " + variant).Report();
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(report["operating_points"][i]["logits_digest"],
                reference["operating_points"][i]["logits_digest"])
          << variant;
    }
  }
}

TEST_F(CliTest, GivesTheSameLogitsOnSeveralDevices) {
  for (const char* devices : {"2", "3", "4"}) {
    const json report = Run(std::string("eval --data digits --limit 16 --json --devices ") +
                            devices + " --model " + Model())
                            .Report();
    ASSERT_EQ(report["operating_points"].size(), 16u);
    for (const json& point : report["operating_points"]) EXPECT_EQ(point["equal"], true) << point;
  }
}

TEST_F(CliTest, NamesTheOperatingPointsThatThereAre) {
  const Outcome outcome = Run("eval --data digits --limit 4 --points g7 --model " + Model());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("no operating point 'g7'; it has g0 "));
}

TEST_F(CliTest, RefusesDataOfAnotherShape) {
  const Outcome outcome = Run("eval --data shapes --limit 4 --model " + Model());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("takes 28x28x1 pixels, shapes has 32x32x3"));
}

TEST_F(CliTest, ClassifiesAPictureAndRefusesAnotherSize) {
  const std::string model = Model();
  const auto png = data::EncodePng(std::vector<uint8_t>(28 * 28, 100), {28, 28, 1});
  ASSERT_TRUE(png.ok() && WriteFileAtomically(In("a.png"), *png).ok());
  const json report = Run("infer --json --point g0 --model " + model + " " + In("a.png")).Report();
  EXPECT_EQ(report["operating_point"], "g0");
  ASSERT_EQ(report["images"].size(), 1u);
  EXPECT_EQ(report["images"][0]["logits"].size(), 10u);
  EXPECT_EQ(report["images"][0]["label"], std::to_string(report["images"][0]["class"].get<int>()));

  const auto other = data::EncodePng(std::vector<uint8_t>(30 * 28, 100), {30, 28, 1});
  ASSERT_TRUE(other.ok() && WriteFileAtomically(In("b.png"), *other).ok());
  const Outcome refused = Run("infer --model " + model + " " + In("b.png"));
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("28x30 pixels, the model takes 28x28"));
}

TEST_F(CliTest, EnlargesAPictureWithTheSameBitsInEveryTileAndOnEveryPath) {
  const std::string model = In("restoring.braid");
  ASSERT_TRUE(model::WriteModelFile(runtime::testing::RestoringNetwork(3, 4, 12, 12), model).ok());
  std::vector<uint8_t> pixels;
  for (int i = 0; i < 3 * 30 * 41; ++i) pixels.push_back(static_cast<uint8_t>(37 * i + i * i / 50));
  const auto png = data::EncodePng(pixels, {30, 41, 3});
  ASSERT_TRUE(png.ok() && WriteFileAtomically(In("small.png"), *png).ok());
  const std::string base = "enlarge --model " + model + " --scale 3 " + In("small.png");
  const json report = Run(base + " --json --out " + In("large.png")).Report();
  EXPECT_EQ(report["height"], 90);
  EXPECT_EQ(report["width"], 123);
  const std::string large = Text(In("large.png"));
  EXPECT_FALSE(large.empty());
  for (const char* variant : {"--tile 11", "--tile 40 --threads 2", "--kernels scalar --tile 64"}) {
    ASSERT_EQ(Run(base + " " + variant + " --out " + In("tiled.png")).code, 0) << variant;
    EXPECT_EQ(Text(In("tiled.png")), large) << variant;
  }
  const Outcome small_tile = Run(base + " --tile 10 --out " + In("tiled.png"));
  EXPECT_EQ(small_tile.code, 1);
  EXPECT_THAT(small_tile.err, HasSubstr("expected more than the 10 that its edges lose"));
  // As it is: no interpolation before.
  const std::string plain = "restore --model " + model + " " + In("small.png") + " --out ";
  EXPECT_EQ(Run(plain + In("restored.png") + " --json").Report()["width"], 41);
  const std::string restored = Text(In("restored.png"));
  EXPECT_NE(restored, Text(In("small.png")));
  ASSERT_EQ(Run(plain + In("tiled.png") + " --tile 11 --kernels scalar").code, 0);
  EXPECT_EQ(Text(In("tiled.png")), restored);
  // Each kind of model says what it is for.
  EXPECT_THAT(Run("enlarge --model " + Model() + " " + In("small.png") + " --out x.png").err,
              HasSubstr("does not restore images"));
  EXPECT_THAT(Run("infer --model " + model + " " + In("small.png")).err,
              HasSubstr("answers with maps"));
  EXPECT_THAT(Run("eval --data digits --limit 4 --model " + model).err,
              HasSubstr("the model restores images"));
  EXPECT_EQ(Run("export " + model + " --point g0 --out " + In("m.onnx")).code, 0);
}

TEST_F(CliTest, MeasuresPsnrOfARestoringModel) {
  const std::string model = In("restoring.braid");
  ASSERT_TRUE(model::WriteModelFile(runtime::testing::RestoringNetwork(3, 4, 12, 12), model).ok());
  std::filesystem::create_directories(In("cache/braid/sr/Set5"));
  std::vector<uint8_t> pixels;
  for (int i = 0; i < 48 * 48; ++i) pixels.push_back(static_cast<uint8_t>(i * i / 300));
  const auto png = data::EncodePng(pixels, {48, 48, 1});
  ASSERT_TRUE(png.ok() && WriteFileAtomically(In("cache/braid/sr/Set5/a.png"), *png).ok());
  const json report = Run("eval --data set5 --points g0 g0+1 --json --model " + model).Report();
  EXPECT_EQ(report["images"], 1);
  ASSERT_EQ(report["psnr"].size(), 6u);
  for (const json& row : report["psnr"]) {
    EXPECT_GT(row["bicubic"], row["integer"]);  // random weights restore nothing
    EXPECT_TRUE(row["card_float"].is_null());
  }
  const json scalar =
      Run("eval --data set5 --points g0 g0+1 --json --kernels scalar --model " + model).Report();
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(scalar["psnr"][i]["integer"], report["psnr"][i]["integer"]);
  }
}

TEST_F(CliTest, HandsTheCommandLineToTheTrainingProgramBesideIt) {
  std::filesystem::copy_file(BRAID_PROGRAM, In("braid"));
  const Outcome absent = Run("train fluid", In("braid"));
  EXPECT_EQ(absent.code, 1);
  EXPECT_THAT(absent.err, HasSubstr("braid-train is not there"));

  std::ofstream(In("braid-train")) << "#!/bin/sh\necho \"$@\"\nexit 7\n";
  std::filesystem::permissions(In("braid-train"), std::filesystem::perms::owner_all);
  const Outcome outcome = Run("train fluid --epochs 3 --json --help -- x", In("braid"));
  EXPECT_EQ(outcome.code, 7);
  EXPECT_EQ(outcome.out, "train fluid --epochs 3 --json --help -- x\n");
}

}  // namespace
}  // namespace braid::cli
