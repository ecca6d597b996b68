// The first signal itself gives the next one the effect that it had before, so that it ends the program even if we
// hang.
#include "interrupt.h"

#include <unistd.h>

#include <cerrno>

namespace idelta::cli {
namespace {

// What handlers read and write.
volatile std::sig_atomic_t noted_signal = 0;
volatile std::sig_atomic_t held_signals[kEndingSignals.size()] = {};
SignalActions before_the_guard;

// All of these can be called in a handler.

SignalActions current_actions() {
  SignalActions actions{};
  for (size_t s = 0; s < kEndingSignals.size(); ++s) sigaction(kEndingSignals[s], nullptr, &actions[s]);
  return actions;
}

// `handler` for those that are not ignored.
void handle(void (*handler)(int), const SignalActions& now) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int signal : kEndingSignals) sigaddset(&action.sa_mask, signal);  // two at once: one after the other
  for (size_t s = 0; s < kEndingSignals.size(); ++s) {
    if (now[s].sa_handler != SIG_IGN) sigaction(kEndingSignals[s], &action, nullptr);
  }
}

void restore(const SignalActions& actions) {
  for (size_t s = 0; s < kEndingSignals.size(); ++s) sigaction(kEndingSignals[s], &actions[s], nullptr);
}

void note(int signal) {
  const int before = errno;
  noted_signal = signal;
  restore(before_the_guard);
  static constexpr char kPromise[] = "\nidelta: stopping after this batch; a second signal ends at once, unsaved\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kPromise, sizeof kPromise - 1);
  errno = before;
}

void hold(int signal) {
  for (size_t s = 0; s < kEndingSignals.size(); ++s) {
    if (kEndingSignals[s] == signal) held_signals[s] = 1;
  }
}

}  // namespace

InterruptGuard::InterruptGuard() {
  noted_signal = 0;
  before_the_guard = current_actions();
  handle(note, before_the_guard);
  pipe_before_ = std::signal(SIGPIPE, SIG_IGN);
}

InterruptGuard::~InterruptGuard() {
  restore(before_the_guard);
  std::signal(SIGPIPE, pipe_before_);
}

int InterruptGuard::signal() const { return noted_signal; }

// Not a mask: that is one thread's, and libraries have threads of their own, which would take the signal.
SignalsHeld::SignalsHeld() : before_(current_actions()) { handle(hold, before_); }

SignalsHeld::~SignalsHeld() {
  restore(before_);
  for (size_t s = 0; s < kEndingSignals.size(); ++s) {
    if (held_signals[s] == 0) continue;
    held_signals[s] = 0;
    raise(kEndingSignals[s]);
  }
}

}  // namespace idelta::cli
