// Turns begin on a quiet machine. Threads that have done their part of a call spin for a while in case another follows:
// OpenMP's milliseconds, idelta's own a tenth of one. Whoever comes next on the same cores pays for it.
#pragma once

namespace idelta::bench {

// Sleeps until no other thread of this process uses a processor; false if one still does after 50 ms, as those of
// OMP_WAIT_POLICY=active do.
bool settle();

}  // namespace idelta::bench
