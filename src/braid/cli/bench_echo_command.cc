// `braid bench-echo`: the echo server of `braid bench serve`, with ONNX Runtime behind it where asked
// for; not for people. Layer: cli.
#include <sched.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "braid/cli/commands.h"
#include "braid/cli/report.h"
#include "braid/onnxruntime/session.h"
#include "braid/serving/echo_doors.h"

namespace braid::cli {
namespace {

struct Arguments {
  int classes = 10;
  int cpu = -1;
  std::string onnxruntime, onnx;
  std::vector<int64_t> input = {1, 1, 1};
};

// Pixels as they come into the session's uint8 tensor; its logits, rounded.
Result<serving::EchoAnswer> OnnxAnswer(const Arguments& arguments) {
  BRAID_ASSIGN_OR_RETURN(
      std::shared_ptr<OnnxSession> session,
      OnnxSession::Open(arguments.onnxruntime, arguments.onnx, OnnxInput::kUint8, arguments.input,
                        /*batch=*/1, /*threads=*/1));
  return serving::EchoAnswer(
      [session](std::string_view pixels, std::span<int32_t> logits) -> Status {
        const std::span<std::byte> input = session->input();
        if (pixels.size() != input.size()) return InvalidArgument("not one image");
        std::memcpy(input.data(), pixels.data(), pixels.size());
        BRAID_RETURN_IF_ERROR(session->Run());
        BRAID_ASSIGN_OR_RETURN(const float* values, session->logits());
        for (size_t i = 0; i < logits.size(); ++i) {
          logits[i] = static_cast<int32_t>(std::lround(values[i]));
        }
        return OkStatus();
      });
}

Status RunEcho(const Arguments& arguments) {
  if (const int cpu = arguments.cpu; cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(cpu), &set);
    if (::sched_setaffinity(0, sizeof(set), &set) != 0) return InvalidArgument("no such processor");
  }
  serving::EchoAnswer answer;
  if (!arguments.onnxruntime.empty()) {
    BRAID_ASSIGN_OR_RETURN(answer, OnnxAnswer(arguments));
  }
  serving::EventLoop loop;
  BRAID_ASSIGN_OR_RETURN(const auto doors,
                         serving::EchoDoors::Open(&loop, arguments.classes, std::move(answer)));
  std::printf("%s\n", Json({{"grpc", doors->grpc_address()}, {"rest", doors->rest_address()}})
                          .dump()
                          .c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {  // until whoever started us goes
  }
  return OkStatus();
}

}  // namespace

void AddBenchEchoCommand(CLI::App& program, Work& work) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("bench-echo", "");
  command->group("");  // hidden: only `braid bench serve` starts it
  command->add_option("--classes", arguments->classes)->check(CLI::Range(1, 100000));
  command->add_option("--cpu", arguments->cpu)->check(CLI::Range(-1, 1023));
  command->add_option("--onnxruntime", arguments->onnxruntime);
  command->add_option("--onnx", arguments->onnx);
  command->add_option("--input", arguments->input)->expected(3);
  command->callback([arguments, &work] { work = [arguments] { return RunEcho(*arguments); }; });
}

}  // namespace braid::cli
