// The first signal itself gives the next one its default effect, so that it ends the program even if we hang.
#include "interrupt.h"

#include <unistd.h>

#include <cerrno>

namespace idelta::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t noted_signal = 0;

sigset_t all_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kSignals) sigaddset(&set, signal);
  return set;
}

// For those of them that the parent does not ignore.
void handle(void (*handler)(int)) {
  for (const int signal : kSignals) {
    struct sigaction action {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    action.sa_mask = all_signals();  // two at once come one after the other
    sigaction(signal, &action, nullptr);
  }
}

// Only calls that are safe in a handler.
void note(int signal) {
  const int before = errno;
  noted_signal = signal;
  handle(SIG_DFL);
  static constexpr char kPromise[] = "\nidelta: stopping after this batch; a second signal ends at once, unsaved\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kPromise, sizeof kPromise - 1);
  errno = before;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  noted_signal = 0;
  handle(note);
  pipe_before_ = std::signal(SIGPIPE, SIG_IGN);
}

InterruptGuard::~InterruptGuard() {
  handle(SIG_DFL);
  std::signal(SIGPIPE, pipe_before_);
}

int InterruptGuard::signal() const { return noted_signal; }

SignalsHeld::SignalsHeld() {
  const sigset_t held = all_signals();
  pthread_sigmask(SIG_BLOCK, &held, &before_);
}

SignalsHeld::~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace idelta::cli
