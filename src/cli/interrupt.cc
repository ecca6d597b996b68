// SA_RESETHAND gives the second signal its default effect without any code of ours, even if we hang.
#include "interrupt.h"

#include <csignal>

namespace idelta::cli {
namespace {

volatile std::sig_atomic_t noted_signal = 0;

void note(int signal) { noted_signal = signal; }

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
