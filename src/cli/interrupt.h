// Ctrl-C while something worth saving is under way: the first one asks, the second one ends the program at once.
#ifndef IDELTA_CLI_INTERRUPT_H
#define IDELTA_CLI_INTERRUPT_H

namespace idelta::cli {

// While one of these lives, the first SIGINT or SIGTERM is only noted, and said on stderr; the next has its usual
// effect.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  // The signal that came, 0 if none did.
  int signal() const;
};

}  // namespace idelta::cli

#endif  // IDELTA_CLI_INTERRUPT_H
