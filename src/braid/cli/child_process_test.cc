#include "braid/cli/child_process.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace braid::cli {
namespace {

TEST(ChildProcessTest, KeepsNoConnectionOfItsParentOpen) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);  // inherited, as Asio's sockets are
  const auto child = ChildProcess::Start({"/bin/cat"});
  ASSERT_TRUE(child.ok()) << child.status().ToString();
  ASSERT_TRUE((*child)->WriteLine("here").ok());
  const auto line = (*child)->ReadLine(std::chrono::seconds(30));  // it runs
  ASSERT_TRUE(line.ok()) << line.status().ToString();
  ::close(ends[0]);
  pollfd other{ends[1], POLLIN, 0};
  ASSERT_EQ(::poll(&other, 1, 10'000), 1) << "the other end never heard of the end";
  char byte = 0;
  EXPECT_EQ(::read(ends[1], &byte, 1), 0);
  ::close(ends[1]);
}

}  // namespace
}  // namespace braid::cli
