// Signals that ask the program to end: SIGINT (Ctrl-C), SIGTERM (kill), SIGHUP (the terminal went away). Those that the
// parent has set to ignore (nohup, a shell's background jobs) stay ignored.
//
// Where nothing below is alive they have their usual effect: the program ends at once, and a shell sees 128 + signal.
#ifndef IDELTA_CLI_INTERRUPT_H
#define IDELTA_CLI_INTERRUPT_H

#include <array>
#include <csignal>

namespace idelta::cli {

inline constexpr std::array kEndingSignals = {SIGINT, SIGTERM, SIGHUP};

// What each of them does.
using SignalActions = std::array<struct sigaction, kEndingSignals.size()>;

// For work that is worth saving: the first signal is only noted, and said on stderr; the next one, whichever it is,
// ends the program at once. Meanwhile nobody's having stopped to read our output (SIGPIPE) ends it. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  // The signal that came, 0 if none did.
  int signal() const;

 private:
  void (*pipe_before_)(int);
};

// For writing a file that is to be whole or not there: signals wait until the end, whichever thread they reach. One at
// a time.
class SignalsHeld {
 public:
  SignalsHeld();
  ~SignalsHeld();
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  SignalActions before_;
};

}  // namespace idelta::cli

#endif  // IDELTA_CLI_INTERRUPT_H
