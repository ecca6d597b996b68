// Signals of the idelta program: held while a file is written, noted while work is worth saving.
#include "src/cli/interrupt.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

namespace idelta::cli {
namespace {

constexpr int kDone = 42;  // the exit code of a child that came to its end

// Runs in a child, whose wait status it returns. The child has a second thread that takes signals, as one of OpenBLAS
// does.
template <class Body>
int status_of(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    std::thread([] {
      for (;;) pause();
    }).detach();
    for (const int signal : kEndingSignals) std::signal(signal, SIG_DFL);
    body();
    _exit(kDone);
  }
  int status = 0;
  EXPECT_EQ(child, waitpid(child, &status, 0));
  return status;
}

// Sent to the whole process from outside of it, so that any of its threads may take it.
void receive(int signal) {
  const pid_t process = getpid();
  const pid_t sender = fork();
  if (sender == 0) {
    kill(process, signal);
    _exit(0);
  }
  waitpid(sender, nullptr, 0);
  usleep(20000);
}

// By the pipe, the child tells that it was still alive at the end of the held part.
bool ends_after_held_part(int signal, bool blocked) {
  int ends[2];
  EXPECT_EQ(0, pipe(ends));
  const int status = status_of([&] {
    // The other thread is then the only one that can take it.
    sigset_t all;
    sigfillset(&all);
    if (blocked) pthread_sigmask(SIG_SETMASK, &all, nullptr);
    {
      const SignalsHeld held;
      receive(signal);
      [[maybe_unused]] const ssize_t written = write(ends[1], "!", 1);
      if (blocked) pthread_sigmask(SIG_UNBLOCK, &all, nullptr);
    }
  });
  close(ends[1]);
  char byte = 0;
  const bool whole = read(ends[0], &byte, 1) == 1;
  close(ends[0]);
  return whole && WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

TEST(SignalsHeld, SignalEndsTheProgramAfterTheWriteAndNotBefore) {
  for (const int signal : kEndingSignals) {
    EXPECT_TRUE(ends_after_held_part(signal, false)) << signal;
    EXPECT_TRUE(ends_after_held_part(signal, true)) << signal << ", taken by another thread";
  }
}

TEST(SignalsHeld, WithoutASignalNothingIsLeftBehind) {
  const int status = status_of([] {
    { const SignalsHeld held; }
    raise(SIGTERM);
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

TEST(SignalsHeld, WhatTheParentIgnoresStaysIgnored) {
  const int status = status_of([] {
    std::signal(SIGHUP, SIG_IGN);
    {
      const SignalsHeld held;
      receive(SIGHUP);
    }
    receive(SIGHUP);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kDone);
}

// Training saves under both: the signal of the write is noted, and the caller can tell that it came.
TEST(SignalsHeld, SignalReachesTheGuardAroundIt) {
  const int status = status_of([] {
    const InterruptGuard guard;
    {
      const SignalsHeld held;
      receive(SIGINT);
      if (guard.signal() != 0) _exit(1);
    }
    _exit(guard.signal() == SIGINT ? kDone : 2);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kDone) << status;
}

TEST(InterruptGuard, SecondSignalHasTheEffectOfBefore) {
  const int status = status_of([] {
    std::signal(SIGTERM, [](int) { _exit(kDone); });
    const InterruptGuard guard;
    receive(SIGHUP);
    receive(SIGTERM);
    _exit(1);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kDone) << status;
}

}  // namespace
}  // namespace idelta::cli
