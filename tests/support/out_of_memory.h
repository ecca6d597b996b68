// Calls that are made again and again, each time with another of their requests for memory refused.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "idelta/idelta.hpp"
#include "support/allocations.h"

namespace idelta_test {

enum class Ended {
  kDone,      // if with memory refused, it did without
  kNoMemory,  // said so
  kOtherwise  // said something else
};

struct Refusable {
  std::string name;
  std::function<void()> prepare;                   // before every call: objects and outputs as they were at first
  std::function<Ended()> call;                     // asks for no memory of its own
  std::function<std::vector<uint32_t>()> results;  // all that the call could change: outputs, and what objects do next
  size_t least = 0;                                // bytes of the requests that are refused
};

struct Results {
  std::vector<uint32_t> before, after;
};
// Of a call that finds all the memory it wants.
inline Results usual_results(const Refusable& of) {
  of.prepare();
  Results usual = {of.results(), {}};
  EXPECT_EQ(Ended::kDone, of.call()) << of.name;
  usual.after = of.results();
  return usual;
}

struct Attempt {
  bool happened;  // a request was refused
  Ended ended;
  int64_t held;  // memory blocks, by everybody, after the call
};
inline Attempt attempt(const Refusable& of, int64_t which, Refuse how) {
  of.prepare();
  Attempt made;
  {
    const ScopedRefusal refusal(which, how, of.least);
    made.ended = of.call();
    made.happened = refusal.happened();
  }
  made.held = allocations().held;
  return made;
}

// The call with its 1st, 2nd, 3rd ... request refused, until it makes no such request. One that found no memory must
// have changed nothing; one that did without that memory must give what any call gives. What is kept for later calls (a
// workspace, a thread, a sentence) is kept once, so memory that grows with every one of three calls is lost. Returns
// how many calls found no memory.
inline int64_t refuse_every_request(const Refusable& of, Refuse how, const Results& usual) {
  int64_t found_none = 0;
  const auto look_at = [&](const Attempt& made) {
    const bool done = made.ended == Ended::kDone;
    EXPECT_NE(Ended::kOtherwise, made.ended);
    EXPECT_TRUE(done || made.happened) << "no memory was refused";
    EXPECT_TRUE(of.results() == (done ? usual.after : usual.before))
        << (done ? "other results than with all memory" : "changed something");
    found_none += done ? 0 : 1;
  };
  bool happened = true;
  for (int64_t which = 1; happened && !::testing::Test::HasFailure(); ++which) {
    SCOPED_TRACE(of.name + ", request " + std::to_string(which) + (how == Refuse::kOne ? " alone" : " and all later"));
    const Attempt first = attempt(of, which, how);
    look_at(first);
    happened = first.happened;
    if (!happened) break;
    const Attempt second = attempt(of, which, how);
    look_at(second);
    if (second.held <= first.held) continue;
    const Attempt third = attempt(of, which, how);
    EXPECT_LE(third.held, second.held) << "leaked";
    look_at(third);
  }
  return found_none;
}

// The C library ends a program that has no memory for the list of what goes with a thread, a few bytes at the thread's
// first workspace. Afterwards the thread's next workspace is memory like any other.
inline void take_smallest_workspace() {
  const float x[2] = {}, D[1] = {};
  float y[1];
  idelta::check(idelta_sidmv(idelta::Context::with(IDELTA_ISA_SCALAR, 1).get(), 0, 1, 1, 1, x, 2, D, 1, 0, y, 1));
}

// In both ways, each on a thread of its own, which keeps no larger workspace from earlier calls. Returns how many
// calls found no memory.
inline int64_t survived_refusals(const Refusable& of) {
  Results usual;
  int64_t found_none = 0;
  std::thread([&] { usual = usual_results(of); }).join();
  for (const Refuse how : {Refuse::kOne, Refuse::kAllFrom}) {
    std::thread([&] {
      take_smallest_workspace();
      found_none += refuse_every_request(of, how, usual);
    }).join();
  }
  return found_none;
}

}  // namespace idelta_test
