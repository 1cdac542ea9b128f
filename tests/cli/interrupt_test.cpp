#include "cli/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>

namespace motley {
namespace {

using Handler = void (*)(int);

Handler handler_of(int signal) {
  struct sigaction now {};
  sigaction(signal, nullptr, &now);
  return now.sa_handler;
}

TEST(Interrupt, WhoeverHoldsHalfAFileHearsThatTheProgramShouldEnd) {
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Interrupt interrupt(Interrupt::Signals::all);
    EXPECT_FALSE(interrupt.asked());
    std::raise(signal);
    EXPECT_TRUE(interrupt.asked());
    std::raise(SIGHUP);  // a terminal that closes sends it more than once
    std::raise(SIGTERM);
  }
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) EXPECT_EQ(handler_of(signal), SIG_DFL);
}

TEST(Interrupt, OnlyCtrlCIsHeardElsewhere) {
  Interrupt interrupt;
  EXPECT_EQ(handler_of(SIGTERM), SIG_DFL);
  EXPECT_EQ(handler_of(SIGHUP), SIG_DFL);
  std::raise(SIGINT);
  EXPECT_TRUE(interrupt.asked());
}

TEST(Interrupt, WhatIsIgnoredStaysSo) {
  std::signal(SIGHUP, SIG_IGN);  // nohup
  {
    Interrupt interrupt(Interrupt::Signals::all);
    std::raise(SIGHUP);
    EXPECT_FALSE(interrupt.asked());
  }
  EXPECT_EQ(handler_of(SIGHUP), SIG_IGN);
  std::signal(SIGHUP, SIG_DFL);
}

TEST(InterruptDeathTest, ASecondCtrlCEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        Interrupt interrupt;
        std::raise(SIGINT);
        std::raise(SIGINT);
      },
      ::testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace motley
