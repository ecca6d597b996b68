// SA_RESETHAND gives the second signal its default effect without any code of ours, even if we hang.
#include "interrupt.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace idelta::cli {
namespace {

volatile std::sig_atomic_t noted_signal = 0;

void note(int signal) {
  noted_signal = signal;
  static constexpr char kPromise[] = "\nidelta: stopping after this batch; a second signal ends at once, unsaved\n";
  const int before = errno;
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kPromise, sizeof kPromise - 1);  // nothing else is safe
  errno = before;
}

void handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  noted_signal = 0;
  handle(note);
}

InterruptGuard::~InterruptGuard() { handle(SIG_DFL); }

int InterruptGuard::signal() const { return noted_signal; }

}  // namespace idelta::cli
