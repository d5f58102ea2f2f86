// braid export: an operating point as an ONNX file. Layer: cli.
#include <fmt/format.h>

#include <memory>

#include "braid/base/digest.h"
#include "braid/base/file.h"
#include "braid/cli/commands.h"
#include "braid/cli/model_options.h"
#include "braid/cli/report.h"
#include "braid/convert/export_onnx.h"
#include "braid/model/file.h"

namespace braid::cli {
namespace {

struct Options {
  std::string model, point, out;
  std::string form = "qdq";
  bool json = false;
};

Status Export(const Options& options) {
  BRAID_ASSIGN_OR_RETURN(const model::ModelFile file, model::ReadModelFile(options.model));
  BRAID_ASSIGN_OR_RETURN(const auto points, ChoosePoints(file.network, {options.point}));
  const convert::OnnxForm form =
      options.form == "integer" ? convert::OnnxForm::kInteger : convert::OnnxForm::kQdq;
  BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                         convert::ExportOnnx(file.network, *points.front(),
                                             {.form = form, .version = BRAID_VERSION}));
  BRAID_RETURN_IF_ERROR(WriteFileAtomically(options.out, bytes));
  if (options.json) {
    PrintJson({{"model", options.model},
               {"model_digest", file.digest},
               {"operating_point", options.point},
               {"form", options.form},
               {"onnx", options.out},
               {"onnx_bytes", bytes.size()},
               {"onnx_digest", ToHex(Sha256(bytes))}});
  } else {
    fmt::print("{}: {} of {}, {} form, {} bytes\n", options.out, options.point,
               file.network.name, options.form, bytes.size());
  }
  return OkStatus();
}

}  // namespace

void AddExportCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("export", "Write an operating point as ONNX");
  command->add_option("model", options->model, "The .braid file")->required()->type_name("FILE");
  command->add_option("--point", options->point, "The operating point, as in `braid inspect`")
      ->required()
      ->type_name("NAME");
  command->add_option("--out", options->out, "The .onnx file to write")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--form", options->form,
                   "qdq: quantized float operators, fast in other runtimes; integer: the same bits")
      ->check(CLI::IsMember({"qdq", "integer"}))
      ->capture_default_str()
      ->type_name("FORM");
  command->add_flag("--json", options->json, "Report as one JSON document");
  command->callback([options, &work] { work = [options] { return Export(*options); }; });
}

}  // namespace braid::cli
