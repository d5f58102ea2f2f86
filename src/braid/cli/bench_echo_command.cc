// `braid bench-echo`: the echo server of `braid bench serve`; not for people. Layer: cli.
#include <sched.h>

#include <cstdio>
#include <memory>
#include <string>

#include "braid/cli/commands.h"
#include "braid/cli/report.h"
#include "braid/serving/echo_doors.h"

namespace braid::cli {
namespace {

Status RunEcho(int classes, int cpu) {
  if (cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(cpu), &set);
    if (::sched_setaffinity(0, sizeof(set), &set) != 0) return InvalidArgument("no such processor");
  }
  serving::EventLoop loop;
  BRAID_ASSIGN_OR_RETURN(const auto doors, serving::EchoDoors::Open(&loop, classes));
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
  struct Arguments {
    int classes = 10;
    int cpu = -1;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("bench-echo", "");
  command->group("");  // hidden: only `braid bench serve` starts it
  command->add_option("--classes", arguments->classes)->check(CLI::Range(1, 100000));
  command->add_option("--cpu", arguments->cpu)->check(CLI::Range(-1, 1023));
  command->callback([arguments, &work] {
    work = [arguments] { return RunEcho(arguments->classes, arguments->cpu); };
  });
}

}  // namespace braid::cli
